"""How the other pipelines make record batches: messages to lists, lists to Arrow columns.

Rules of this file
------------------
- Every pipeline fills the columns that tickwire fills, in the same types: all do equal work.
- The form is the fastest of those tried for each parser. For orjson: a list per column that grows
  by `append`, text cast to float64 by pyarrow at the flush; slower were `float` in Python, a tuple
  per row, and keeping the dicts. For msgspec, whose own parser turns text into floats: keeping its
  objects until the flush; slower were lists. What is the same in all rows of a batch is made once.
- A flush comes after 10,000 rows; the receiver also flushes every 50 ms, as a sink would.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from tickwire.schema import TABLES

FLUSH_ROWS = 10_000
FLUSH_S = 0.05
NS_PER_MS = 1_000_000
TRADE_SIDES = pa.array(["buy", "sell"])
BOOK_SIDES = pa.array(["bid", "ask"])
TRADE_SIDE_CODES = {"B": 0, "A": 1}

Counts = np.ndarray[Any, np.dtype[np.int64]]
Take = Callable[[str, pa.RecordBatch], None]


def codes(values: pa.Array, indices: pa.Array) -> pa.Array:
    """Give a dictionary column."""
    return pa.DictionaryArray.from_arrays(indices, values)


def constant(values: pa.Array, width: Any, n_rows: int) -> pa.Array:
    """Give a dictionary column whose every row is the first value."""
    return codes(values, pa.array(np.zeros(n_rows, width)))


def times(ns: np.ndarray[Any, np.dtype[np.int64]]) -> pa.Array:
    """Give a time column; shape (n,), int64, ns since the epoch."""
    return pa.array(ns).view(pa.timestamp("ns", "UTC"))


def floats(numbers: list[Any]) -> pa.Array:
    """Give a column of decimal text or of floats as float64."""
    if numbers and isinstance(numbers[0], str):
        return pa.array(numbers, pa.utf8()).cast(pa.float64())
    return pa.array(np.fromiter(numbers, np.float64, len(numbers)))


def trade_sides(sides: list[Any]) -> pa.Array:
    """Give the column of sides: of Hyperliquid's letters, or of whether it was a sell."""
    is_text = bool(sides) and isinstance(sides[0], str)
    numbers = map(TRADE_SIDE_CODES.__getitem__, sides) if is_text else sides
    return codes(TRADE_SIDES, pa.array(np.fromiter(numbers, np.int16, len(sides))))


class Target:
    """What the rows of one connection have in common, and where they go.

    Parameters
    ----------
    take
        Gets the batches.
    venue
        Of the rows.
    conn
        Number of the connection.
    n_rows
        Rows so far per table, over all connections: what `seq` counts.
    """

    def __init__(self, take: Take, venue: str, conn: int, n_rows: dict[str, int]) -> None:
        self.take = take
        self.venue = pa.array([venue])
        self.conn = conn
        self.n_rows = n_rows


class TableRows(ABC):
    """Rows of one table and connection on their way into batches.

    Parameters
    ----------
    table
        Which.
    target
        Where they go.
    """

    def __init__(self, table: str, target: Target) -> None:
        self.table = table
        self.target = target
        self.schema = TABLES[table].arrow_schema
        self.symbol_codes: dict[str, int] = {}
        self.clear()

    def clear(self) -> None:
        """Start with empty lists."""
        self.coins: list[str] = []
        self.ms: list[int] = []
        self.ns: list[int] = []

    @abstractmethod
    def columns(self) -> list[pa.Array]:
        """Give the table's own columns."""

    def n_levels(self) -> Counts | None:
        """Give how many rows each message has, where that is not one."""
        return None

    def flush(self) -> None:
        """Make a batch of what there is."""
        known = self.symbol_codes
        for symbol in set(self.coins):
            known.setdefault(symbol, len(known))
        n_messages = len(self.coins)
        symbols = np.fromiter(map(known.__getitem__, self.coins), np.int32, n_messages)
        # Binance's spot quotes have no time.
        event_ns = np.fromiter(self.ms, np.int64, len(self.ms)) * NS_PER_MS
        recv_ns = np.fromiter(self.ns, np.int64, n_messages)
        n_levels = self.n_levels()
        if n_levels is not None:
            symbols = np.repeat(symbols, n_levels)
            event_ns = np.repeat(event_ns, n_levels)
            recv_ns = np.repeat(recv_ns, n_levels)
        n_rows, target = len(symbols), self.target
        seq = target.n_rows.get(self.table, 0)
        common = [
            pa.array(np.arange(seq, seq + n_rows)),
            constant(target.venue, np.int16, n_rows),
            codes(pa.array(list(known)), pa.array(symbols)),
            times(event_ns) if len(event_ns) else pa.nulls(n_rows, pa.timestamp("ns", "UTC")),
            times(recv_ns),
            pa.array(np.full(n_rows, target.conn, np.int32)),
        ]
        own = self.columns()
        target.n_rows[self.table] = seq + n_rows
        self.clear()
        target.take(self.table, pa.RecordBatch.from_arrays(common + own, schema=self.schema))


