"""Hyperliquid's messages: trades, quotes, books, candles; the others are in files of their own."""

from __future__ import annotations

from tickwire.decode.plan import (
    Message,
    Scalar,
    Test,
    absent,
    choice,
    constant,
    message,
    ms,
    present,
    rows,
    text,
)  # fmt: skip
from tickwire.schema import Column, Kind
from tickwire.venues.hyperliquid.accounts import ACCOUNT_EXTRAS, ACCOUNT_MESSAGES
from tickwire.venues.hyperliquid.contexts import CONTEXT_EXTRAS, CONTEXT_MESSAGES
from tickwire.venues.hyperliquid.l2 import L2_MESSAGES
from tickwire.venues.hyperliquid.users import USER_EXTRAS, USER_MESSAGES


def _book(name: str, channel: str, fast: bool) -> Message:
    sides = [
        rows(
            at=f"data.levels[{index}][]",
            into="book",
            symbol="$.data.coin",
            ts_event=ms("$.data.time"),
            channel=constant(channel),
            side=constant(side),
            price="px",
            size="sz",
            order_count="n",
            is_snapshot=constant(True),
        )
        for index, side in enumerate(("bid", "ask"))
    ]
    when: dict[str, Scalar | Test] = {"channel": "l2Book"}
    if fast:
        when["data.fast"] = True
    return message(name, when=when, rows=sides)


def _candle(name: str, at: str, *, single: bool) -> Message:
    candles = rows(
        at=at, into="candles", symbol="s", interval="i", ts_open=ms("t"), ts_close=ms("T"),
        open="o", high="h", low="l", close="c", volume="v", trade_count="n",
    )  # fmt: skip
    # The documentation says an array, the server sends one object.
    when: dict[str, Scalar | Test] = {
        "channel": "candle",
        "data.t": present() if single else absent(),
    }
    return message(name, when=when, rows=[candles])


_QUOTES = rows(
    at="data", into="quotes", symbol="coin", ts_event=ms("time"),
    bid_price="bbo[0].px", bid_size="bbo[0].sz", ask_price="bbo[1].px", ask_size="bbo[1].sz",
    bid_order_count="bbo[0].n", ask_order_count="bbo[1].n",
)  # fmt: skip

MESSAGES = (
    message(
        "trades",
        when={"channel": "trades"},
        rows=[
            rows(
                at="data[]",
                into="trades",
                symbol="coin",
                ts_event=ms("time"),
                channel=constant("trades"),
                price="px",
                size="sz",
                side=choice("side", {"B": "buy", "A": "sell"}),
                trade_id=text("tid"),
                tx_hash=text("hash"),
                buyer=text("users[0]"),
                seller=text("users[1]"),
            )
        ],
    ),
    message("bbo", when={"channel": "bbo"}, rows=[_QUOTES]),
    _book("fast l2Book", "book:fast", fast=True),
    _book("l2Book", "book", fast=False),
    _candle("candle", "data", single=True),
    _candle("candles", "data[]", single=False),
    *CONTEXT_MESSAGES,
    *L2_MESSAGES,
    *USER_MESSAGES,
    *ACCOUNT_MESSAGES,
    message("subscriptionResponse", when={"channel": "subscriptionResponse"}, kind="acknowledge"),
    message("error", when={"channel": "error"}, kind="error"),
    message("pong", when={"channel": "pong"}, kind="pong"),
    message("greeting", raw="Websocket connection established.", kind="ignore"),
)

EXTRAS = {
    "trades": (
        Column("tx_hash", Kind.TEXT, nullable=True, text_bytes=66),
        Column("buyer", Kind.TEXT, nullable=True, text_bytes=42),
        Column("seller", Kind.TEXT, nullable=True, text_bytes=42),
    ),
    "quotes": (
        Column("bid_order_count", Kind.I32, nullable=True),
        Column("ask_order_count", Kind.I32, nullable=True),
    ),
    **CONTEXT_EXTRAS,
    **USER_EXTRAS,
    **ACCOUNT_EXTRAS,
}
