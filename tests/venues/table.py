"""What each venue has, as a table of docs/venues.md: `python -m tests.venues.table --write`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.venues.test_recorded import CASES

from tickwire.sim.instruments import VENUES as SIMULATED
from tickwire.venues import Venue, load, names

PAGE = Path(__file__).parents[2] / "docs/venues.md"
BEGIN, END = "<!-- python -m tests.venues.table --write: begin -->", "<!-- table: end -->"
TABLES = ("trades", "quotes", "book", "candles", "tickers", "liquidations")
TICKERS = {
    "funding_rate": "funding", "open_interest": "open interest", "mark_price": "mark",
    "index_price": "index",
}  # fmt: skip
# Whose captures are compared elsewhere.
OTHERS = ("hyperliquid", "binance", "binance-usdm", "binance-coinm", "aster")


def _figures(venue: Venue) -> str:
    named = {
        name for message in venue.messages for rows in message.rows
        if rows.into == "tickers" for name in rows.fields
    }  # fmt: skip
    is_spot = venue.name.endswith("-spot") or venue.name == "bitget"  # which shares its messages
    found = [text for column, text in TICKERS.items() if column in named and not is_spot]
    return ", ".join(found) or "-"


def row_of(name: str) -> list[str]:
    """Give the cells of a venue, the first its name."""
    venue = load(name)
    tables = {channel.table for channel in venue.channels}
    compared = {case[0] for case in CASES}
    book = venue.book
    return [
        f"`{name}`",
        *("yes" if table in tables else "-" for table in TABLES),
        _figures(venue),
        venue.heartbeat.kind,
        "yes" if venue.instruments else "-",
        "-" if book is None else f"{book.chain.kind}, {book.begin.kind}, {book.repair}",
        "-" if venue.oracle is None else _oracle(venue),
        "yes" if name in SIMULATED else "-",
        "yes" if name in compared or name in OTHERS else "-",
        venue.verified or "documents alone",
    ]


def _oracle(venue: Venue) -> str:
    oracle = venue.oracle
    assert oracle is not None
    kind = "same time" if oracle.is_by_time else "lasting" if oracle.lasting_s else "same id"
    return f"{kind}: `{oracle.depth if oracle.is_by_time else oracle.channel}`"


def table() -> str:
    """Give the table, with its marks."""
    head = [
        "venue", *TABLES, "of tickers", "heartbeat", "instruments", "book: chain, begin, repair",
        "oracle", "simulated", "captures compared", "verified",
    ]  # fmt: skip
    lines = [head, ["---"] * len(head), *map(row_of, names())]
    return "\n".join([BEGIN, *(f"| {' | '.join(cells)} |" for cells in lines), END])


def write() -> None:
    """Put the table where its marks are."""
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(before + table() + rest.partition(END)[2])


if __name__ == "__main__":
    if "--write" in sys.argv:
        write()
    else:
        print(table())
