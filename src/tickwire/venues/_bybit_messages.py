"""Bybit's messages: what each topic's frames become, the same in every market."""

from __future__ import annotations

from tickwire.decode import plan
from tickwire.decode.plan import choice, constant, message, ms, part, prefix, rows, text
from tickwire.schema import Column, Kind

INTERVALS = {
    "1m": "1", "3m": "3", "5m": "5", "15m": "15", "30m": "30", "1h": "60", "2h": "120",
    "4h": "240", "6h": "360", "12h": "720", "1d": "D", "1w": "W", "1M": "M",
}  # fmt: skip
DEPTHS = ("50", "200", "1000")
EXTRAS = {
    "trades": tuple(Column(name, Kind.BOOL, nullable=True) for name in ("is_block", "is_rpi")),
}

TRADES = rows(
    at="data[]",
    into="trades",
    symbol="s",
    ts_event=ms("T"),
    channel=constant("trades"),
    price="p",
    size="v",
    side=choice("S", {"Buy": "buy", "Sell": "sell"}),
    trade_id=text("i"),
    is_block=plan.flag("BT"),
    is_rpi=plan.flag("RPI"),
)
QUOTES = rows(  # of the topic with one level, which sends snapshots alone
    at="data",
    into="quotes",
    symbol="s",
    ts_event=ms("$.cts"),
    bid_price="b[0][0]",
    bid_size="b[0][1]",
    ask_price="a[0][0]",
    ask_size="a[0][1]",
    venue_seq="u",
)
CANDLES = rows(
    at="data[]",
    into="candles",
    symbol=part("$.topic", ".", -1),
    ts_event=ms("timestamp"),
    interval=choice("interval", {sent: interval for interval, sent in INTERVALS.items()}),
    ts_open=ms("start"),
    ts_close=ms("end"),
    open="open",
    high="high",
    low="low",
    close="close",
    volume="volume",
    closed="confirm",
)
LIQUIDATIONS = rows(
    at="data[]",
    into="liquidations",
    symbol="s",
    ts_event=ms("T"),
    side=choice("S", {"Buy": "sell", "Sell": "buy"}),  # sent is the position's: a long is sold
    price="p",  # of the bankruptcy
    size="v",
)


def _book(depth: str) -> plan.Message:
    sides = [
        rows(
            at=f"data.{key}[]",
            into="book",
            symbol="$.data.s",
            ts_event=ms("$.cts"),
            channel=constant(f"book:{depth}"),
            side=constant(side),
            price="[0]",
            size="[1]",
            is_snapshot=choice("$.type", {"snapshot": True, "delta": False}),
            venue_seq="$.data.u",
        )
        for side, key in (("bid", "b"), ("ask", "a"))
    ]
    topic = prefix(f"orderbook.{depth}.")
    return message(f"orderbook.{depth}", when={"topic": topic}, rows=sides, spliced=True)


def _tickers(kind: str) -> plan.Message:
    changes = rows(
        at="data",
        into="tickers",
        carry=True,  # a delta has what changed
        carry_reset=kind == "snapshot",
        symbol="symbol",
        ts_event=ms("$.ts"),
        last_price="lastPrice",
        mark_price="markPrice",
        index_price="indexPrice",
        funding_rate="fundingRate",
        open_interest="openInterest",
        volume_24h="volume24h",
        notional_24h="turnover24h",
        next_funding_ts=ms("nextFundingTime"),
    )
    return message(
        f"tickers {kind}", when={"topic": prefix("tickers."), "type": kind}, rows=[changes]
    )


MESSAGES = (
    message("publicTrade", when={"topic": prefix("publicTrade.")}, rows=[TRADES]),
    message("orderbook.1", when={"topic": prefix("orderbook.1.")}, rows=[QUOTES]),
    *map(_book, DEPTHS),
    *map(_tickers, ("snapshot", "delta")),
    message("kline", when={"topic": prefix("kline.")}, rows=[CANDLES]),
    message("allLiquidation", when={"topic": prefix("allLiquidation.")}, rows=[LIQUIDATIONS]),
    message("pong", when={"op": "ping"}, kind="pong"),
    message("failed", when={"success": False}, kind="error"),
    message("answer", when={"success": plan.present()}, kind="acknowledge"),
)
