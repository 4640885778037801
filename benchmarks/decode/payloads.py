"""Messages of fixed content as the venues print them: compact, keys in their order.

Rules of this file
------------------
- The message of a number is always the same. Prices, sizes and times differ from one to the next in
  digits and in length, as they do on the wire: what always repeats is predicted too well.
- Nothing here needs a capture: where a book as it is recorded matters, the simulator makes one.
- Trade ids are new with every number; an id that comes twice is not delivered twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from benchmarks.decode import books, documents

from tickwire.decode.plan import Message
from tickwire.venues import load

START_MS = 1_700_000_000_000


def _text(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def hyperliquid_trades(n: int, number: int) -> bytes:
    """Give `n` trades."""
    rng = Random(number)
    trades = [
        {
            "coin": "BTC",
            "side": rng.choice("BA"),
            "px": f"{rng.randrange(96_000, 98_000)}.{rng.randrange(10)}",
            "sz": _decimal(rng, 5),
            "time": START_MS + number // 4,
            "hash": f"0x{rng.getrandbits(256):064x}",
            # Ids are no sequence.
            "tid": ((n * number + i) * 0x9E3779B97F4A7C15) % 2**50,
            "users": [f"0x{rng.getrandbits(160):040x}" for _ in range(2)],
        }
        for i in range(n)
    ]
    return _text({"channel": "trades", "data": trades})


def hyperliquid_bbo(number: int) -> bytes:
    """Give a best bid and offer."""
    rng = Random(number)
    price = rng.randrange(96_000, 98_000)
    data = {"coin": "BTC", "time": START_MS + number, "bbo": _levels(rng, (price, price + 1))}
    return _text({"channel": "bbo", "data": data})


def hyperliquid_book(number: int) -> bytes:
    """Give a book of 20 bids and 20 asks."""
    rng = Random(number)
    price = rng.randrange(96_000, 98_000)
    bids = _levels(rng, range(price, price - 20, -1))
    asks = _levels(rng, range(price + 1, price + 21))
    data = {"coin": "BTC", "time": START_MS + number, "levels": [bids, asks]}
    return _text({"channel": "l2Book", "data": data})


def binance_trade(number: int) -> bytes:
    """Give one trade of the spot market."""
    rng = Random(number)
    data = {
        "e": "trade",
        "E": START_MS + number // 4 + 1,
        "s": "BTCUSDT",
        "t": 5_000_000_000 + number,
        "p": _price(rng),
        "q": f"{_decimal(rng, 5)}000",
        "T": START_MS + number // 4,
        "m": rng.random() < 0.5,
        "M": True,
    }
    return _text({"stream": "btcusdt@trade", "data": data})


def binance_book_ticker(number: int) -> bytes:
    """Give a best bid and offer of the spot market."""
    rng = Random(number)
    data = {
        "u": 400_900_217 + number,
        "s": "BTCUSDT",
        "b": _price(rng),
        "B": f"{_decimal(rng, 5)}000",
        "a": _price(rng),
        "A": f"{_decimal(rng, 5)}000",
    }
    return _text({"stream": "btcusdt@bookTicker", "data": data})


def binance_depth(n: int, number: int) -> bytes:
    """Give a change of `n` levels, half of them bids."""
    rng = Random(number)
    bids, asks = (
        [[_price(rng), f"{_decimal(rng, 5)}000"] for _ in range(n // 2)] for _ in range(2)
    )
    data = {
        "e": "depthUpdate",
        "E": START_MS + number,
        "s": "BTCUSDT",
        "U": 157 + 4 * number,
        "u": 160 + 4 * number,
        "b": bids,
        "a": asks,
    }
    return _text({"stream": "btcusdt@depth@100ms", "data": data})


def _levels(rng: Random, prices: range | tuple[int, ...]) -> list[dict[str, object]]:
    return [
        {"px": f"{price}.0", "sz": _decimal(rng, 5), "n": rng.randrange(1, 20)} for price in prices
    ]


def _price(rng: Random) -> str:
    return f"{rng.randrange(96_000, 98_000)}.{rng.randrange(100):02d}000000"


def _decimal(rng: Random, n_digits: int) -> str:
    """Give a size: small ones are frequent, large ones are not."""
    return f"{rng.lognormvariate(-2, 2):.{n_digits}f}"


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of message.

    Parameters
    ----------
    messages
        How its source declares messages.
    table
        What its rows go into.
    n_rows
        Of one message.
    payload
        Gives the message of a number.
    column, values
        A column, and what it must hold, from the message as `json.loads` has it.
    """

    messages: Sequence[Message]
    table: str
    n_rows: int
    payload: Callable[[int], bytes]
    column: str
    values: Callable[[Any], list[Any]]


HYPERLIQUID = load("hyperliquid").declared(extras=False)
BINANCE = load("binance").declared(extras=False)
CASES = {
    **{
        name: Case(
            HYPERLIQUID,
            "trades",
            n,
            partial(hyperliquid_trades, n),
            "price",
            lambda message: [float(trade["px"]) for trade in message["data"]],
        )
        for name, n in (("trade", 1), ("20 trades", 20))
    },
    "bbo": Case(
        HYPERLIQUID,
        "quotes",
        1,
        hyperliquid_bbo,
        "ask_size",
        lambda message: [float(message["data"]["bbo"][1]["sz"])],
    ),
    "l2Book": Case(
        HYPERLIQUID,
        "book",
        40,
        hyperliquid_book,
        "size",
        lambda message: [float(each["sz"]) for side in message["data"]["levels"] for each in side],
    ),
    # Most of a snapshot's levels stood in the one before.
    "l2Book moving": Case(
        HYPERLIQUID,
        "book",
        40,
        books.book,
        "size",
        lambda message: [float(each["sz"]) for side in message["data"]["levels"] for each in side],
    ),
    "binance trade": Case(
        BINANCE,
        "trades",
        1,
        binance_trade,
        "trade_id",
        lambda message: [str(message["data"]["t"])],
    ),
    "binance bookTicker": Case(
        BINANCE,
        "quotes",
        1,
        binance_book_ticker,
        "bid_price",
        lambda message: [float(message["data"]["b"])],
    ),
    **{
        f"binance depth {n}": Case(
            BINANCE,
            "book",
            n,
            partial(binance_depth, n),
            "price",
            lambda message: [float(each[0]) for side in "ba" for each in message["data"][side]],
        )
        for n in (10, 400)
    },
    "numbers": Case(
        documents.MESSAGES,
        "candles",
        documents.N_CANDLES,
        documents.numbers,
        "high",
        lambda message: [candle[3] for candle in message["candles"]],
    ),
    "changed": Case(
        documents.MESSAGES,
        "tickers",
        1,
        documents.changed,
        "last_price",
        lambda message: [float(message["last"])],
    ),
    "strings": Case(
        documents.MESSAGES,
        "trades",
        1,
        documents.strings,
        "trade_id",
        lambda message: [message["id"]],
    ),
}
