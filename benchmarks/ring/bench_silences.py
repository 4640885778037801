"""Sweeping rows whose silences are measured: each ends one, or all were read late.

Informational. What most rows cost, which end none that matters, is in bench_streams.
"""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.ring.filling import Filling
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.ring import Streams

pytestmark = pytest.mark.informational

SIZES = [1, 200]


@pytest.mark.parametrize("n_rows", [10, 200])  # one alone would end none, by the venue's clock
def test_measure(benchmark: BenchmarkFixture, n_rows: int) -> None:
    filling = Filling("trade", n_rows)
    streams = Streams(filling.ring)
    streams.adopt(1, 0)

    def setup() -> None:
        filling.consumer.take()
        streams.sweep()
        streams.silences.take(0)
        streams.learn(0, np.full((2, 65), -1, np.int64))
        filling.fill()

    measure(
        benchmark,
        streams.sweep,
        setup=setup,
        n_messages=n_rows,
        rounds=1000,
    )
    assert streams.silences.n_noted > 0


@pytest.mark.parametrize("n_rows", SIZES)
def test_late(benchmark: BenchmarkFixture, n_rows: int) -> None:
    """Rows of books that were read long after they were due, as of a feed that is behind."""
    filling = Filling("l2Book", n_rows)
    streams = Streams(filling.ring)
    streams.adopt(1, 0)

    def setup() -> None:
        filling.consumer.take()
        streams.sweep()
        streams.learn(0, np.full((2, 65), 1 << 60, np.int64))
        filling.fill()  # with the venue's times of the first round

    measure(
        benchmark,
        streams.sweep,
        setup=setup,
        n_messages=filling.n_rows,
        rounds=1000,
    )
    assert streams.silences.n_noted == 0
