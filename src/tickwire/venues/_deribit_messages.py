"""Deribit's messages: what each channel's notifications become."""

from __future__ import annotations

from typing import Any

from tickwire.decode import plan
from tickwire.decode.plan import (
    Message,
    Scalar,
    Test,
    absent,
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
    suffix,
    text,
)

# Interval to resolution, and from a candle's begin to its last millisecond: no end is sent.
INTERVALS = {
    "1m": ("1", 59_999), "3m": ("3", 179_999), "5m": ("5", 299_999), "10m": ("10", 599_999),
    "15m": ("15", 899_999), "30m": ("30", 1_799_999), "1h": ("60", 3_599_999),
    "2h": ("120", 7_199_999), "3h": ("180", 10_799_999), "6h": ("360", 21_599_999),
    "12h": ("720", 43_199_999), "1d": ("1D", 86_399_999),
}  # fmt: skip
SAME: dict[Scalar, str | bool] = {"buy": "buy", "sell": "sell"}
OTHER: dict[Scalar, str | bool] = {"buy": "sell", "sell": "buy"}


def _executed(into: str, **named: Any) -> plan.Rows:
    return rows(
        at="params.data[]", into=into, symbol="instrument_name", ts_event=ms("timestamp"),
        price="price", size="amount", trade_id=text("trade_id"), **named,
    )  # fmt: skip


def _levels(channel: str, *, is_snapshot: bool, price: int, **ids: Any) -> list[plan.Rows]:
    # [action, price, amount], of whole books [price, amount]
    gone = ("[0]", "delete") if price else None
    return [
        rows(
            at=f"params.data.{side}s[]", into="book", symbol="$.params.data.instrument_name",
            ts_event=ms("$.params.data.timestamp"), channel=constant(channel),
            side=constant(side), price=f"[{price}]",
            size=number(f"[{price + 1}]", zero_when=gone), is_snapshot=constant(is_snapshot),
            venue_seq="$.params.data.change_id", **ids,
        )
        for side in ("bid", "ask")
    ]  # fmt: skip


TRADES = [
    _executed("trades", channel=constant("trades"), side=choice("direction", SAME)),
    # M: the maker was liquidated, T: the taker, MT: both.
    _executed(
        "liquidations", side=choice("direction", SAME), when={"liquidation": equal("T", "MT")}
    ),
    _executed("liquidations", side=choice("direction", OTHER), when={"liquidation": "M"}),
]
QUOTES = rows(
    at="params.data", into="quotes", symbol="instrument_name", ts_event=ms("timestamp"),
    bid_price="best_bid_price", bid_size="best_bid_amount", ask_price="best_ask_price",
    ask_size="best_ask_amount",
)  # fmt: skip
TICKERS = rows(
    at="params.data", into="tickers", symbol="instrument_name", ts_event=ms("timestamp"),
    last_price="last_price", mark_price="mark_price", index_price="index_price",
    funding_rate="funding_8h", open_interest="open_interest", volume_24h="stats.volume",
    notional_24h="stats.volume_usd",
)  # fmt: skip


def _candles(interval: str, length_ms: int) -> plan.Rows:
    return rows(
        at="params.data", into="candles", symbol=part("$.params.channel", ".", 2),
        interval=constant(interval), ts_open=ms("tick"), ts_close=ms("tick", later_ms=length_ms),
        open="open", high="high", low="low", close="close", volume="volume",
    )  # fmt: skip


def _of(
    name: str, channel: Test, given: list[plan.Rows], *, spliced: bool = False, **data: Any
) -> Message:
    """Declare a notification, by its channel and by scalars of its data."""
    when = {"params.channel": channel} | {f"params.data.{key}": each for key, each in data.items()}
    return message(name, when=when, rows=given, spliced=spliced)


BOOK_SNAPSHOT = _levels("book", is_snapshot=True, price=1)
PREVIOUS = "$.params.data.prev_change_id"
BOOK_CHANGE = _levels("book", is_snapshot=False, price=1, venue_prev_seq=PREVIOUS)
MESSAGES = (
    _of("change", prefix("book."), BOOK_CHANGE, spliced=True, type="change"),
    _of("snapshot", prefix("book."), BOOK_SNAPSHOT, spliced=True, type="snapshot"),
    *(
        _of(f"whole book of {n}", suffix(f".none.{n}.100ms"),
            _levels(f"book:{n}", is_snapshot=True, price=0), type=absent())
        for n in (1, 10, 20)
    ),
    _of("trades", prefix("trades."), TRADES),
    _of("quote", prefix("quote."), [QUOTES]),
    _of("ticker", prefix("ticker."), [TICKERS]),
    *(
        _of(f"candle of {name}", suffix(f".{sent}"), [_candles(name, length_ms)], tick=present())
        for name, (sent, length_ms) in INTERVALS.items()
    ),
    message("test request", when={"params.type": "test_request"}, kind="ping"),
    message("heartbeat", when={"method": "heartbeat"}, kind="ignore"),
    message("result", when={"result": present()}, kind="acknowledge"),
    message("error", when={"error": present()}, kind="error"),
)  # fmt: skip
