"""Columns of the ring to Arrow, by table: what text, nulls, bools and dictionaries cost a row.

A round takes 10,000 rows in one batch. `test_to_others` hands such a batch on through the Arrow
PyCapsule interface. Informational.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pytest
from benchmarks.ring.filling import Filling
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

pytestmark = pytest.mark.informational

N_ROWS = 10_000
# Trades have text, quotes nulls, books bools, dictionaries and nulls, candles many numbers.
CASES = ["trade", "bbo", "l2Book", "binance depth 400", "numbers"]


@pytest.mark.parametrize("case", CASES)
def test_take(benchmark: BenchmarkFixture, case: str) -> None:
    filling = Filling(case, N_ROWS)
    batch = measure(
        benchmark, filling.consumer.take, setup=filling.fill, n_messages=filling.n_rows, rounds=60
    )
    filling.check(batch)
    batch.validate(full=True)
    benchmark.extra_info["n_bytes"] = batch.nbytes


@pytest.mark.parametrize("to", [pa.record_batch, pl.from_arrow], ids=["pyarrow", "polars"])
def test_to_others(benchmark: BenchmarkFixture, to: object) -> None:
    filling = Filling("trade", N_ROWS)
    filling.fill()
    batch = filling.consumer.take()
    assert batch is not None
    assert callable(to)
    frame = measure(
        benchmark, lambda: to(batch), n_messages=N_ROWS, n_bytes=batch.nbytes, rounds=60
    )
    assert len(frame) == N_ROWS
