"""Coinbase Advanced Trade: events within messages, a level per change, both sides in one list."""

from datetime import datetime
from typing import Any

from tests.reference.rows import real, whole

from tickwire.decode.plan import choice, constant, message, rfc3339, rows, text

VENUE = "coinbase"
CAPTURES = ("coinbase/cfv3-coinbase-20260809-advanced",)

SIDES = {"bid": "bid", "offer": "ask"}
TAKERS = {"BUY": "sell", "SELL": "buy"}
SNAPSHOTS = {"snapshot": True, "update": False}

MESSAGES = (
    message(
        "l2_data",
        when={"channel": "l2_data"},
        rows=[
            rows(
                at="events[].updates[]",
                into="book",
                symbol="$.events[].product_id",
                ts_event=rfc3339("event_time"),
                channel=constant("book"),
                side=choice("side", SIDES),
                price="price_level",
                size="new_quantity",
                is_snapshot=choice("$.events[].type", SNAPSHOTS),
                venue_seq="$.sequence_num",
            )
        ],
    ),
    message(
        "market_trades",
        when={"channel": "market_trades"},
        rows=[
            rows(
                at="events[].trades[]",
                into="trades",
                symbol="product_id",
                ts_event=rfc3339("time"),
                channel=constant("trades"),
                price="price",
                size="size",
                side=choice("side", TAKERS),
                trade_id=text("trade_id"),
            )
        ],
    ),
    message(
        "ticker",
        when={"channel": "ticker"},
        rows=[
            rows(
                at="events[].tickers[]",
                into="quotes",
                symbol="product_id",
                ts_event=rfc3339("$.timestamp"),
                bid_price="best_bid",
                bid_size="best_bid_quantity",
                ask_price="best_ask",
                ask_size="best_ask_quantity",
            ),
            rows(
                at="events[].tickers[]",
                into="tickers",
                symbol="product_id",
                ts_event=rfc3339("$.timestamp"),
                last_price="price",
                volume_24h="volume_24_h",
            ),
        ],
    ),
    message("heartbeats", when={"channel": "heartbeats"}, kind="ignore"),
    message("candles", when={"channel": "candles"}, kind="ignore"),
    message("subscriptions", when={"channel": "subscriptions"}, kind="acknowledge"),
)


def _time(value: str) -> int:
    moment = datetime.fromisoformat(value)
    digits = value.partition(".")[2].rstrip("Z")
    return int(moment.timestamp()) * 10**9 + int(digits.ljust(9, "0")[:9] or 0)


def _level(event: Any, level: Any, seq: str) -> dict[str, Any]:
    return {
        "symbol": event["product_id"],
        "ts_event": _time(level["event_time"]),
        "channel": "book",
        "side": SIDES[level["side"]],
        "price": real(level["price_level"]),
        "size": real(level["new_quantity"]),
        "is_snapshot": SNAPSHOTS[event["type"]],
        "last": False,
        "venue_seq": whole(seq),
    }


def _print(trade: Any) -> dict[str, Any]:
    return {
        "symbol": trade["product_id"],
        "ts_event": _time(trade["time"]),
        "channel": "trades",
        "price": real(trade["price"]),
        "size": real(trade["size"]),
        "side": TAKERS[trade["side"]],
        "trade_id": trade["trade_id"],
    }


def rows_of(frame: Any) -> list[tuple[str, list[dict[str, Any]]]] | None:
    """Say what rows a message gives."""
    channel, events = frame["channel"], frame["events"]
    if channel == "l2_data":
        book = [
            _level(event, level, frame["sequence_num"])
            for event in events
            for level in event["updates"]
        ]
        book[-1]["last"] = True
        return [("book", book)]
    if channel == "market_trades":
        return [("trades", [_print(trade) for event in events for trade in event["trades"]])]
    if channel != "ticker":
        return None
    common = {"ts_event": _time(frame["timestamp"])}
    found = [ticker for event in events for ticker in event["tickers"]]
    names = {
        "bid_price": "best_bid",
        "bid_size": "best_bid_quantity",
        "ask_price": "best_ask",
        "ask_size": "best_ask_quantity",
    }
    quotes = [
        common
        | {"symbol": ticker["product_id"]}
        | {column: real(ticker[name]) for column, name in names.items()}
        for ticker in found
    ]
    tickers = [
        common
        | {
            "symbol": ticker["product_id"],
            "last_price": real(ticker["price"]),
            "volume_24h": real(ticker["volume_24_h"]),
        }
        for ticker in found
    ]
    return [("quotes", quotes), ("tickers", tickers)]
