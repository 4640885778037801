"""Coinbase Advanced Trade's messages: what each channel's frames become."""

from __future__ import annotations

from tickwire.decode.plan import choice, constant, message, rfc3339, rows, seconds, text

TRADES = rows(
    at="events[].trades[]",
    into="trades",
    symbol="product_id",
    ts_event=rfc3339("time"),
    channel=constant("trades"),
    price="price",
    size="size",
    side=choice("side", {"BUY": "sell", "SELL": "buy"}),
    trade_id=text("trade_id"),
)
QUOTES = rows(
    at="events[].tickers[]",
    into="quotes",
    symbol="product_id",
    ts_event=rfc3339("$.timestamp"),
    bid_price="best_bid",
    bid_size="best_bid_quantity",
    ask_price="best_ask",
    ask_size="best_ask_quantity",
)
TICKERS = rows(
    at="events[].tickers[]",
    into="tickers",
    symbol="product_id",
    ts_event=rfc3339("$.timestamp"),
    last_price="price",
    volume_24h="volume_24_h",
)
LEVELS = rows(
    at="events[].updates[]",
    into="book",
    symbol="$.events[].product_id",
    ts_event=rfc3339("event_time"),
    channel=constant("book"),
    side=choice("side", {"bid": "bid", "offer": "ask"}),
    price="price_level",
    size="new_quantity",
    is_snapshot=choice("$.events[].type", {"snapshot": True, "update": False}),
    venue_seq="$.sequence_num",
)
CANDLES = rows(
    at="events[].candles[]",
    into="candles",
    symbol="product_id",
    ts_event=rfc3339("$.timestamp"),
    interval=constant("5m"),
    ts_open=seconds("start"),
    ts_close=seconds("start", later_ms=299_999),
    open="open",
    high="high",
    low="low",
    close="close",
    volume="volume",
)

MESSAGES = (
    message("l2_data", when={"channel": "l2_data"}, rows=[LEVELS], spliced=True),
    message("market_trades", when={"channel": "market_trades"}, rows=[TRADES]),
    message("ticker", when={"channel": "ticker"}, rows=[QUOTES, TICKERS]),
    message("candles", when={"channel": "candles"}, rows=[CANDLES]),
    message("heartbeats", when={"channel": "heartbeats"}, kind="ignore"),
    message("subscriptions", when={"channel": "subscriptions"}, kind="acknowledge"),
    message("error", when={"type": "error"}, kind="error"),
)
