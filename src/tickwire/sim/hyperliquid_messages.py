"""Hyperliquid's data messages, written from the market as the venue writes them."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from tickwire.sim.candles import Candle
from tickwire.sim.exchange import Message, dumps
from tickwire.sim.market import Symbol, Trade

# From one book to the next most levels stay as they are: their text is kept.
LEVEL_TEXTS = 20_000
_ADDRESS_MASK = (1 << 160) - 1


def trades_message(key: str, symbol: Symbol, trades: list[Trade]) -> Message:
    """Give what tells of trades; those that were delivered before count as repeated."""
    instrument = symbol.instrument
    last = trades[-1].number
    n_repeated = min(max(symbol.delivered - last + len(trades), 0), len(trades))
    symbol.delivered = max(symbol.delivered, last)
    parts = []
    for trade in trades:
        entropy = trade.entropy
        buyer = entropy & _ADDRESS_MASK
        seller = entropy >> 96
        parts.append(
            f'{{"coin":"{symbol.name}","side":"{"B" if trade.is_buy else "A"}",'
            f'"px":"{instrument.price_text(trade.ticks)}","sz":"{instrument.size_text(trade.lots)}",'
            f'"time":{trade.time_ms},"hash":"0x{entropy:064x}","tid":{trade.trade_id},'
            f'"users":["0x{buyer:040x}","0x{seller:040x}"]}}'
        )
    payload = '{"channel":"trades","data":[' + ",".join(parts) + "]}"
    return Message(key, "trades", payload.encode(), len(parts), n_repeated)


def _levels(symbol: Symbol, levels: list[tuple[int, int, int]]) -> str:
    known = symbol.level_texts
    return ",".join([known.get(level) or _level(symbol, level) for level in levels])


def _level(symbol: Symbol, level: tuple[int, int, int]) -> str:
    ticks, lots, n_orders = level
    price, size = symbol.instrument.price_text(ticks), symbol.instrument.size_text(lots)
    text = f'{{"px":"{price}","sz":"{size}","n":{n_orders}}}'
    if len(symbol.level_texts) >= LEVEL_TEXTS:
        symbol.level_texts.clear()
    symbol.level_texts[level] = text
    return text


def bbo_message(key: str, symbol: Symbol, time_ms: int) -> Message:
    """Give the best bid and ask."""
    touch = _levels(symbol, symbol.bids.top(1) + symbol.asks.top(1))
    data = f'{{"coin":"{symbol.name}","time":{time_ms},"bbo":[{touch}]}}'
    return Message(key, "quotes", f'{{"channel":"bbo","data":{data}}}'.encode())


def book_message(
    key: str, symbol: Symbol, time_ms: int, subscription: Mapping[str, Any]
) -> Message:
    """Give a book with as many levels and figures as a subscription has."""
    n_levels = 5 if subscription["fast"] else 20
    figures, mantissa = subscription["nSigFigs"], subscription["mantissa"]
    if figures is None:
        bids, asks = symbol.bids.top(n_levels), symbol.asks.top(n_levels)
    else:
        grid = _grid(symbol, figures, mantissa or 1)
        bids = _merged(symbol.bids.top(len(symbol.bids.keys)), grid, n_levels, is_bid=True)
        asks = _merged(symbol.asks.top(len(symbol.asks.keys)), grid, n_levels, is_bid=False)
    bid_text, ask_text = _levels(symbol, bids), _levels(symbol, asks)
    extra = ""
    if figures is not None:
        spread = symbol.instrument.price_text(asks[0][0] - bids[0][0])
        extra += f',"spread":"{spread}"'
    if subscription["fast"]:
        extra += ',"fast":true'
    data = (
        f'{{"coin":"{symbol.name}","time":{time_ms},"levels":[[{bid_text}],[{ask_text}]]{extra}}}'
    )
    payload = f'{{"channel":"l2Book","data":{data}}}'.encode()
    return Message(key, "book", payload, len(bids) + len(asks))


def _grid(symbol: Symbol, figures: int, mantissa: int) -> int:
    """Return the ticks between two levels of a book with that many significant figures."""
    digits = len(str(symbol.bids.best))
    return int(10 ** max(digits - figures, 0)) * mantissa


def _merged(
    levels: list[tuple[int, int, int]], grid: int, n_levels: int, *, is_bid: bool
) -> list[tuple[int, int, int]]:
    # Away from the middle: bids down, asks up, so that the merged book does not cross.
    merged: dict[int, tuple[int, int]] = {}
    for ticks, lots, n_orders in levels:
        price = ticks // grid * grid if is_bid else -(-ticks // grid) * grid
        had_lots, had_orders = merged.get(price, (0, 0))
        merged[price] = (had_lots + lots, had_orders + n_orders)
    return [(price, lots, n_orders) for price, (lots, n_orders) in merged.items()][:n_levels]


def candle_message(key: str, symbol: Symbol, candle: Candle) -> Message:
    """Give a candle as it stands."""
    price = symbol.instrument.price_text
    payload = (
        f'{{"channel":"candle","data":{{"t":{candle.open_ms},"T":{candle.close_ms},'
        f'"s":"{symbol.name}","i":"{candle.interval}","o":"{price(candle.open)}",'
        f'"c":"{price(candle.close)}","h":"{price(candle.high)}","l":"{price(candle.low)}",'
        f'"v":"{symbol.instrument.size_text(candle.lots)}","n":{candle.n_trades}}}}}'
    )
    return Message(key, "candles", payload.encode())


def mid_text(symbol: Symbol) -> str:
    """Write the middle of the book."""
    half, odd = divmod(symbol.mid_half_ticks, 2)
    text = symbol.instrument.price_text(half)
    if not odd:
        return text
    # Half a tick more: one decimal below the tick's.
    whole, _, fraction = text.partition(".")
    decimals = symbol.instrument.tick_decimals
    return f"{whole}.{fraction.ljust(decimals, '0')[:decimals]}5"


def context_message(key: str, symbol: Symbol) -> Message:
    """Give the figures of a perpetual or a spot pair."""
    instrument = symbol.instrument
    price, start = instrument.price_text, instrument.start_ticks
    drift = symbol.last_ticks - start
    if symbol.name.startswith("@") or "/" in symbol.name:
        return _spot_context(key, symbol)
    context = {
        "funding": f"{1.25e-05 + drift / start / 100:.10f}",
        "openInterest": instrument.size_text(instrument.typical_lots * 40_000 + symbol.volume_lots),
        "prevDayPx": price(start),
        "dayNtlVlm": instrument.notional_text(symbol.notional),
        "premium": f"{drift / start / 10:.10f}",
        "oraclePx": price(start + drift * 9 // 10),
        "markPx": price(symbol.last_ticks),
        "midPx": mid_text(symbol),
        "impactPxs": [price(symbol.bids.best), price(symbol.asks.best)],
        "dayBaseVlm": instrument.size_text(symbol.volume_lots),
    }
    data = {"coin": symbol.name, "ctx": context}
    payload = dumps({"channel": "activeAssetCtx", "data": data})
    return Message(key, "tickers", payload.encode())


def contexts_of(symbols: Iterable[Symbol]) -> dict[str, dict[str, str]]:
    """Give what `fastAssetCtxs` tells of each coin."""
    return {
        each.name: {"markPx": each.instrument.price_text(each.last_ticks), "midPx": mid_text(each)}
        for each in symbols
    }


def fast_contexts_message(key: str, contexts: Mapping[str, Mapping[str, str]]) -> Message:
    """Pack the figures of some coins: base64 of raw deflate."""
    squeeze = zlib.compressobj(wbits=-15)
    packed = squeeze.compress(dumps(contexts).encode()) + squeeze.flush()
    data = base64.b64encode(packed).decode()
    payload = dumps({"channel": "fastAssetCtxs", "data": data})
    return Message(key, "tickers", payload.encode(), len(contexts))


def _spot_context(key: str, symbol: Symbol) -> Message:
    instrument = symbol.instrument
    supply = instrument.size_text(instrument.typical_lots * 1_000_000)
    context = {
        "prevDayPx": instrument.price_text(instrument.start_ticks),
        "dayNtlVlm": instrument.notional_text(symbol.notional),
        "markPx": instrument.price_text(symbol.last_ticks),
        "midPx": mid_text(symbol),
        "circulatingSupply": supply,
        "coin": symbol.name,
        "totalSupply": supply,
        "dayBaseVlm": instrument.size_text(symbol.volume_lots),
    }
    data = {"coin": symbol.name, "ctx": context}
    payload = dumps({"channel": "activeSpotAssetCtx", "data": data})
    return Message(key, "tickers", payload.encode())
