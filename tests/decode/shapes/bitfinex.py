"""Bitfinex: positional arrays of several lengths; the sign of a number is the side."""

from typing import Any

from tests.reference.rows import Number, ms, must, real, whole

from tickwire.decode.plan import (
    Rows,
    absent,
    constant,
    equal,
    message,
    number,
    present,
    rows,
    sign,
    text,
)
from tickwire.decode.plan import (
    ms as at_ms,
)

VENUE = "bitfinex"
CAPTURES = ("bitfinex/cf-bitfinex-20210405-58bafb",)


def _level(at: str, *, is_snapshot: bool) -> Rows:
    return rows(
        at=at,
        into="book",
        symbol=text("$[0]"),
        channel=constant("book"),
        # [price, count, amount]: amount > 0 is a bid, and a count of 0 removes the level.
        side=sign("[2]", positive="bid", negative="ask"),
        price="[0]",
        size=number("[2]", magnitude=True, zero_when=("[1]", 0)),
        order_count="[1]",
        is_snapshot=constant(is_snapshot),
        venue_seq="$[2]",
    )


def _trade(at: str) -> Rows:
    return rows(
        at=at,
        into="trades",
        symbol=text("$[0]"),
        ts_event=at_ms("[1]"),
        channel=constant("trades"),
        side=sign("[2]", positive="buy", negative="sell"),
        size=number("[2]", magnitude=True),
        price="[3]",
        trade_id=text("[0]"),
    )


MESSAGES = (
    message("heartbeat", when={"[1]": "hb"}, kind="ignore"),
    message("trade", when={"[1]": "te"}, rows=[_trade("[2]")]),
    message("trade again", when={"[1]": equal("tu", "cs")}, kind="ignore"),
    # What is inside tells the rest apart: arrays of three (levels) or four (trades), or scalars.
    message("trades", when={"[1][0][3]": present()}, rows=[_trade("[1][]")]),
    message(
        "book",
        when={"[1][0][2]": present(), "[1][0][3]": absent()},
        rows=[_level("[1][]", is_snapshot=True)],
    ),
    message(
        "level",
        when={"[1][2]": present(), "[1][3]": absent(), "[1][0][0]": absent()},
        rows=[_level("[1]", is_snapshot=False)],
    ),
    message(
        "ticker",
        when={"[1][9]": present(), "[1][0][0]": absent()},
        rows=[
            rows(
                at="[1]",
                into="quotes",
                symbol=text("$[0]"),
                bid_price="[0]",
                bid_size="[1]",
                ask_price="[2]",
                ask_size="[3]",
                venue_seq="$[2]",
            ),
            rows(
                at="[1]",
                into="tickers",
                symbol=text("$[0]"),
                last_price="[6]",
                volume_24h="[7]",
            ),
        ],
    ),
    message("event", when={"event": present()}, kind="acknowledge"),
)


def _side(amount: str, positive: str, negative: str) -> str:
    return negative if float(amount) < 0 else positive


def _print(symbol: str, trade: list[Any]) -> dict[str, Any]:
    identity, time, amount, price = trade
    return {
        "symbol": symbol,
        "ts_event": ms(time),
        "channel": "trades",
        "side": _side(amount, "buy", "sell"),
        "size": abs(must(real(amount))),
        "price": real(price),
        "trade_id": str(identity),
    }


def _book(symbol: str, levels: list[Any], seq: str, *, is_snapshot: bool) -> list[dict[str, Any]]:
    return [
        {
            "symbol": symbol,
            "channel": "book",
            "side": _side(amount, "bid", "ask"),
            "price": real(price),
            "size": 0.0 if count == "0" else abs(must(real(amount))),
            "order_count": whole(count),
            "is_snapshot": is_snapshot,
            "last": level + 1 == len(levels),
            "venue_seq": whole(seq),
        }
        for level, (price, count, amount) in enumerate(levels)
    ]


def rows_of(frame: Any) -> list[tuple[str, list[dict[str, Any]]]] | None:
    """Say what rows a message gives."""
    if isinstance(frame, dict):
        return None
    symbol, body = str(frame[0]), frame[1]
    if isinstance(body, str):
        return [("trades", [_print(symbol, frame[2])])] if body == "te" else None
    if isinstance(body[0], list):
        if len(body[0]) == 4:
            return [("trades", [_print(symbol, trade) for trade in body])]
        return [("book", _book(symbol, body, frame[2], is_snapshot=True))]
    if len(body) == 3:
        return [("book", _book(symbol, [body], frame[2], is_snapshot=False))]
    assert len(body) == 10
    assert isinstance(body[0], Number)
    quote = dict(
        zip(("bid_price", "bid_size", "ask_price", "ask_size"), map(real, body), strict=False)
    )
    return [
        ("quotes", [{"symbol": symbol, "venue_seq": whole(frame[2])} | quote]),
        ("tickers", [{"symbol": symbol, "last_price": real(body[6]), "volume_24h": real(body[7])}]),
    ]