class TradeRows(TableRows):
    """Rows of trades."""

    def __init__(self, target: Target) -> None:
        super().__init__("trades", target)

    def clear(self) -> None:
        """Start with empty lists."""
        super().clear()
        self.prices: list[Any] = []
        self.sizes: list[Any] = []
        self.sides: list[Any] = []
        self.ids: list[int] = []

    def columns(self) -> list[pa.Array]:
        """Give the table's own columns."""
        n_rows = len(self.coins)
        return [
            constant(pa.array(["trades"]), np.int16, n_rows),
            floats(self.prices),
            floats(self.sizes),
            trade_sides(self.sides),
            pa.array(np.fromiter(self.ids, np.int64, n_rows)).cast(pa.utf8()),
        ]


class QuoteRows(TableRows):
    """Rows of quotes; both sides are there in what the load generator sends."""

    def __init__(self, target: Target) -> None:
        super().__init__("quotes", target)

    def clear(self) -> None:
        """Start with empty lists."""
        super().clear()
        self.bid_prices: list[Any] = []
        self.bid_sizes: list[Any] = []
        self.ask_prices: list[Any] = []
        self.ask_sizes: list[Any] = []
        self.ids: list[int] = []  # of a venue that has such

    def columns(self) -> list[pa.Array]:
        """Give the table's own columns."""
        n_rows = len(self.coins)
        ids = np.fromiter(self.ids, np.int64, len(self.ids))
        return [
            floats(self.bid_prices),
            floats(self.bid_sizes),
            floats(self.ask_prices),
            floats(self.ask_sizes),
            pa.array(ids) if self.ids else pa.nulls(n_rows, pa.int64()),
        ]


class BookRows(TableRows):
    """Rows of books: the message's fields once, its levels apart.

    Parameters
    ----------
    target
        Where they go.
    snapshots
        Whether each message is a whole book.
    """

    def __init__(self, target: Target, *, snapshots: bool) -> None:
        super().__init__("book", target)
        self.snapshots = snapshots

    def clear(self) -> None:
        """Start with empty lists."""
        super().clear()
        self.n_bids: list[int] = []
        self.n_asks: list[int] = []
        self.prices: list[Any] = []
        self.sizes: list[Any] = []
        self.orders: list[int] = []  # of a venue that counts them
        self.ids: list[int] = []  # of a venue that has such, as its previous ones
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
        orders = pa.array(np.fromiter(self.orders, np.int32, len(self.orders)))
        side_codes = pa.array(sides)
        if len(prices) < n_rows:
            is_none = sides == 2
            places = pa.array(np.cumsum(~is_none) - 1, mask=is_none)
            prices, sizes = prices.take(places), sizes.take(places)
            orders = orders.take(places) if self.orders else orders
            side_codes = pa.array(sides, mask=is_none)
        return [
            constant(pa.array(["book"]), np.int16, n_rows),
            codes(BOOK_SIDES, side_codes),
            prices,
            sizes,
            orders if self.orders else pa.nulls(n_rows, pa.int32()),
            pa.array(np.full(n_rows, self.snapshots, np.bool_)),
            pa.array(is_last),
            self._of_messages(self.ids, n_levels),
            self._of_messages(self.previous_ids, n_levels),
        ]

    def _of_messages(self, ids: list[int], n_levels: Counts) -> pa.Array:
        """Give a column of numbers that each message has once, or of nulls."""
        if not ids:
            return pa.nulls(int(n_levels.sum()), pa.int64())
        return pa.array(np.repeat(np.array(ids, np.int64), n_levels))
