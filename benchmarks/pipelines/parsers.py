"""What the usual parsers have in common, whatever the venue: the three tables, and when to flush.

The loops over messages stay apart, in a file per venue: a name that is looked up, or a function
that is called, for each row would make the peers slower than a program that is written for one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol

from benchmarks.pipelines.rows import BookRows, QuoteRows, Target, TradeRows

Payload = bytes | str | memoryview


class Parser(Protocol):
    """What a receiver gives its messages to."""

    def add(self, payload: Payload) -> None:
        """Parse one message and keep its rows."""

    def flush(self) -> None:
        """Make batches of what is there."""


class Tables:
    """The tables of a connection, filled value by value.

    Parameters
    ----------
    target
        Where the rows go.
    snapshots
        Whether each message about a book is all of it.
    """

    def __init__(self, target: Target, *, snapshots: bool) -> None:
        self.trades = TradeRows(target)
        self.quotes = QuoteRows(target)
        self.books = BookRows(target, snapshots=snapshots)

    def flush(self) -> None:
        """Make batches of what is there."""
        for rows in (self.trades, self.quotes, self.books):
            if rows.coins:
                rows.flush()


class KeptObjects(ABC, Tables):
    """The tables of a connection, filled from objects that are kept until the flush.

    Parameters
    ----------
    target, snapshots
        As of `Tables`.
    """

    def __init__(self, target: Target, *, snapshots: bool) -> None:
        super().__init__(target, snapshots=snapshots)
        self.kept_trades: list[Any] = []
        self.kept_quotes: list[Any] = []
        self.kept_books: list[Any] = []
        self.n_kept_levels = 0  # of the books

    def flush(self) -> None:
        """Make batches of what is there."""
        if self.kept_trades:
            self.flush_trades()
        if self.kept_quotes:
            self.flush_quotes()
        if self.kept_books:
            self.flush_books()

    def flush_trades(self) -> None:
        """Make a batch of the trades."""
        rows, trades = self.trades, self.kept_trades
        self.kept_trades = []
        rows.coins = [trade.coin for trade in trades]
        rows.ms = [trade.time for trade in trades]
        rows.sides = [trade.side for trade in trades]
        rows.prices = [trade.px for trade in trades]
        rows.sizes = [trade.sz for trade in trades]
        rows.ids = [trade.tid for trade in trades]
        rows.flush()

    @abstractmethod
    def flush_quotes(self) -> None:
        """Make a batch of the quotes."""

    @abstractmethod
    def flush_books(self) -> None:
        """Make a batch of the books."""
