"""The keys of messages as their venues sent them when they were verified; see `Venue.fields`.

`tickwire venue fields` wrote it, of messages with at least 20 frames; of OKX's and Hyperliquid's
there are fewer. What Binance has added since its frames were recorded (`st`, `ps`) is optional, and
so is what Hyperliquid's documents let be absent.
"""

from __future__ import annotations

BINANCE = {
    "aggTrade": (
        "data.E", "data.M?", "data.T", "data.a", "data.e", "data.f", "data.l", "data.m", "data.p",
        "data.q", "data.s", "stream",
    ),
    "bookTicker": ("data.A", "data.B", "data.a", "data.b", "data.s", "data.u", "stream"),
    "depth@100ms": (
        "data.E", "data.U", "data.a", "data.b", "data.e", "data.s", "data.u", "stream",
    ),
    "trade": (
        "data.E", "data.M?", "data.T", "data.e", "data.m", "data.p", "data.q", "data.s", "data.t",
        "stream",
    ),
}  # fmt: skip
BINANCE_FUTURES = {
    "bookTicker": (
        "data.A", "data.B", "data.E", "data.T", "data.a", "data.b", "data.e", "data.ps?", "data.s",
        "data.st?", "data.u", "stream",
    ),
    "depth@0ms": (
        "data.E", "data.T", "data.U", "data.a", "data.b", "data.e", "data.ps?", "data.pu", "data.s",
        "data.st?", "data.u", "stream",
    ),
    "market trade": (
        "data.E", "data.T", "data.X", "data.e", "data.m", "data.p", "data.ps?", "data.q", "data.s",
        "data.st?", "data.t", "stream",
    ),
}  # fmt: skip
BYBIT = {
    "kline": (
        "data[].close", "data[].confirm", "data[].end", "data[].high", "data[].interval",
        "data[].low", "data[].open", "data[].start", "data[].timestamp", "data[].turnover",
        "data[].volume", "topic", "ts", "type",
    ),
    "orderbook.200": (
        "cts", "data.a", "data.b", "data.s", "data.seq", "data.u", "topic", "ts", "type",
    ),
    "publicTrade": (
        "data[].BT", "data[].L", "data[].RPI", "data[].S", "data[].T", "data[].i", "data[].p",
        "data[].s", "data[].seq", "data[].v", "topic", "ts", "type",
    ),
    "tickers delta": (
        "cs", "data.ask1Price?", "data.ask1Size?", "data.bid1Price?", "data.bid1Size?",
        "data.fundingRate?", "data.indexPrice?", "data.lastPrice?", "data.markPrice?",
        "data.openInterest?", "data.openInterestValue?", "data.prevPrice1h?",
        "data.prevPrice24h?", "data.price24hPcnt?", "data.singleOpenInterest?",
        "data.singleOpenInterestValue?", "data.symbol", "data.tickDirection?",
        "data.turnover24h?", "data.volume24h?", "topic", "ts", "type",
    ),
}  # fmt: skip
COINBASE = {
    "l2_data": (
        "channel", "events[].product_id", "events[].type", "events[].updates[].event_time",
        "events[].updates[].new_quantity", "events[].updates[].price_level",
        "events[].updates[].side", "sequence_num", "timestamp",
    ),
    "market_trades": (
        "channel", "events[].trades[].price", "events[].trades[].product_id",
        "events[].trades[].side", "events[].trades[].size", "events[].trades[].time",
        "events[].trades[].trade_id", "events[].type", "sequence_num", "timestamp",
    ),
    "ticker": (
        "channel", "events[].tickers[].best_ask", "events[].tickers[].best_ask_quantity",
        "events[].tickers[].best_bid", "events[].tickers[].best_bid_quantity",
        "events[].tickers[].high_24_h", "events[].tickers[].high_52_w",
        "events[].tickers[].low_24_h", "events[].tickers[].low_52_w", "events[].tickers[].price",
        "events[].tickers[].price_percent_chg_24_h", "events[].tickers[].product_id",
        "events[].tickers[].type", "events[].tickers[].volume_24_h", "events[].type",
        "sequence_num", "timestamp",
    ),
}  # fmt: skip
HYPERLIQUID = {
    "activeAssetCtx": (
        "channel", "data.coin", "data.ctx.dayBaseVlm", "data.ctx.dayNtlVlm", "data.ctx.funding",
        "data.ctx.impactPxs", "data.ctx.markPx", "data.ctx.midPx", "data.ctx.openInterest",
        "data.ctx.oraclePx", "data.ctx.premium", "data.ctx.prevDayPx",
    ),
    "allMids": ("channel", "data.dex?", "data.mids"),
    "bbo": (
        "channel", "data.bbo[].n", "data.bbo[].px", "data.bbo[].sz", "data.coin", "data.time",
    ),
    "candle": (
        "channel", "data.T", "data.c", "data.h", "data.i", "data.l", "data.n", "data.o", "data.s",
        "data.t", "data.v",
    ),
    "fast l2Book": (
        "channel", "data.coin", "data.fast", "data.levels[][].n", "data.levels[][].px",
        "data.levels[][].sz", "data.time",
    ),
    "l2Book": (
        "channel", "data.coin", "data.levels[][].n", "data.levels[][].px", "data.levels[][].sz",
        "data.spread?", "data.time",
    ),
    "trades": (
        "channel", "data[].coin", "data[].hash", "data[].px", "data[].side", "data[].sz",
        "data[].tid", "data[].time", "data[].users",
    ),
}  # fmt: skip
KRAKEN = {
    "book": (
        "channel", "data[].asks[].price", "data[].asks[].qty", "data[].bids[].price",
        "data[].bids[].qty", "data[].checksum", "data[].symbol", "data[].timestamp", "type",
    ),
}  # fmt: skip
OKX = {
    "bbo-tbt": (
        "arg.channel", "arg.instId", "data[].asks", "data[].bids", "data[].seqId", "data[].ts",
    ),
    "books snapshot": (
        "action", "arg.channel", "arg.instId", "data[].asks", "data[].bids", "data[].checksum?",
        "data[].prevSeqId", "data[].seqId", "data[].ts",
    ),
    "books update": (
        "action", "arg.channel", "arg.instId", "data[].asks", "data[].bids", "data[].checksum?",
        "data[].prevSeqId", "data[].seqId", "data[].ts",
    ),
    "books5": (
        "arg.channel", "arg.instId", "data[].asks", "data[].bids", "data[].instId?",
        "data[].seqId?", "data[].ts",
    ),
    "trades": (
        "arg.channel", "arg.instId", "data[].count", "data[].instId", "data[].px", "data[].seqId?",
        "data[].side", "data[].source?", "data[].sz", "data[].tradeId", "data[].ts",
    ),
}  # fmt: skip
