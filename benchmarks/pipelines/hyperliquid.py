"""Hyperliquid's messages to rows: orjson to dicts, msgspec to typed objects."""

from __future__ import annotations

from collections.abc import Callable
from time import time_ns
from typing import Any

import msgspec
import orjson
from benchmarks.pipelines.parsers import KeptObjects, Payload, Tables
from benchmarks.pipelines.rows import FLUSH_ROWS, Target


class OrjsonParser(Tables):
    """Dicts by orjson, values to lists.

    Parameters
    ----------
    target
        Where the rows go.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target, snapshots=True)
        self._loads = orjson.loads

    def add(self, payload: Payload) -> None:
        """Parse one message and keep its rows."""
        message = self._loads(payload)
        channel = message["channel"]
        if channel == "trades":
            self._add_trades(message["data"])
        elif channel == "bbo":
            self._add_quote(message["data"])
        elif channel == "l2Book":
            self._add_book(message["data"])

    def _add_trades(self, trades: list[dict[str, Any]]) -> None:
        rows = self.trades
        now_ns = time_ns()
        for trade in trades:
            rows.coins.append(trade["coin"])
            rows.sides.append(trade["side"])
            rows.prices.append(trade["px"])
            rows.sizes.append(trade["sz"])
            rows.ms.append(trade["time"])
            rows.ids.append(trade["tid"])
            rows.ns.append(now_ns)
        if len(rows.coins) >= FLUSH_ROWS:
            rows.flush()

    def _add_quote(self, quote: dict[str, Any]) -> None:
        rows = self.quotes
        bid, ask = quote["bbo"]
        rows.coins.append(quote["coin"])
        rows.ms.append(quote["time"])
        rows.ns.append(time_ns())
        rows.bid_prices.append(bid["px"])
        rows.bid_sizes.append(bid["sz"])
        rows.ask_prices.append(ask["px"])
        rows.ask_sizes.append(ask["sz"])
        if len(rows.coins) >= FLUSH_ROWS:
            rows.flush()

    def _add_book(self, book: dict[str, Any]) -> None:
        rows = self.books
        bids, asks = book["levels"]
        levels = bids + asks
        rows.coins.append(book["coin"])
        rows.ms.append(book["time"])
        rows.ns.append(time_ns())
        rows.n_bids.append(len(bids))
        rows.n_asks.append(len(asks))
        rows.prices += [level["px"] for level in levels]
        rows.sizes += [level["sz"] for level in levels]
        rows.orders += [level["n"] for level in levels]
        if len(rows.prices) >= FLUSH_ROWS:
            rows.flush()


class Trade(msgspec.Struct, gc=False):
    """A trade, without the fields that no column wants."""

    coin: str
    side: str
    px: float
    sz: float
    time: int
    tid: int


class Level(msgspec.Struct, gc=False):
    """A price level."""

    px: float
    sz: float
    n: int


class Quote(msgspec.Struct, gc=False):
    """The best bid and ask."""

    coin: str
    time: int
    bbo: tuple[Level, Level]


class Book(msgspec.Struct, gc=False):
    """The levels of both sides."""

    coin: str
    time: int
    levels: tuple[list[Level], list[Level]]


class TradesMessage(msgspec.Struct, tag_field="channel", tag="trades", gc=False):
    """Channel trades."""

    data: list[Trade]


class BboMessage(msgspec.Struct, tag_field="channel", tag="bbo", gc=False):
    """Channel bbo."""

    data: Quote


class BookMessage(msgspec.Struct, tag_field="channel", tag="l2Book", gc=False):
    """Channel l2Book."""

    data: Book


class OtherMessage(msgspec.Struct, tag_field="channel", tag="subscriptionResponse", gc=False):
    """What brings no rows."""


class MsgspecParser(KeptObjects):
    """Typed objects by msgspec, numbers as floats, kept until the flush.

    Parameters
    ----------
    target
        Where the rows go.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target, snapshots=True)
        messages = TradesMessage | BboMessage | BookMessage | OtherMessage
        self._decode: Callable[[Any], Any] = msgspec.json.Decoder(messages, strict=False).decode

    def add(self, payload: Payload) -> None:
        """Parse one message and keep its rows."""
        message = self._decode(payload)
        kind = message.__class__
        if kind is TradesMessage:
            now_ns = time_ns()
            for trade in message.data:
                self.kept_trades.append(trade)
                self.trades.ns.append(now_ns)
            if len(self.kept_trades) >= FLUSH_ROWS:
                self.flush_trades()
        elif kind is BboMessage:
            self.kept_quotes.append(message.data)
            self.quotes.ns.append(time_ns())
            if len(self.kept_quotes) >= FLUSH_ROWS:
                self.flush_quotes()
        elif kind is BookMessage:
            bids, asks = message.data.levels
            self.kept_books.append(message.data)
            self.books.ns.append(time_ns())
            self.n_kept_levels += len(bids) + len(asks)
            if self.n_kept_levels >= FLUSH_ROWS:
                self.flush_books()

    def flush_quotes(self) -> None:
        """Make a batch of the quotes."""
        rows, quotes = self.quotes, self.kept_quotes
        self.kept_quotes = []
        rows.coins = [quote.coin for quote in quotes]
        rows.ms = [quote.time for quote in quotes]
        rows.bid_prices = [quote.bbo[0].px for quote in quotes]
        rows.bid_sizes = [quote.bbo[0].sz for quote in quotes]
        rows.ask_prices = [quote.bbo[1].px for quote in quotes]
        rows.ask_sizes = [quote.bbo[1].sz for quote in quotes]
        rows.flush()

    def flush_books(self) -> None:
        """Make a batch of the books."""
        rows, books = self.books, self.kept_books
        self.kept_books, self.n_kept_levels = [], 0
        levels = [level for book in books for side in book.levels for level in side]
        rows.coins = [book.coin for book in books]
        rows.ms = [book.time for book in books]
        rows.n_bids = [len(book.levels[0]) for book in books]
        rows.n_asks = [len(book.levels[1]) for book in books]
        rows.prices = [level.px for level in levels]
        rows.sizes = [level.sz for level in levels]
        rows.orders = [level.n for level in levels]
        rows.flush()
