"""Bitget's messages of version 3: what each topic's frames become."""

from __future__ import annotations

from typing import Any

from tickwire.decode import plan
from tickwire.decode.plan import Scalar, choice, constant, equal, message, ms, rows, text
from tickwire.schema import Column, Kind

# Interval to the venue's, and from a candle's begin to its last millisecond: no end is sent.
INTERVALS = {
    "1m": ("1m", 59_999), "3m": ("3m", 179_999), "5m": ("5m", 299_999), "15m": ("15m", 899_999),
    "30m": ("30m", 1_799_999), "1h": ("1H", 3_599_999), "4h": ("4H", 14_399_999),
    "6h": ("6H", 21_599_999), "12h": ("12H", 43_199_999), "1d": ("1D", 86_399_999),
}  # fmt: skip
EXTRAS = {"trades": (Column("is_rpi", Kind.BOOL, nullable=True),)}
OTHER: dict[Scalar, str | bool] = {"buy": "sell", "sell": "buy"}


def _levels(channel: str, *, is_snapshot: bool, **ids: Any) -> list[plan.Rows]:
    return [
        rows(
            at=f"data[].{side[0]}[]",
            into="book",
            symbol="$.arg.symbol",
            ts_event=ms("$.data[].ts"),
            channel=constant(channel),
            side=constant(side),
            price="[0]",
            size="[1]",
            is_snapshot=constant(is_snapshot),
            venue_seq="$.data[].seq",
            **ids,
        )
        for side in ("bid", "ask")
    ]


TRADES = rows(
    at="data[]", into="trades", symbol="$.arg.symbol", ts_event=ms("T"),
    channel=constant("trades"), price="p", size="v",
    side=choice("S", {"buy": "buy", "sell": "sell"}), trade_id=text("i"),
    is_rpi=choice("isRPI", {"yes": True, "no": False}),
)  # fmt: skip
QUOTES = rows(
    at="data[]", into="quotes", symbol="$.arg.symbol", ts_event=ms("ts"), bid_price="b[0][0]",
    bid_size="b[0][1]", ask_price="a[0][0]", ask_size="a[0][1]", venue_seq="seq",
)  # fmt: skip
TICKERS = rows(
    at="data[]", into="tickers", symbol="$.arg.symbol", ts_event=ms("$.ts"),
    last_price="lastPrice", mark_price="markPrice", index_price="indexPrice",
    funding_rate="fundingRate", open_interest="openInterest", volume_24h="volume24h",
    notional_24h="turnover24h", next_funding_ts=ms("nextFundingTime"),
)  # fmt: skip
LIQUIDATIONS = rows(
    at="data[]",
    into="liquidations",
    symbol="symbol",
    ts_event=ms("ts"),
    side=choice("side", OTHER),  # the position's is sent, the order's is given
    price="price",
    size="amount",
)


def _candles(interval: str, length_ms: int) -> plan.Rows:
    return rows(
        at="data[]", into="candles", symbol="$.arg.symbol", ts_event=ms("$.ts"),
        interval=constant(interval), ts_open=ms("start"), ts_close=ms("start", later_ms=length_ms),
        open="open", high="high", low="low", close="close", volume="volume",
    )  # fmt: skip


_OF: dict[str, list[plan.Rows]] = {
    "publicTrade": [TRADES],
    "books1": [QUOTES],
    "books5": _levels("book:5", is_snapshot=True),
    "ticker": [TICKERS],
    "liquidation": [LIQUIDATIONS],
}
_BOOK = {  # a snapshot's `pseq` is 0: it follows nothing
    "update": _levels("book", is_snapshot=False, venue_prev_seq="$.data[].pseq"),
    "snapshot": _levels("book", is_snapshot=True),
}
MESSAGES = (
    message("subscribe", when={"event": equal("subscribe", "unsubscribe")}, kind="acknowledge"),
    message("error", when={"event": "error"}, kind="error"),
    *(
        message(f"books {action}", when={"arg.topic": "books", "action": action}, rows=given,
                spliced=True)
        for action, given in _BOOK.items()
    ),
    *(message(topic, when={"arg.topic": topic}, rows=given) for topic, given in _OF.items()),
    *(
        message(f"kline {interval}", when={"arg.topic": "kline", "arg.interval": sent},
                rows=[_candles(interval, length_ms)])
        for interval, (sent, length_ms) in INTERVALS.items()
    ),
    message("pong", raw="pong", kind="pong"),
)  # fmt: skip
