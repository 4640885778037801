"""Rows into a Parquet dataset: encode, compress, sync and rename."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from benchmarks.rounds import measure
from benchmarks.sinks.rows import TRADES, Batches, size, trades
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.sinks import ParquetSettings


@pytest.mark.informational
def test_files(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """100,000 rows in batches of 5,000, in one file."""
    batches = trades(20, 5_000)
    roots = (tmp_path / str(i) for i in range(1_000))

    def run() -> Path:
        root = next(roots)
        sink = ParquetSettings(path=root).make_sink("bench")
        sink.open([TRADES])
        sink.start({"trades": Batches(batches)})
        sink.stop()
        assert sink.failed is None
        return root

    root = measure(benchmark, run, n_messages=100_000, n_bytes=size(batches), rounds=10)
    table = ds.dataset(root / "trades", partitioning="hive").to_table()
    expected = pa.Table.from_batches(batches)
    for name in ("seq", "price", "trade_id", "ts_recv"):
        assert table[name].equals(expected[name])
