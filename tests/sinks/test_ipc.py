from __future__ import annotations

import errno

import polars as pl
import pyarrow as pa
import pytest
from tests.sinks.batches import (
    ListSource,
    all_tables,
    batch_of,
    cells,
    open_sink,
    wait_for,
    write_all,
)

from tickwire.errors import SinkError
from tickwire.schema import TABLES
from tickwire.sinks.ipc_tail import END

TRADES = TABLES["trades"]


def read(path) -> list[dict[str, object]]:
    with pa.OSFile(str(path)) as file:
        return [row for batch in pa.ipc.open_stream(file) for row in cells(batch)]


def only_file(root, table="trades"):
    (path,) = (root / table).iterdir()
    return path


@pytest.mark.parametrize("table", all_tables(), ids=lambda table: table.name)
def test_every_value_and_null_of_every_table_comes_back(tmp_path, table):
    # Every batch has a dictionary of its own, also shorter ones.
    batches = [batch_of(table, n, 50 * i, seed=n) for i, n in enumerate((1, 50, 3, 20))]
    sink = open_sink("ipc", tmp_path, [table])
    write_all(sink, {table.name: batches})
    path = only_file(tmp_path, table.name)
    assert read(path) == [row for batch in batches for row in cells(batch)]
    assert pa.ipc.open_stream(path.read_bytes()).schema == table.arrow_schema
    assert sink.rows_committed == {table.name: 74}


def test_polars_reads_dictionaries_that_grew(tmp_path):
    batches = [batch_of(TRADES, 2 + i, 10 * i, symbol=list("abcdef"[: 2 + i])) for i in range(4)]
    write_all(open_sink("ipc", tmp_path, [TRADES]), {"trades": batches})
    frame = pl.read_ipc_stream(only_file(tmp_path))
    assert frame["symbol"].to_list() == list("ab" + "abc" + "abcd" + "abcde")


def test_a_stream_can_be_read_while_it_is_written(tmp_path):
    sink = open_sink("ipc", tmp_path, [TRADES], flush_ms=1)
    assert read(only_file(tmp_path)) == []
    source = ListSource()
    sink.start({"trades": source})
    written = []
    for i in range(3):
        batch = batch_of(TRADES, 10, 10 * i, seed=i)
        written += cells(batch)
        source.put(batch)
        n_rows = len(written)
        wait_for(lambda n=n_rows: sink.rows_committed["trades"] == n)
        assert read(only_file(tmp_path)) == written
    sink.stop()
    assert read(only_file(tmp_path)) == written


def test_every_start_has_its_own_file(tmp_path):
    for i in range(3):
        sink = open_sink("ipc", tmp_path, [TRADES], feed="a b")
        write_all(sink, {"trades": [batch_of(TRADES, 5, 5 * i)]})
    paths = sorted((tmp_path / "trades").iterdir())
    assert all(path.name.startswith("a%20b-") and path.suffix == ".arrows" for path in paths)
    assert [row["seq"] for path in paths for row in read(path)] == list(range(15))


def test_a_path_that_cannot_be_written_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match=r"^sink ipc: cannot make the folder .*: Not a directory$"):
        open_sink("ipc", tmp_path / "file", [TRADES])


def test_past_its_size_a_stream_ends_and_the_next_begins(tmp_path):
    batches = [batch_of(TRADES, 6000, 6000 * i, seed=i) for i in range(5)]
    sink = open_sink("ipc", tmp_path, [TRADES], rotate_mb=1)
    write_all(sink, {"trades": batches})
    files = sorted((tmp_path / "trades").iterdir())
    assert len(files) > 1
    assert all(path.read_bytes().endswith(END) for path in files)
    seqs = [row["seq"] for path in files for row in read(path)]
    assert seqs == list(range(30_000))
    newest = next(sink.newest_rows("trades", ("seq",), 1))
    assert newest.column("seq")[-1].as_py() == 29_999

    again = open_sink("ipc", tmp_path, [TRADES], rotate_mb=1)
    write_all(again, {"trades": [batch_of(TRADES, 10, 30_000)]})
    assert len(list((tmp_path / "trades").iterdir())) == len(files) + 1


def test_streams_keep_their_order_where_the_clock_is_set_back(tmp_path, monkeypatch):
    times = iter(range(10**18, 0, -(10**15)))
    monkeypatch.setattr("tickwire.sinks.ipc.wall_ns", lambda: next(times))
    batches = [batch_of(TRADES, 6000, 6000 * i, seed=i) for i in range(5)]
    sink = open_sink("ipc", tmp_path, [TRADES], rotate_mb=1)
    write_all(sink, {"trades": batches})
    files = sorted((tmp_path / "trades").iterdir())
    assert len(files) > 1
    assert [row["seq"] for path in files for row in read(path)] == list(range(30_000))


def test_a_disk_that_takes_no_new_stream_is_an_error_of_the_sink(tmp_path, monkeypatch):
    sink = open_sink("ipc", tmp_path, [TRADES], rotate_mb=1)
    open_stream = sink._open_stream
    calls = []

    def failing(table, file_name):
        calls.append(file_name)
        if len(calls) == 1:
            raise OSError(errno.EIO, "Input/output error")
        open_stream(table, file_name)

    monkeypatch.setattr(sink, "_open_stream", failing)
    batches = [batch_of(TRADES, 6000, 6000 * i, seed=i) for i in range(5)]
    write_all(sink, {"trades": batches})
    assert len(calls) > 1
    files = sorted((tmp_path / "trades").iterdir())
    assert [row["seq"] for path in files for row in read(path)] == list(range(30_000))
