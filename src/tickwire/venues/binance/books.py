"""Books of Binance.

- The stream's name tells what the data does not: the speed of a book, how many levels a partial
  book has, and on spot the symbol of a partial book.
- A partial book is a snapshot: it has a last update id (`venue_seq`) and nothing must come just
  before it (`venue_prev_seq` null).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from tickwire.decode.plan import (
    Field,
    Message,
    Rows,
    constant,
    given,
    integer,
    message,
    ms,
    part,
    rows,
    suffix,
)
from tickwire.venues.binance.market import SNAPSHOT_CHANNEL, Market

_time = partial(ms, or_us=True)


def _sides(bids: str, asks: str, *, first_seq: Field | None = None, **fields: Any) -> list[Rows]:
    return [
        rows(
            at=f"{at}[]",
            into="book",
            first_seq=first_seq,
            side=constant(side),
            price="[0]",
            size="[1]",
            **fields,
        )
        for side, at in (("bid", bids), ("ask", asks))
    ]


def deltas(market: Market, speed: str) -> Message:
    """Declare the changes of books at a speed."""
    previous = integer("$.data.pu") if market.futures else integer("$.data.U", add=-1)
    return message(
        f"depth@{speed}",
        when={"data.e": "depthUpdate", "stream": suffix(*market.speeds[speed])},
        spliced=True,
        rows=_sides(
            "data.b",
            "data.a",
            first_seq=integer("$.data.U"),
            symbol="$.data.s",
            ts_event=_time("$.data.T" if market.futures else "$.data.E"),
            channel=constant(f"book:{speed}"),
            is_snapshot=constant(False),
            venue_seq="$.data.u",
            venue_prev_seq=previous,
        ),
    )


def partial_book(market: Market, levels: str) -> Message:
    """Declare books of so many levels."""
    stream = suffix(*(f"@depth{levels}{speed}" for speed in (*market.partial_speeds, "")))
    if market.futures:
        return message(
            f"depth{levels}",
            when={"data.e": "depthUpdate", "stream": stream},
            rows=_sides(
                "data.b",
                "data.a",
                symbol="$.data.s",
                ts_event=_time("$.data.T"),
                channel=constant(f"book:{levels}"),
                is_snapshot=constant(True),
                venue_seq="$.data.u",
            ),
        )
    return message(
        f"depth{levels}",
        when={"stream": stream},
        rows=_sides(
            "data.bids",
            "data.asks",
            symbol=part("$.stream", "@", 0, upper=True),
            channel=constant(f"book:{levels}"),
            is_snapshot=constant(True),
            venue_seq="$.data.lastUpdateId",
        ),
    )


def snapshot(market: Market) -> Message:
    """Declare what REST has of a book."""
    times: dict[str, Any] = {"ts_event": _time("$.T")} if market.futures else {}
    return message(
        "snapshot",
        kind="snapshot",
        rows=_sides(
            "bids",
            "asks",
            symbol=given(),
            channel=constant(SNAPSHOT_CHANNEL),
            is_snapshot=constant(True),
            venue_seq="$.lastUpdateId",
            **times,
        ),
    )
