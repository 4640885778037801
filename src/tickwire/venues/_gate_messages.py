"""Gate's messages of version 4: what each channel's updates become, on spot and futures."""

from __future__ import annotations

from typing import Any

from tickwire.decode import plan
from tickwire.decode.plan import (
    choice,
    constant,
    equal,
    message,
    ms,
    number,
    part,
    prefix,
    present,
    rows,
    seconds,
    sign,
    text,
)
from tickwire.venues._gate_books import books

# Interval to its length less a millisecond: no end is sent.
INTERVALS = {
    "10s": 9_999, "1m": 59_999, "5m": 299_999, "15m": 899_999, "30m": 1_799_999, "1h": 3_599_999,
    "4h": 14_399_999, "8h": 28_799_999, "1d": 86_399_999, "7d": 604_799_999,
}  # fmt: skip


def _quotes() -> plan.Rows:
    return rows(
        at="result", into="quotes", symbol="s", ts_event=ms("t"), bid_price="b", bid_size="B",
        ask_price="a", ask_size="A", venue_seq="u",
    )  # fmt: skip


def _candles(market: str, interval: str) -> plan.Message:
    is_spot = market == "spot"
    # Spot sends an object, its volume in the quote currency, and says whether it is closed.
    own: dict[str, Any] = {"volume": "a", "closed": "w"} if is_spot else {"volume": "v"}
    candle = rows(
        at="result" if is_spot else "result[]", into="candles",
        symbol=part("n", "_", 1, rest=True),  # 1m_BTC_USDT
        interval=constant(interval), ts_open=seconds("t"),
        ts_close=seconds("t", later_ms=INTERVALS[interval]),
        open="o", high="h", low="l", close="c", **own,
    )  # fmt: skip
    name = "result.n" if is_spot else "result[0].n"
    when: dict[str, Any] = {"channel": f"{market}.candlesticks", name: prefix(f"{interval}_")}
    return message(f"candles of {interval}", when=when, rows=[candle])


SPOT: dict[str, list[plan.Rows]] = {
    "spot.trades": [
        rows(
            at="result", into="trades", symbol="currency_pair", ts_event=ms("create_time_ms"),
            channel=constant("trades"), price="price", size="amount", trade_id=text("id"),
            side=choice("side", {"buy": "buy", "sell": "sell"}),
        )
    ],
    "spot.book_ticker": [_quotes()],
    "spot.tickers": [
        rows(
            at="result", into="tickers", symbol="currency_pair", ts_event=ms("$.time_ms"),
            last_price="last", volume_24h="base_volume", notional_24h="quote_volume",
        )
    ],
}  # fmt: skip
FUTURES: dict[str, list[plan.Rows]] = {
    "futures.trades": [
        rows(  # contracts; what is sold has a minus
            at="result[]", into="trades", symbol="contract", ts_event=ms("create_time_ms"),
            channel=constant("trades"), price="price", size=number("size", magnitude=True),
            side=sign("size", positive="buy", negative="sell"), trade_id=text("id"),
        )
    ],
    "futures.book_ticker": [_quotes()],
    "futures.tickers": [
        rows(
            at="result[]", into="tickers", symbol="contract", ts_event=ms("$.time_ms"),
            last_price="last", mark_price="mark_price", index_price="index_price",
            funding_rate="funding_rate", open_interest="total_size", volume_24h="volume_24h_base",
            notional_24h="volume_24h_quote", next_funding_ts=seconds("funding_next_apply"),
        )
    ],
    "futures.public_liquidates": [
        rows(  # of the position that was closed: a long one is sold
            at="result[]", into="liquidations", symbol="contract", ts_event=ms("time_ms"),
            price="price", size=number("size", magnitude=True),
            side=sign("size", positive="sell", negative="buy"),
        )
    ],
}  # fmt: skip


def messages(market: str) -> tuple[plan.Message, ...]:
    """Declare the messages of a market, `spot` or `futures`."""
    of = SPOT if market == "spot" else FUTURES
    return (
        *books(market),
        *(message(n, when={"channel": n, "event": "update"}, rows=each) for n, each in of.items()),
        *(_candles(market, interval) for interval in INTERVALS),
        message("pong", when={"channel": f"{market}.pong"}, kind="pong"),
        message("refused", when={"error.code": present()}, kind="error"),
        message("subscribe", when={"event": equal("subscribe", "unsubscribe")}, kind="acknowledge"),
    )
