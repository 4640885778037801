"""Binance's messages to rows by the usual parsers; books as deltas, without a snapshot.

Rules of this file
------------------
- As in `parsers.py` and `rows.py`: the fastest plain form for each parser, all columns filled.
- A connection has one venue. A spot quote has neither a kind nor a time.
"""

from __future__ import annotations

from collections.abc import Callable
from time import time_ns
from typing import Any

import msgspec
import numpy as np
import orjson
import pyarrow as pa
from benchmarks.pipelines.parsers import Payload
from benchmarks.pipelines.rows import (
    BOOK_SIDES,
    FLUSH_ROWS,
    TRADE_SIDES,
    Counts,
    TableRows,
    Target,
    codes,
    constant,
    floats,
)

SPOT = "binance"


class TradeRows(TableRows):
    """Rows of trades."""

    def __init__(self, target: Target) -> None:
        super().__init__("trades", target)

    def clear(self) -> None:
        """Start with empty lists."""
        super().clear()
        self.is_sell: list[bool] = []  # the buyer was the maker
        self.prices: list[Any] = []
        self.sizes: list[Any] = []
        self.ids: list[int] = []

    def columns(self) -> list[pa.Array]:
        """Give the table's own columns."""
        n_rows = len(self.ids)
        return [
            constant(pa.array(["trades"]), np.int16, n_rows),
            floats(self.prices),
            floats(self.sizes),
            codes(TRADE_SIDES, pa.array(np.fromiter(self.is_sell, np.int16, n_rows))),
            pa.array(np.fromiter(self.ids, np.int64, n_rows)).cast(pa.utf8()),
        ]


class QuoteRows(TableRows):
    """Rows of quotes."""

    def __init__(self, target: Target) -> None:
        super().__init__("quotes", target)

    def clear(self) -> None:
        """Start with empty lists."""
        super().clear()
        self.bid_prices: list[Any] = []
        self.bid_sizes: list[Any] = []
        self.ask_prices: list[Any] = []
        self.ask_sizes: list[Any] = []
        self.update_ids: list[int] = []

    def columns(self) -> list[pa.Array]:
        """Give the table's own columns."""
        return [
            floats(self.bid_prices),
            floats(self.bid_sizes),
            floats(self.ask_prices),
            floats(self.ask_sizes),
            pa.array(np.fromiter(self.update_ids, np.int64, len(self.update_ids))),
        ]


class BookRows(TableRows):
    """Rows of books: the message's fields once, its levels apart."""

    def __init__(self, target: Target) -> None:
        super().__init__("book", target)

    def clear(self) -> None:
        """Start with empty lists."""
        super().clear()
        self.n_bids: list[int] = []
        self.n_asks: list[int] = []
        self.prices: list[Any] = []
        self.sizes: list[Any] = []
        self.ids: list[int] = []
        self.previous_ids: list[int] = []

    def n_levels(self) -> Counts:
        """Give how many rows each message has: at least one."""
        return np.maximum(np.array(self.n_bids, np.int64) + np.array(self.n_asks, np.int64), 1)

    def columns(self) -> list[pa.Array]:
        """Give the table's own columns."""
        n_bids, n_asks = np.array(self.n_bids, np.int64), np.array(self.n_asks, np.int64)
        n_levels = self.n_levels()
        n_rows, n_messages = int(n_levels.sum()), len(n_levels)
        is_last = np.zeros(n_rows, np.bool_)
        is_last[np.cumsum(n_levels) - 1] = True
        # The third kind of side is that of a message without levels: none.
        n_sides = np.column_stack((n_bids, n_asks, n_levels - n_bids - n_asks)).ravel()
        sides = np.repeat(np.tile(np.array((0, 1, 2), np.int16), n_messages), n_sides)
        prices, sizes = floats(self.prices), floats(self.sizes)
        if (sides == 2).any():
            is_none = sides == 2
            places = pa.array(np.cumsum(~is_none) - 1, mask=is_none)
            prices, sizes = prices.take(places), sizes.take(places)
            side_codes = pa.array(sides, mask=is_none)
        else:
            side_codes = pa.array(sides)
        return [
            constant(pa.array(["book"]), np.int16, n_rows),
            codes(BOOK_SIDES, side_codes),
            prices,
            sizes,
            pa.nulls(n_rows, pa.int32()),
            pa.array(np.zeros(n_rows, np.bool_)),
            pa.array(is_last),
            pa.array(np.repeat(np.array(self.ids, np.int64), n_levels)),
            pa.array(np.repeat(np.array(self.previous_ids, np.int64), n_levels)),
        ]


class _Rows:
    """The three tables of a connection."""

    def __init__(self, target: Target) -> None:
        self.trades = TradeRows(target)
        self.quotes = QuoteRows(target)
        self.books = BookRows(target)
        self.is_spot = target.venue[0].as_py() == SPOT

    def flush(self) -> None:
        """Make batches of what is there."""
        for rows in (self.trades, self.quotes, self.books):
            if rows.coins:
                rows.flush()


