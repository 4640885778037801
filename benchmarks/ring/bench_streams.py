"""Sweeping trades: what noting a row's stream costs, apart from the read that brought it.

Informational.
"""

from __future__ import annotations

import pytest
from benchmarks.ring.filling import Filling
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.ring import Streams

pytestmark = pytest.mark.informational

SIZES = [1, 200, 2000]  # more would be swept by the ring itself, when it rewinds


@pytest.mark.parametrize("n_rows", SIZES)
def test_sweep(benchmark: BenchmarkFixture, n_rows: int) -> None:
    filling = Filling("trade", n_rows)
    streams = Streams(filling.ring)
    streams.adopt(1, 0)

    def setup() -> None:
        filling.consumer.take()
        streams.sweep()
        filling.fill()

    measure(
        benchmark,
        streams.sweep,
        setup=setup,
        n_messages=n_rows,
        rounds=1000,
    )
    states = streams.states(0)
    assert states["n_rows"].sum() == filling.ring.published
