"""OKX's messages: what each channel's frames become."""

from __future__ import annotations

from typing import Any

from tickwire.decode import plan
from tickwire.decode.plan import choice, constant, equal, integer, message, ms, rows, text
from tickwire.schema import Column, Kind

# Interval to channel, and from a candle's begin to its last millisecond: no end is sent.
CANDLES = {
    "1s": ("candle1s", 999), "1m": ("candle1m", 59_999), "3m": ("candle3m", 179_999),
    "5m": ("candle5m", 299_999), "15m": ("candle15m", 899_999), "30m": ("candle30m", 1_799_999),
    "1h": ("candle1H", 3_599_999), "2h": ("candle2H", 7_199_999), "4h": ("candle4H", 14_399_999),
    "6h": ("candle6Hutc", 21_599_999), "12h": ("candle12Hutc", 43_199_999),
    "1d": ("candle1Dutc", 86_399_999), "1w": ("candle1Wutc", 604_799_999),
}  # fmt: skip
EXTRAS = {"trades": (Column("match_count", Kind.I64, nullable=True),)}


def _levels(channel: str, is_snapshot: plan.Field, **ids: str | plan.Field) -> list[plan.Rows]:
    named: dict[str, Any] = ids
    return [
        rows(
            at=f"data[].{side}s[]",  # [price, size, "0", orders]
            into="book",
            symbol="$.arg.instId",
            ts_event=ms("$.data[].ts"),
            channel=constant(channel),
            side=constant(side),
            price="[0]",
            size="[1]",
            order_count="[3]",
            is_snapshot=is_snapshot,
            venue_seq="$.data[].seqId",
            **named,
        )
        for side in ("ask", "bid")  # as they are sent, which is read fastest
    ]


def _ticker(**columns: str | plan.Field) -> list[plan.Rows]:
    named: dict[str, Any] = columns
    return [rows(at="data[]", into="tickers", symbol="instId", ts_event=ms("ts"), **named)]


TRADES = rows(
    at="data[]", into="trades", symbol="$.arg.instId", ts_event=ms("ts"),
    channel=constant("trades"), price="px", size="sz",
    side=choice("side", {"buy": "buy", "sell": "sell"}), trade_id=text("tradeId"),
    match_count=integer("count"),
)  # fmt: skip
QUOTES = rows(
    at="data[]", into="quotes", symbol="$.arg.instId", ts_event=ms("ts"), bid_price="bids[0][0]",
    bid_size="bids[0][1]", ask_price="asks[0][0]", ask_size="asks[0][1]", venue_seq="seqId",
)  # fmt: skip
LIQUIDATIONS = rows(
    at="data[].details[]",
    into="liquidations",
    symbol="$.data[].instId",
    ts_event=ms("ts"),
    side=choice("side", {"buy": "buy", "sell": "sell"}),
    price="bkPx",  # of the bankruptcy: no other is sent
    size="sz",
)


def _candles(interval: str, length_ms: int) -> list[plan.Rows]:
    candle = rows(  # [begin, open, high, low, close, contracts, base, quote, closed]
        at="data[]", into="candles", symbol="$.arg.instId", interval=constant(interval),
        ts_open=ms("[0]"), ts_close=ms("[0]", later_ms=length_ms),
        open="[1]", high="[2]", low="[3]", close="[4]", volume="[5]",
        closed=choice("[8]", {"0": False, "1": True}),
    )  # fmt: skip
    return [candle]


# A snapshot follows nothing: its `prevSeqId` is -1, which is no id.
BOOK_SNAPSHOT = _levels("book", constant(True))
BOOK_UPDATE = _levels("book", constant(False), venue_prev_seq="$.data[].prevSeqId")
_ROWS = {
    "trades": [TRADES],
    "bbo-tbt": [QUOTES],
    "books5": _levels("book:5", constant(True)),
    "tickers": _ticker(last_price="last", volume_24h="vol24h", notional_24h="volCcy24h"),
    "mark-price": _ticker(mark_price="markPx"),
    "index-tickers": _ticker(index_price="idxPx"),
    "open-interest": _ticker(open_interest="oi"),
    "funding-rate": _ticker(funding_rate="fundingRate", next_funding_ts=ms("fundingTime")),
    "liquidation-orders": [LIQUIDATIONS],
    **{
        channel: _candles(interval, length_ms) for interval, (channel, length_ms) in CANDLES.items()
    },
}
MESSAGES = (
    message("subscribe", when={"event": equal("subscribe", "unsubscribe")}, kind="acknowledge"),
    message("error", when={"event": equal("error", "notice")}, kind="error"),
    *(
        message(
            f"books {action}",
            when={"arg.channel": "books", "action": action},
            rows=given,
            spliced=True,
        )
        for action, given in (("update", BOOK_UPDATE), ("snapshot", BOOK_SNAPSHOT))
    ),
    *(
        message(channel, when={"arg.channel": channel}, rows=given)
        for channel, given in _ROWS.items()
    ),
    message("pong", raw="pong", kind="pong"),
)
