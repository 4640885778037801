"""Messages of fixed content as the venues print them: compact, keys in their order."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any


def _text(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def hyperliquid_trades(n: int, first: int) -> bytes:
    """Give `n` trades with ids from `first` on."""
    trades = [
        {
            "coin": "BTC",
            "side": "BA"[i & 1],
            "px": f"{97000 + i % 900}.{i % 10}",
            "sz": f"0.{10000 + i % 9999}",
            "time": 1_700_000_000_000 + first // 4,
            "hash": "0x" + f"{i:064x}",
            # Ids are no sequence.
            "tid": (i * 0x9E3779B97F4A7C15) % 2**50,
            "users": ["0x" + "a" * 40, "0x" + "b" * 40],
        }
        for i in range(first, first + n)
    ]
    return _text({"channel": "trades", "data": trades})


def hyperliquid_bbo() -> bytes:
    """Give a best bid and offer."""
    sides = [{"px": "97123.0", "sz": "1.2345", "n": 7}, {"px": "97124.0", "sz": "0.5", "n": 3}]
    return _text(
        {"channel": "bbo", "data": {"coin": "BTC", "time": 1_700_000_000_123, "bbo": sides}}
    )


def hyperliquid_book() -> bytes:
    """Give a book of 20 bids and 20 asks."""
    levels = [
        [{"px": f"{97000 + step * i}.0", "sz": f"1.{i:05d}", "n": i + 1} for i in range(20)]
        for step in (-1, 1)
    ]
    data = {"coin": "BTC", "time": 1_700_000_000_123, "levels": levels}
    return _text({"channel": "l2Book", "data": data})


def binance_trade(trade_id: int) -> bytes:
    """Give one trade of the spot market."""
    data = {
        "e": "trade",
        "E": 1_700_000_000_124,
        "s": "BTCUSDT",
        "t": trade_id,
        "p": "97123.45000000",
        "q": "0.00123000",
        "T": 1_700_000_000_123,
        "m": True,
        "M": True,
    }
    return _text({"stream": "btcusdt@trade", "data": data})


def binance_book_ticker() -> bytes:
    """Give a best bid and offer of the spot market."""
    data = {
        "u": 400900217,
        "s": "BTCUSDT",
        "b": "97123.45000000",
        "B": "31.21000000",
        "a": "97123.46000000",
        "A": "40.66000000",
    }
    return _text({"stream": "btcusdt@bookTicker", "data": data})


def binance_depth(n: int) -> bytes:
    """Give a change of `n` levels, half of them bids."""
    bids, asks = (
        [
            [f"{97000 + step * i}.{i % 100:02d}000000", f"{i % 7}.{i:05d}000"]
            for i in range(1, n // 2 + 1)
        ]
        for step in (-1, 1)
    )
    data = {
        "e": "depthUpdate",
        "E": 1_700_000_000_124,
        "s": "BTCUSDT",
        "U": 157,
        "u": 160,
        "b": bids,
        "a": asks,
    }
    return _text({"stream": "btcusdt@depth@100ms", "data": data})


# case: (venue, table, rows of a message, a new message at each step)
CASES: dict[str, tuple[str, str, int, Iterator[bytes]]] = {
    "hyperliquid trade": (
        "hyperliquid",
        "trades",
        1,
        (hyperliquid_trades(1, i) for i in itertools.count(1)),
    ),
    "hyperliquid 20 trades": (
        "hyperliquid",
        "trades",
        20,
        (hyperliquid_trades(20, 20 * i) for i in itertools.count(10**7)),
    ),
    "hyperliquid bbo": ("hyperliquid", "quotes", 1, itertools.repeat(hyperliquid_bbo())),
    "hyperliquid l2Book 20+20": ("hyperliquid", "book", 40, itertools.repeat(hyperliquid_book())),
    "binance trade": ("binance", "trades", 1, map(binance_trade, itertools.count(5_000_000_000))),
    "binance bookTicker": ("binance", "quotes", 1, itertools.repeat(binance_book_ticker())),
    "binance depth 10": ("binance", "book", 10, itertools.repeat(binance_depth(10))),
    "binance depth 400": ("binance", "book", 400, itertools.repeat(binance_depth(400))),
}
