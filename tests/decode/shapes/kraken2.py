"""Kraken's second API: levels are objects, numbers are bare, sides may be empty."""

from datetime import datetime
from typing import Any

from tests.reference.rows import book_message, real

from tickwire.decode.plan import choice, constant, message, present, rfc3339, rows, text

VENUE = "kraken"
CAPTURES = ("kraken/dc-kraken-20260816-btcusd-d10", "kraken/misc-v2-verbatim")

MESSAGES = (
    message(
        "book",
        when={"channel": "book"},
        rows=[
            rows(
                at=f"data[].{name}[]",
                into="book",
                symbol="$.data[].symbol",
                ts_event=rfc3339("$.data[].timestamp"),
                channel=constant("book"),
                side=constant(side),
                price="price",
                size="qty",
                is_snapshot=choice("$.type", {"snapshot": True, "update": False}),
            )
            for side, name in (("bid", "bids"), ("ask", "asks"))
        ],
    ),
    message(
        "trade",
        when={"channel": "trade"},
        rows=[
            rows(
                at="data[]",
                into="trades",
                symbol="symbol",
                ts_event=rfc3339("timestamp"),
                channel=constant("trades"),
                price="price",
                size="qty",
                side=choice("side", {"buy": "buy", "sell": "sell"}),
                trade_id=text("trade_id"),
            )
        ],
    ),
    message("heartbeat", when={"channel": "heartbeat"}, kind="ignore"),
    message("status", when={"channel": "status"}, kind="ignore"),
    message("answer", when={"method": present()}, kind="acknowledge"),
)


def _time(value: str | None) -> int | None:
    if value is None:
        return None
    moment = datetime.fromisoformat(value)
    return int(moment.timestamp()) * 10**9 + moment.microsecond * 1000


def rows_of(frame: Any) -> list[tuple[str, list[dict[str, Any]]]] | None:
    """Say what rows a message gives."""
    channel = frame.get("channel")
    if channel == "book":
        (item,) = frame["data"]
        common = {
            "symbol": item["symbol"],
            "ts_event": _time(item.get("timestamp")),
            "channel": "book",
            "is_snapshot": frame["type"] == "snapshot",
        }
        sides = ([(one["price"], one["qty"]) for one in item[side]] for side in ("bids", "asks"))
        return [("book", book_message(common, *sides))]
    if channel == "trade":
        return [
            (
                "trades",
                [
                    {
                        "symbol": item["symbol"],
                        "ts_event": _time(item["timestamp"]),
                        "channel": "trades",
                        "price": real(item["price"]),
                        "size": real(item["qty"]),
                        "side": item["side"],
                        "trade_id": str(item["trade_id"]),
                    }
                    for item in frame["data"]
                ],
            )
        ]
    return None
