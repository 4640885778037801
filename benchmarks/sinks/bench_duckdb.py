"""Rows into DuckDB: what one flush costs, when it is small and when it is large."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from benchmarks.rounds import measure
from benchmarks.sinks.rows import TRADES, Batches, size, trades
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.sinks import DuckDBSettings


@pytest.mark.informational
@pytest.mark.parametrize(("n_batches", "n_rows"), [(100, 50), (20, 5_000)])
def test_commits(benchmark: BenchmarkFixture, tmp_path: Path, n_batches: int, n_rows: int) -> None:
    """A transaction per batch, and the checkpoint at the end."""
    batches = trades(n_batches, n_rows)
    paths = (tmp_path / f"{i}.duckdb" for i in range(1_000))

    def run() -> Path:
        path = next(paths)
        sink = DuckDBSettings(path=path).make_sink("bench")
        sink.open([TRADES])
        sink.start({"trades": Batches(batches)})
        sink.stop()
        assert sink.failed is None
        return path

    path = measure(benchmark, run, n_messages=n_batches * n_rows, n_bytes=size(batches), rounds=7)
    with duckdb.connect(str(path)) as connection:
        found = connection.execute("SELECT count(*), sum(seq), sum(price) FROM trades").fetchone()
    n_total = n_batches * n_rows
    price = sum(sum(batch["price"].to_pylist()) for batch in batches)
    assert found is not None
    assert found[:2] == (n_total, n_total * (n_total - 1) // 2)
    assert found[2] == pytest.approx(price)
