"""Sweeping trades: what noting a row's stream costs, apart from the read that brought it.

Informational.
"""

from __future__ import annotations

import itertools

import pytest
from benchmarks.ring.filling import Filling
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.ring import Consumer, Dictionaries, Ring, Streams
from tickwire.schema import TABLES

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


@pytest.mark.parametrize("n_symbols", [1, 10])
def test_sweep_of_many_streams(benchmark: BenchmarkFixture, n_symbols: int) -> None:
    """Rows of which each is of another symbol than the one before, 20 us apart."""
    ring = Ring(TABLES["mids"], 1 << 12, Dictionaries())
    consumer = Consumer(ring)
    streams = Streams(ring)
    streams.adopt(1, 0)
    symbols = [f"C{number}" for number in range(n_symbols)]
    rows = itertools.count(1)

    def setup() -> None:
        consumer.take()
        streams.sweep()
        for row in itertools.islice(rows, 200):
            assert ring.append(
                venue="v", symbol=symbols[row % n_symbols], conn=1, price=1.0,
                recv_mono=row * 20_000, ts_event=row * 20_000 - 1000, ts_recv=row * 20_000,
            )  # fmt: skip

    measure(benchmark, streams.sweep, setup=setup, n_messages=200, rounds=1000)
    assert streams.states(0)["n_rows"].sum() == ring.published
