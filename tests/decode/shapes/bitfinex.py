"""Bitfinex: positional arrays of several lengths; the sign of a number is the side."""

from dataclasses import replace
from typing import Any

from tests.reference.rows import Number, ms, must, real, whole

from tickwire.decode.plan import Message, lookup, text
from tickwire.venues._bitfinex_messages import MESSAGES as DECLARED

VENUE = "bitfinex"
CAPTURES = ("bitfinex/cf-bitfinex-20210405-58bafb",)


def _by_number(declared: Message) -> Message:
    """Give a message with the number of its channel as its symbol.

    What an acknowledgement says of a number, and that changes wait for a snapshot, are no part of
    how a message becomes rows.
    """
    changed = [
        replace(
            each,
            fields={
                name: text(given.path) if given == lookup(given.path) else given
                for name, given in each.fields.items()
            },
        )
        for each in declared.rows
    ]
    return replace(declared, names=None, spliced=False, rows=tuple(changed))


MESSAGES = tuple(_by_number(each) for each in DECLARED)


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
