"""Kraken's messages: what each channel's frames become."""

from __future__ import annotations

from tickwire.decode.plan import (
    Scalar,
    choice,
    constant,
    equal,
    integer,
    message,
    rfc3339,
    rows,
    text,
)

INTERVALS = {
    "1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "1d": 1440, "1w": 10080,
    "15d": 21600,
}  # fmt: skip
SIDES: dict[Scalar, str | bool] = {"buy": "buy", "sell": "sell"}  # the taker's

TRADES = rows(
    at="data[]",
    into="trades",
    symbol="symbol",
    ts_event=rfc3339("timestamp"),
    channel=constant("trades"),
    price="price",
    size="qty",
    side=choice("side", SIDES),
    trade_id=text("trade_id"),
)
QUOTES = rows(
    at="data[]",
    into="quotes",
    symbol="symbol",
    ts_event=rfc3339("timestamp"),
    bid_price="bid",
    bid_size="bid_qty",
    ask_price="ask",
    ask_size="ask_qty",
)
TICKERS = rows(
    at="data[]",
    into="tickers",
    symbol="symbol",
    ts_event=rfc3339("timestamp"),
    last_price="last",
    volume_24h="volume",
)
BOOK = [
    rows(
        at=f"data[].{side}s[]",
        into="book",
        symbol="$.data[].symbol",
        ts_event=rfc3339("$.data[].timestamp"),
        channel=constant("book"),
        side=constant(side),
        price="price",
        size="qty",
        is_snapshot=choice("$.type", {"snapshot": True, "update": False}),
        checksum=integer("$.data[].checksum"),
    )
    for side in ("bid", "ask")
]
CANDLES = rows(
    at="data[]",
    into="candles",
    symbol="symbol",
    interval=choice("interval", {sent: interval for interval, sent in INTERVALS.items()}),
    ts_open=rfc3339("interval_begin"),
    ts_close=rfc3339("timestamp"),
    open="open",
    high="high",
    low="low",
    close="close",
    volume="volume",
    trade_count="trades",
)

MESSAGES = (
    message("book", when={"channel": "book"}, rows=BOOK, spliced=True),
    message("trade", when={"channel": "trade"}, rows=[TRADES]),
    message("ticker", when={"channel": "ticker"}, rows=[QUOTES, TICKERS]),
    message("ohlc", when={"channel": "ohlc"}, rows=[CANDLES]),
    message("heartbeat", when={"channel": equal("heartbeat", "status")}, kind="ignore"),
    message("pong", when={"method": "pong"}, kind="pong"),
    message("subscribed", when={"success": True}, kind="acknowledge"),
    message("refused", when={"success": False}, kind="error"),
)
