"""Rows into an Arrow IPC stream."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from benchmarks.rounds import measure
from benchmarks.sinks.rows import TRADES, Batches, size, trades
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.sinks import IpcSettings


@pytest.mark.informational
@pytest.mark.parametrize(("n_batches", "n_rows"), [(100, 50), (20, 5_000)])
def test_stream(benchmark: BenchmarkFixture, tmp_path: Path, n_batches: int, n_rows: int) -> None:
    """A record batch per flush, and the sync at the end."""
    batches = trades(n_batches, n_rows)
    roots = (tmp_path / str(i) for i in range(1_000))

    def run() -> Path:
        root = next(roots)
        sink = IpcSettings(path=root).make_sink("bench")
        sink.open([TRADES])
        sink.start({"trades": Batches(batches)})
        sink.stop()
        assert sink.failed is None
        return root

    root = measure(benchmark, run, n_messages=n_batches * n_rows, n_bytes=size(batches), rounds=20)
    (path,) = (root / "trades").iterdir()
    assert pa.ipc.open_stream(path.read_bytes()).read_all().equals(pa.Table.from_batches(batches))
