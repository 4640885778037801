"""Kraken's first API: arrays with the names last, one or two bodies, times as decimal seconds."""

from decimal import Decimal
from typing import Any

from tests.reference.rows import must, real

from tickwire.decode.plan import (
    Rows,
    absent,
    choice,
    constant,
    message,
    prefix,
    present,
    rows,
    seconds,
    text,
)

VENUE = "kraken"
CAPTURES = ("kraken/cf-kraken-20210405-c197c0", "kraken/cmp-kraken", "kraken/tardis-mappers")


def _levels(at: str, side: str, *, is_snapshot: bool) -> Rows:
    return rows(
        at=at,
        into="book",
        optional=True,
        symbol="$[-1]",
        ts_event=seconds("[2]"),
        channel=text("$[-2]"),
        side=constant(side),
        price="[0]",
        size="[1]",
        is_snapshot=constant(is_snapshot),
    )


MESSAGES = (
    message(
        "book snapshot",
        when={"[-2]": prefix("book-"), "[1].as": present()},
        rows=[
            _levels("[1].as[]", "ask", is_snapshot=True),  # in the order in which they are sent
            _levels("[1].bs[]", "bid", is_snapshot=True),
        ],
    ),
    # The sides that changed: [id, {"a"}, name, pair], {"b"} likewise, or [id, {"a"}, {"b"}, ...].
    message(
        "book, both sides",
        when={"[-2]": prefix("book-"), "[4]": present()},
        rows=[
            _levels("[1].a[]", "ask", is_snapshot=False),
            _levels("[2].b[]", "bid", is_snapshot=False),
        ],
    ),
    message(
        "book",
        when={"[-2]": prefix("book-"), "[1].as": absent()},
        rows=[
            _levels("[1].a[]", "ask", is_snapshot=False),
            _levels("[1].b[]", "bid", is_snapshot=False),
        ],
    ),
    message(
        "trade",
        when={"[-2]": "trade"},
        rows=[
            rows(
                at="[1][]",
                into="trades",
                once=False,  # these trades have no ids: their time stands in
                symbol="$[-1]",
                ts_event=seconds("[2]"),
                channel=constant("trades"),
                price="[0]",
                size="[1]",
                side=choice("[3]", {"b": "buy", "s": "sell"}),
                trade_id=text("[2]"),
            )
        ],
    ),
    message(
        "ticker",
        when={"[-2]": "ticker"},
        rows=[
            rows(
                at="[1]",
                into="quotes",
                symbol="$[-1]",
                bid_price="b[0]",
                bid_size="b[2]",
                ask_price="a[0]",
                ask_size="a[2]",
            )
        ],
    ),
    message("event", when={"event": present()}, kind="ignore"),
)


def _time(value: str) -> int:
    return int(Decimal(value) * 10**9)


def _book(frame: Any, bodies: list[Any]) -> list[dict[str, Any]]:
    is_snapshot = "as" in bodies[0]
    bids, asks = ("bs", "as") if is_snapshot else ("b", "a")
    common = {"symbol": frame[-1], "channel": frame[-2], "is_snapshot": is_snapshot}
    found = [
        common
        | {
            "side": side,
            "price": must(real(level[0])),
            "size": must(real(level[1])),
            "ts_event": _time(level[2]),
            "last": False,
        }
        for side, name in (("ask", asks), ("bid", bids))
        for body in bodies
        for level in body.get(name, ())
    ]
    if not found:
        return [common | {"last": True}]
    found[-1]["last"] = True
    return found


def rows_of(frame: Any) -> list[tuple[str, list[dict[str, Any]]]] | None:
    """Say what rows a message gives."""
    if isinstance(frame, dict):
        return None
    name, pair = frame[-2:]
    if name.startswith("book-"):
        return [("book", _book(frame, frame[1:-2]))]
    if name == "trade":
        return [
            (
                "trades",
                [
                    {
                        "symbol": pair,
                        "ts_event": _time(trade[2]),
                        "channel": "trades",
                        "price": real(trade[0]),
                        "size": real(trade[1]),
                        "side": {"b": "buy", "s": "sell"}[trade[3]],
                        "trade_id": trade[2],
                    }
                    for trade in frame[1]
                ],
            )
        ]
    if name == "ticker":
        quote = {
            "symbol": pair,
            "bid_price": real(frame[1]["b"][0]),
            "bid_size": real(frame[1]["b"][2]),
            "ask_price": real(frame[1]["a"][0]),
            "ask_size": real(frame[1]["a"][2]),
        }
        return [("quotes", [quote])]
    return None
