"""A reader of `book`: rows from the ring into a book, and `top` from it. Informational."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.book import BookOutputs, BookReader
from tickwire.ring import Dictionaries, Ring
from tickwire.schema import TABLES

pytestmark = pytest.mark.informational

N_ROWS = 10_000


class Filled:
    """A ring with changes around the best prices of one symbol, and its reader."""

    def __init__(self, n_levels: int) -> None:
        self.ring = Ring(TABLES["book"], 1 << 16, Dictionaries())
        self.top = Ring(TABLES["top"], 1 << 16, self.ring.dictionaries)
        self.reader = BookReader(self.ring)
        self.reader.bind(BookOutputs(self.top, None), lambda _venue, _channel: (True, False, 0))
        self.n_levels = n_levels
        self.rng = np.random.default_rng(n_levels)
        self.stage([(1, 100 + i, 1.0) for i in range(500)], is_snapshot=True)
        self.reader.read()

    def stage(self, levels: list[tuple[int, float, float]], *, is_snapshot: bool = False) -> None:
        """Publish a message."""
        for number, (is_ask, price, size) in enumerate(levels):
            self.ring.stage(
                venue="v",
                symbol="S",
                conn=1,
                channel="book",
                side="ask" if is_ask else "bid",
                price=price,
                size=size,
                is_snapshot=is_snapshot,
                last=number == len(levels) - 1,
            )
        self.ring.publish()

    def fill(self) -> None:
        """Publish a round's rows."""
        for _ in range(N_ROWS // self.n_levels):
            ticks = self.rng.exponential(20, self.n_levels).astype(int)
            sizes = self.rng.integers(0, 3, self.n_levels)
            self.stage([(i % 2, (100.0 + t) if i % 2 else (99.0 - t), float(s))
                        for i, (t, s) in enumerate(zip(ticks, sizes, strict=True))])  # fmt: skip


@pytest.mark.parametrize("n_levels", [1, 10])
def test_rows_into_a_book(benchmark: BenchmarkFixture, n_levels: int) -> None:
    """10,000 rows in one batch, of messages of so many levels; ns for a row."""
    filled = Filled(n_levels)
    measure(benchmark, filled.reader.read, setup=filled.fill, n_messages=N_ROWS, rounds=20)
    assert filled.reader.available == 0
    assert filled.top.published > 1000
    n_messages = filled.reader.describe(0)["messages"]
    assert (n_messages - 1) % (N_ROWS // n_levels) == 0