class OrjsonParser(_Rows):
    """Dicts by orjson, values to lists.

    Parameters
    ----------
    target
        Where the rows go.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._loads = orjson.loads

    def add(self, payload: Payload) -> None:
        """Parse one message and keep its rows."""
        data = self._loads(payload).get("data")
        if data is None:
            return
        kind = data.get("e", "bookTicker")
        if kind == "bookTicker":
            self._add_quote(data)
        elif kind == "trade":
            if data.get("X", "MARKET") == "MARKET":
                self._add_trade(data)
        elif kind == "depthUpdate":
            self._add_levels(data)

    def _add_trade(self, trade: dict[str, Any]) -> None:
        rows = self.trades
        rows.coins.append(trade["s"])
        rows.ms.append(trade["T"])
        rows.ns.append(time_ns())
        rows.is_sell.append(trade["m"])
        rows.prices.append(trade["p"])
        rows.sizes.append(trade["q"])
        rows.ids.append(trade["t"])
        if len(rows.coins) >= FLUSH_ROWS:
            rows.flush()

    def _add_quote(self, quote: dict[str, Any]) -> None:
        rows = self.quotes
        rows.coins.append(quote["s"])
        if not self.is_spot:
            rows.ms.append(quote["T"])
        rows.ns.append(time_ns())
        rows.bid_prices.append(quote["b"])
        rows.bid_sizes.append(quote["B"])
        rows.ask_prices.append(quote["a"])
        rows.ask_sizes.append(quote["A"])
        rows.update_ids.append(quote["u"])
        if len(rows.coins) >= FLUSH_ROWS:
            rows.flush()

    def _add_levels(self, book: dict[str, Any]) -> None:
        rows = self.books
        bids, asks = book["b"], book["a"]
        rows.coins.append(book["s"])
        rows.ms.append(book["E"] if self.is_spot else book["T"])
        rows.ns.append(time_ns())
        rows.n_bids.append(len(bids))
        rows.n_asks.append(len(asks))
        # To texts at once: to keep the lists of pairs until the flush cost a quarter more.
        levels = bids + asks
        rows.prices += [level[0] for level in levels]
        rows.sizes += [level[1] for level in levels]
        rows.ids.append(book["u"])
        rows.previous_ids.append(book["U"] - 1 if self.is_spot else book["pu"])
        if len(rows.prices) >= FLUSH_ROWS:
            rows.flush()


class Event(msgspec.Struct, gc=False):
    """A trade, a quote or a book's change: the fields that some column wants.

    One type for all three: two steps, the stream's name first, cost more.
    """

    s: str
    e: str = "bookTicker"
    u: int = 0
    U: int = 0
    pu: int = 0
    T: int = 0
    E: int = 0
    t: int = 0
    m: bool = False
    X: str = "MARKET"
    p: float = 0.0
    q: float = 0.0
    b: float | list[tuple[float, float]] = 0.0
    B: float = 0.0
    a: float | list[tuple[float, float]] = 0.0
    A: float = 0.0


class StreamMessage(msgspec.Struct, gc=False):
    """What a combined stream sends; an acknowledgement has no data."""

    data: Event | None = None


class MsgspecParser(_Rows):
    """Typed objects by msgspec, numbers as floats, kept until the flush.

    Parameters
    ----------
    target
        Where the rows go.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        decoder = msgspec.json.Decoder(StreamMessage, strict=False)
        self._decode: Callable[[Any], StreamMessage] = decoder.decode
        self._trades: list[Event] = []
        self._quotes: list[Event] = []
        self._books: list[Event] = []
        self._n_levels = 0

    def add(self, payload: Payload) -> None:
        """Parse one message and keep its rows."""
        event = self._decode(payload).data
        if event is None:
            return
        kind = event.e
        if kind == "bookTicker":
            self._quotes.append(event)
            self.quotes.ns.append(time_ns())
            if len(self._quotes) >= FLUSH_ROWS:
                self._flush_quotes()
        elif kind == "trade":
            if event.X == "MARKET":
                self._trades.append(event)
                self.trades.ns.append(time_ns())
                if len(self._trades) >= FLUSH_ROWS:
                    self._flush_trades()
        elif kind == "depthUpdate":
            self._books.append(event)
            self.books.ns.append(time_ns())
            self._n_levels += len(event.b) + len(event.a)  # type: ignore[arg-type] # lists here
            if self._n_levels >= FLUSH_ROWS:
                self._flush_books()

    def flush(self) -> None:
        """Make batches of what is there."""
        if self._trades:
            self._flush_trades()
        if self._quotes:
            self._flush_quotes()
        if self._books:
            self._flush_books()

    def _flush_trades(self) -> None:
        rows, trades = self.trades, self._trades
        self._trades = []
        rows.coins = [trade.s for trade in trades]
        rows.ms = [trade.T for trade in trades]
        rows.is_sell = [trade.m for trade in trades]
        rows.prices = [trade.p for trade in trades]
        rows.sizes = [trade.q for trade in trades]
        rows.ids = [trade.t for trade in trades]
        rows.flush()

    def _flush_quotes(self) -> None:
        rows, quotes = self.quotes, self._quotes
        self._quotes = []
        rows.coins = [quote.s for quote in quotes]
        rows.ms = [] if self.is_spot else [quote.T for quote in quotes]
        rows.bid_prices = [quote.b for quote in quotes]
        rows.bid_sizes = [quote.B for quote in quotes]
        rows.ask_prices = [quote.a for quote in quotes]
        rows.ask_sizes = [quote.A for quote in quotes]
        rows.update_ids = [quote.u for quote in quotes]
        rows.flush()

    def _flush_books(self) -> None:
        rows, books = self.books, self._books
        self._books, self._n_levels = [], 0
        sides: list[tuple[list[Any], list[Any]]] = [(book.b, book.a) for book in books]  # type: ignore[misc] # lists here
        rows.coins = [book.s for book in books]
        rows.ms = [book.E if self.is_spot else book.T for book in books]
        rows.n_bids = [len(bids) for bids, _ in sides]
        rows.n_asks = [len(asks) for _, asks in sides]
        levels = [level for both in sides for side in both for level in side]
        rows.prices = [level[0] for level in levels]
        rows.sizes = [level[1] for level in levels]
        rows.ids = [book.u for book in books]
        rows.previous_ids = [book.U - 1 if self.is_spot else book.pu for book in books]
        rows.flush()
