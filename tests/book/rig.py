"""A reader of books with rings and slow books beside it, and random messages."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.book.slow_book import Side, SlowBook

from tickwire.book import BookOutputs, BookReader
from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES

ROWS = 1024
NS = 1_000_000_000
Message = tuple[str, list[tuple[Side, float, float]], bool]


class Rig:
    """Rings, a reader, consumers of what it writes, and slow books."""

    def __init__(self, *, is_verified: bool = True, keeps: int = 0, depth: int = 0) -> None:
        self.dictionaries = Dictionaries()
        self.ring = Ring(TABLES["book"], ROWS, self.dictionaries)
        self.top = Ring(TABLES["top"], ROWS, self.dictionaries)
        self.depth = Ring(TABLES["depth"], ROWS, self.dictionaries) if depth else None
        self.reader = BookReader(self.ring, on_lag="block")
        outputs = BookOutputs(self.top, self.depth, depth=depth, interval_ns=NS)
        self.reader.bind(outputs, lambda _venue, _channel: (is_verified, False, keeps))
        self.keeps = keeps
        self.tops = Consumer(self.top)
        self.depths = None if self.depth is None else Consumer(self.depth)
        self.slow: dict[str, SlowBook] = {}
        self.expected: list[tuple[Any, ...]] = []
        self.last: dict[str, list[float | None]] = {}
        self.n_messages = 0

    def publish(self, message: Message) -> None:
        """Write a message's rows, apply it to its slow book, and note the row that `top` gets."""
        symbol, levels, is_snapshot = message
        self.n_messages += 1
        rows: list[tuple[Side | None, float | None, float | None]] = [*levels]
        rows = rows or [(None, None, None)]
        for number, (side, price, size) in enumerate(rows):
            assert self.ring.stage(
                venue="v", symbol=symbol, channel="book", conn=1, ts_recv=self.n_messages,
                ts_event=self.n_messages - 1, venue_seq=10 * self.n_messages, side=side,
                price=price, size=size, is_snapshot=is_snapshot, last=number == len(rows) - 1,
            )  # fmt: skip
        self.ring.publish()
        slow = self.slow.setdefault(symbol, SlowBook(self.keeps))
        slow.apply(levels, is_snapshot=is_snapshot)
        best: list[float | None] = []
        for side in ("bid", "ask"):
            best += slow.best(side)
        is_known = symbol in self.last or is_snapshot
        if is_known and self.last.get(symbol) != best:
            self.last[symbol] = best
            at = self.n_messages
            self.expected.append((symbol, at - 1, at, 10 * at, *best))

    def rows_of_top(self) -> list[tuple[Any, ...]]:
        """Take what is there of `top`."""
        found = []
        while (batch := self.tops.take()) is not None:
            names = ("symbol", "ts_event", "ts_recv", "venue_seq")
            columns = [batch[name] for name in names]
            columns[1:3] = [column.cast("int64") for column in columns[1:3]]
            prices = [
                batch[f"{side}_{what}"] for side in ("bid", "ask") for what in ("price", "size")
            ]
            found += zip(*(column.to_pylist() for column in (*columns, *prices)), strict=True)
        return found

    def number(self, symbol: str = "S") -> int:
        """Give a book's number."""
        of = self.dictionaries.of
        return self.reader.find_book(
            self.dictionaries.venue.code("v"), of("channel").code("book"),
            self.dictionaries.symbol.code(symbol),
        )  # fmt: skip

    def assert_books_equal(self) -> None:
        """Compare every book with the slow one."""
        for symbol, slow in self.slow.items():
            bids, asks = self.reader.levels(self.number(symbol))
            assert bids.tolist() == slow.sorted("bid")
            assert asks.tolist() == slow.sorted("ask")
            found = self.reader.describe(self.number(symbol))
            assert (found["orphans"], found["crossed"], found["truncated"]) == (
                slow.n_orphans, slow.n_crossed, slow.n_truncated,
            )  # fmt: skip


def random_messages(seed: int, n: int, symbols: str = "ABC") -> list[Message]:
    """Give messages, of each symbol a snapshot first."""
    rng = np.random.default_rng(seed)
    sides: list[Side] = ["bid", "ask"]
    begun: set[str] = set()
    messages: list[Message] = []
    for _ in range(n):
        symbol = symbols[int(rng.integers(len(symbols)))]
        is_snapshot = symbol not in begun or rng.random() < 0.02
        begun.add(symbol)
        levels = []
        for _ in range(int(rng.integers(0, 8)) + 20 * is_snapshot):
            is_ask = int(rng.integers(2))
            ticks = int(rng.exponential(12)) - 1
            levels.append(
                (sides[is_ask], 100 + (ticks if is_ask else -ticks) / 4, float(rng.integers(3)))
            )
        messages.append((symbol, levels, is_snapshot))
    return messages
