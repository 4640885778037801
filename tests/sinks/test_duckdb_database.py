"""A sink's DuckDB file where it fails: a checkpoint, a query beside it, its log."""

from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from structlog.testing import capture_logs
from tests.sinks.batches import batch_of, open_sink
from tests.sinks.test_duckdb import read

from tickwire.errors import SinkError
from tickwire.schema import TABLES
from tickwire.sinks import DuckDBSink, duckdb_database

TRADES = TABLES["trades"]


def raising(error):
    """A function that raises."""

    def call(*_arguments):
        raise error

    return call


def test_a_checkpoint_that_another_transaction_prevents_is_made_later(tmp_path, monkeypatch):
    path = tmp_path / "market.duckdb"
    sink = open_sink("duckdb", path, [TRADES])
    assert isinstance(sink, DuckDBSink)
    sink._commit({"trades": batch_of(TRADES, 10)})
    monkeypatch.setattr(sink, "_checkpoint_bytes", 1)
    other = sink.cursor()
    other.begin()
    other.execute("CREATE TABLE mine (a INTEGER)")
    failed = sink.metrics.counter("sink_failed_checkpoints")
    with capture_logs() as logs:
        for _ in range(2):  # the second look comes within the pause
            sink._housekeeping(0)
    [line] = logs
    assert (line["event"], failed.value) == ("a checkpoint failed: it is tried again", 1)
    assert Path(f"{path}.wal").stat().st_size > 0
    other.rollback()
    other.close()
    sink._checkpoint_after_s = 0.0
    sink._housekeeping(0)
    assert failed.value == 1
    assert not Path(f"{path}.wal").exists()
    sink.stop()
    assert len(read(path, "trades")) == 10


def test_a_checkpoint_that_fails_otherwise_is_an_error(tmp_path, monkeypatch):
    sink = open_sink("duckdb", tmp_path / "market.duckdb", [TRADES])
    assert isinstance(sink, DuckDBSink)
    writer = sink._writer
    sink._writer = SimpleNamespace(execute=raising(duckdb.IOException("Input/output error")))
    with pytest.raises(duckdb.IOException):
        sink._checkpoint()
    sink._writer = writer
    sink.stop()


def test_a_query_that_fails_in_the_file_names_the_sink(tmp_path):
    path = tmp_path / "market.duckdb"
    sink = open_sink("duckdb", path, [TRADES])
    assert isinstance(sink, DuckDBSink)
    with pytest.raises(SinkError, match=rf"{path}: Catalog Error: .*nothing"), sink._reader() as it:
        it.execute("SELECT * FROM nothing")
    assert not sink._cursors
    sink.stop()


def test_a_log_that_cannot_be_set_aside_is_an_error_of_the_start(tmp_path, monkeypatch):
    monkeypatch.setattr(
        duckdb_database, "settle_log", raising(PermissionError(13, "Permission denied"))
    )
    with pytest.raises(SinkError, match=r"market\.duckdb\.wal: Permission denied"):
        open_sink("duckdb", tmp_path / "market.duckdb", [TRADES])
