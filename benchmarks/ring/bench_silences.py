"""Sweeping trades of which every one ends a silence: measured, noted and taken.

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


@pytest.mark.parametrize("n_rows", SIZES)
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
