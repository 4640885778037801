"""Kraken Futures' messages: what each feed's frames become."""

from __future__ import annotations

from typing import Any

from tickwire.decode import plan
from tickwire.decode.plan import (
    Scalar,
    choice,
    constant,
    equal,
    message,
    ms,
    present,
    rows,
    text,
)

SIDES: dict[Scalar, str | bool] = {"buy": "buy", "sell": "sell"}  # the taker's


def _executed(at: str) -> list[plan.Rows]:
    named: dict[str, Any] = {
        "symbol": "product_id", "ts_event": ms("time"), "price": "price", "size": "qty",
        "side": choice("side", SIDES), "trade_id": text("uid"),
    }  # fmt: skip
    return [
        rows(at=at, into="trades", channel=constant("trades"), **named),
        rows(at=at, into="liquidations", when={"type": "liquidation"}, **named),
    ]


BOOK_SNAPSHOT = [
    rows(
        at=f"{side}s[]",
        into="book",
        symbol="$.product_id",
        ts_event=ms("$.timestamp"),
        channel=constant("book"),
        side=constant(side),
        price="price",
        size="qty",
        is_snapshot=constant(True),
        venue_seq="$.seq",
    )
    for side in ("bid", "ask")
]
BOOK_CHANGE = rows(  # of one level
    at="",
    into="book",
    symbol="product_id",
    ts_event=ms("timestamp"),
    channel=constant("book"),
    side=choice("side", {"buy": "bid", "sell": "ask"}),
    price="price",
    size="qty",
    is_snapshot=constant(False),
    venue_seq="seq",
)
QUOTES = rows(
    at="",
    into="quotes",
    symbol="product_id",
    ts_event=ms("time"),
    bid_price="bid",
    bid_size="bid_size",
    ask_price="ask",
    ask_size="ask_size",
)
TICKERS = rows(
    at="",
    into="tickers",
    symbol="product_id",
    ts_event=ms("time"),
    last_price="last",
    mark_price="markPrice",
    index_price="index",
    funding_rate="relative_funding_rate",
    open_interest="openInterest",
    volume_24h="volume",
    notional_24h="volumeQuote",
    next_funding_ts=ms("next_funding_rate_time"),
)

MESSAGES = (
    message("subscribed", when={"event": equal("subscribed", "unsubscribed")}, kind="acknowledge"),
    message("error", when={"event": equal("error", "alert")}, kind="error"),
    message("info", when={"event": present()}, kind="ignore"),
    message("book", when={"feed": "book"}, rows=[BOOK_CHANGE], spliced=True),
    message("book_snapshot", when={"feed": "book_snapshot"}, rows=BOOK_SNAPSHOT, spliced=True),
    message("trade", when={"feed": "trade"}, rows=_executed("")),
    message("trade_snapshot", when={"feed": "trade_snapshot"}, rows=_executed("trades[]")),
    message("ticker", when={"feed": "ticker"}, rows=[QUOTES, TICKERS]),
    message("heartbeat", when={"feed": equal("heartbeat", "ticker_lite")}, kind="ignore"),
)
