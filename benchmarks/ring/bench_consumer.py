"""Taking and leasing trades: batches of one, of what a read brings, and large ones. Informational.

A `take` copies, a `lease` borrows: where a batch is small, both are mostly the making of a batch.
"""

from __future__ import annotations

import pyarrow as pa
import pytest
from benchmarks.ring.filling import Filling
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

pytestmark = pytest.mark.informational

SIZES = [1, 200, 10_000]


def rounds_for(n_rows: int) -> int:
    return 1000 if n_rows < 10_000 else 60


@pytest.mark.parametrize("n_rows", SIZES)
def test_take(benchmark: BenchmarkFixture, n_rows: int) -> None:
    filling = Filling("trade", n_rows)
    batch = measure(
        benchmark,
        filling.consumer.take,
        setup=filling.fill,
        n_messages=n_rows,
        rounds=rounds_for(n_rows),
    )
    filling.check(batch)
    benchmark.extra_info["n_bytes"] = batch.nbytes


@pytest.mark.parametrize("n_rows", SIZES)
def test_lease(benchmark: BenchmarkFixture, n_rows: int) -> None:
    filling = Filling("trade", n_rows)
    leased: list[pa.RecordBatch] = []

    def setup() -> None:
        leased.clear()
        filling.consumer.release()
        while filling.consumer.take() is not None:  # what a lease left that ended at the ring's end
            pass
        filling.fill()

    def lease() -> None:
        leased[:] = filling.consumer.lease()

    measure(benchmark, lease, setup=setup, n_messages=n_rows, rounds=rounds_for(n_rows))
    benchmark.extra_info["n_bytes"] = sum(batch.nbytes for batch in leased)
    filling.check(pa.Table.from_batches(leased))
