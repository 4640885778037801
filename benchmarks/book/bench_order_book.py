"""Changing levels of a compiled book: as captures have them, and at random. Informational.

Where changes fall is drawn from the distances that captures show, counted in levels from the best:
Binance spot BTCUSDT of 2024-08-08 for 1,000 levels a side, Coinbase BTC-USD and ETH-USD of
2026-08-09 for 23,000. Half of the prices on a grid have a level, so sides keep their length.
"""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.book import OrderBook

pytestmark = pytest.mark.informational

N_CHANGES = 20_000
# Levels a side: (shares of changes, their distances in levels, share that inserts or deletes).
CAPTURED = {
    1_000: ([0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1], [1, 1, 3, 17, 85, 303, 648, 1_000], 0.87),
    23_000: (
        [0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1],
        [1, 3, 58, 127, 309, 1_177, 3_116, 9_028, 23_000],
        0.46,
    ),
}


class Changes:
    """A book and changes to it, with the answer."""

    def __init__(self, n_levels: int, *, is_random: bool) -> None:
        rng = np.random.default_rng(n_levels)
        shares, distances, moving = CAPTURED[n_levels]
        if is_random:
            shares, distances = [0, 1], [1, n_levels]
        has_level = rng.random((2, 2 * n_levels)) < 0.5
        self.start = self.levels(has_level, np.ones(has_level.shape))
        depths = 2 * np.interp(rng.random(2 * N_CHANGES), shares, distances)
        self.sides = np.zeros(N_CHANGES, np.int8)
        self.prices, self.sizes = np.zeros(N_CHANGES), np.zeros(N_CHANGES)
        sizes = np.ones(has_level.shape)
        at = 0
        for depth in depths:
            # Bids before asks, as they stand in the table; five of each make a message.
            side, tick = at // 5 % 2, min(int(depth), 2 * n_levels - 1)
            is_moving = rng.random() < moving
            if at == N_CHANGES:
                break
            if not (is_moving or has_level[side, tick]):
                continue
            size = 0.0 if is_moving and has_level[side, tick] else float(rng.integers(1, 99))
            has_level[side, tick] = size != 0
            sizes[side, tick] = size
            self.sides[at], self.sizes[at] = side, size
            self.prices[at] = self.price(side, tick)
            at += 1
        self.sides, self.prices, self.sizes = (
            each[:at].copy() for each in (self.sides, self.prices, self.sizes)
        )
        self.last = np.zeros(at, np.uint8)
        self.last[9::10] = 1
        self.answer = sorted(self.levels(has_level, sizes))
        self.book = OrderBook()

    @staticmethod
    def price(side: int, tick: int) -> float:
        """Give the price of a tick, counted from the best."""
        return 50_000.0 + (tick + 1 if side else -tick) * 0.01

    def levels(self, has_level: np.ndarray, sizes: np.ndarray) -> list[tuple[str, float, float]]:
        """Give all levels."""
        return [
            ("ask" if side else "bid", self.price(side, int(tick)), float(sizes[side, tick]))
            for side in range(2)
            for tick in np.flatnonzero(has_level[side])
        ]

    def begin(self) -> None:
        """Load the snapshot."""
        self.book.apply(self.start, is_snapshot=True)

    def run(self) -> None:
        """Apply all changes."""
        self.book.apply_arrays(self.sides, self.prices, self.sizes, self.last)

    def check(self) -> None:
        """Compare the book with what it must be."""
        bids, asks = self.book.top(10**9)
        assert sorted([("bid", *each) for each in bids] + [("ask", *each) for each in asks]) == (
            self.answer
        )


@pytest.mark.parametrize("where", ["captured", "random"])
@pytest.mark.parametrize("n_levels", CAPTURED)
def test_changed_levels(benchmark: BenchmarkFixture, n_levels: int, where: str) -> None:
    """20,000 changed levels, ten a message; the book is the right one afterwards."""
    changes = Changes(n_levels, is_random=where == "random")
    measure(
        benchmark,
        changes.run,
        setup=changes.begin,
        n_messages=len(changes.sides),
        rounds=20,
    )
    changes.check()
