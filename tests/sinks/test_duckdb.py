from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from tests.sinks.batches import (
    NOW_NS,
    ListSource,
    all_tables,
    batch_of,
    cells,
    open_sink,
    wait_for,
    write_all,
)

from tickwire.errors import SinkError
from tickwire.observe import Metrics
from tickwire.schema import TABLES, Column, Kind
from tickwire.sinks import DuckDBSettings, DuckDBSink, duckdb_database
from tickwire.sinks import duckdb as duckdb_sink

TRADES = TABLES["trades"]


def read(path: Path, table: str) -> list[dict[str, object]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        quoted = '"' + table.replace('"', '""') + '"'
        sql = f"SELECT * FROM {quoted} ORDER BY rowid"  # noqa: S608 - quoted
        return cells(connection.sql(sql).to_arrow_table())


@pytest.mark.parametrize("table", all_tables(), ids=lambda table: table.name)
def test_every_value_and_null_of_every_table_comes_back(tmp_path, table):
    path = tmp_path / "market.duckdb"
    batches = [batch_of(table, 50, 50 * i, seed=i) for i in range(4)]
    sink = open_sink("duckdb", path, [table])
    write_all(sink, {table.name: batches})
    assert read(path, table.name) == [row for batch in batches for row in cells(batch)]
    assert sink.rows_committed == {table.name: 200}


def test_column_types_are_those_of_the_interface(tmp_path):
    path = tmp_path / "market.duckdb"
    write_all(open_sink("duckdb", path, all_tables()), {})
    with duckdb.connect(str(path)) as connection:
        found = connection.execute("DESCRIBE trades").fetchall()
        payload = connection.execute("SELECT payload FROM quarantine").description[0][1]
    assert [(row[0], row[1]) for row in found] == [
        ("seq", "BIGINT"),
        ("venue", "VARCHAR"),
        ("symbol", "VARCHAR"),
        ("ts_event", "TIMESTAMP_NS"),
        ("ts_recv", "TIMESTAMP_NS"),
        ("conn", "INTEGER"),
        ("channel", "VARCHAR"),
        ("price", "DOUBLE"),
        ("size", "DOUBLE"),
        ("side", "VARCHAR"),
        ("trade_id", "VARCHAR"),
    ]
    assert str(payload) == "BLOB"


def test_times_are_utc_whatever_the_time_zone_of_the_session(tmp_path):
    path = tmp_path / "market.duckdb"
    sink = open_sink("duckdb", path, [TRADES])
    sink.cursor().execute("SET GLOBAL TimeZone = 'Asia/Kathmandu'")
    write_all(sink, {"trades": [batch_of(TRADES, 3, ts_recv=[NOW_NS, NOW_NS + 1, 1])]})
    with duckdb.connect(str(path)) as connection:
        connection.execute("SET TimeZone = 'America/St_Johns'")
        rows = connection.execute("SELECT ts_recv::VARCHAR, epoch_ns(ts_recv) FROM trades")
        assert rows.fetchall() == [
            ("2024-08-08 23:54:15.319702566", NOW_NS),
            ("2024-08-08 23:54:15.319702567", NOW_NS + 1),
            ("1970-01-01 00:00:00.000000001", 1),
        ]


def test_hostile_names_are_only_names(tmp_path):
    path = tmp_path / "market.duckdb"
    table = replace(
        TRADES,
        name='x"; DROP TABLE trades; --',
        columns=(*TRADES.columns, Column('y" INTEGER); --', Kind.TEXT, nullable=True)),
    )
    batch = batch_of(table, 20)
    write_all(open_sink("duckdb", path, [TRADES, table]), {table.name: [batch]})
    assert read(path, table.name) == cells(batch)
    assert read(path, "trades") == []


def test_a_later_run_appends_and_adds_the_columns_of_a_venue(tmp_path):
    path = tmp_path / "market.duckdb"
    first = batch_of(TRADES, 5)
    write_all(open_sink("duckdb", path, [TRADES]), {"trades": [first]})
    wider = TRADES.with_extras((Column("tx_hash", Kind.TEXT, nullable=True, text_bytes=66),))
    second = batch_of(wider, 5, 5)
    write_all(open_sink("duckdb", path, [wider]), {"trades": [second]})
    third = batch_of(TRADES, 5, 10)
    write_all(open_sink("duckdb", path, [TRADES]), {"trades": [third]})
    lacking = {"tx_hash": None}
    assert read(path, "trades") == [
        *(row | lacking for row in cells(first)),
        *cells(second),
        *(row | lacking for row in cells(third)),
    ]


def test_an_older_table_with_other_types_is_refused_by_name(tmp_path):
    path = tmp_path / "market.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE Trades (Seq BIGINT, price DECIMAL(18, 3))")
    with pytest.raises(SinkError, match=r"column price of table trades is DECIMAL\(18,3\) but mus"):
        open_sink("duckdb", path, [TRADES])
    duckdb.connect(str(path)).close()  # nothing holds the file


def test_a_view_in_the_place_of_a_table_is_refused(tmp_path):
    path = tmp_path / "market.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE VIEW trades AS SELECT 1 AS seq")
    with pytest.raises(SinkError, match="trades is a view, not a table"):
        open_sink("duckdb", path, [TRADES])


def test_a_file_locked_by_another_process_names_it(tmp_path):
    path = tmp_path / "market.duckdb"
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(1, flush=True); input()"
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout.readline() == "1\n"
        with pytest.raises(SinkError, match=rf"locked by another process \(pid {other.pid},") as it:
            open_sink("duckdb", path, [TRADES])
        other.communicate("\n")
    assert "\n" not in str(it.value)
    open_sink("duckdb", path, [TRADES]).stop()


@pytest.mark.parametrize("kind", ["no folder", "folder is a file", "is a folder", "is no database"])
def test_a_path_that_cannot_be_opened_is_one_clear_line(tmp_path, kind):
    (tmp_path / "file").write_text("plain text, long enough to be no DuckDB header" * 100)
    path = {
        "no folder": tmp_path / "none" / "market.duckdb",
        "folder is a file": tmp_path / "file" / "market.duckdb",
        "is a folder": tmp_path,
        "is no database": tmp_path / "file",
    }[kind]
    with pytest.raises(SinkError, match=r"^sink duckdb: cannot open ") as error:
        open_sink("duckdb", path, [TRADES])
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_only_the_configured_tables_are_made(tmp_path):
    sink = open_sink("duckdb", tmp_path / "a.duckdb", all_tables(), tables=("mids", "trades"))
    assert list(sink.tables) == ["mids", "trades"]
    sink.stop()
    with duckdb.connect(str(tmp_path / "a.duckdb")) as connection:
        assert connection.execute("SELECT count(*) FROM duckdb_tables()").fetchone() == (2,)
    with pytest.raises(SinkError, match="no table 'blocks'"):
        open_sink("duckdb", tmp_path / "a.duckdb", all_tables(), tables=("blocks",))


def test_rows_are_visible_to_other_threads_while_it_runs(tmp_path):
    sink = open_sink("duckdb", tmp_path / "market.duckdb", [TRADES], flush_ms=5)
    assert isinstance(sink, DuckDBSink)
    source = ListSource()
    sink.start({"trades": source})
    counts = []

    def look() -> None:
        cursor = sink.cursor()
        counts.append(cursor.execute("SELECT count(*) FROM trades").fetchone()[0])
        cursor.close()

    for i in range(3):
        source.put(batch_of(TRADES, 10, 10 * i))
        wait_for(lambda n=10 * (i + 1): sink.rows_committed["trades"] == n)
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    sink.stop()
    assert counts == [10, 20, 30]
    with pytest.raises(SinkError, match="not open"):
        sink.cursor()


def test_latency_is_recorded_after_each_commit(tmp_path):
    metrics = Metrics()
    sink = DuckDBSink(DuckDBSettings(path=tmp_path / "a.duckdb"), "main", metrics)
    sink.open([TRADES])
    sink.start({"trades": ListSource([batch_of(TRADES, 1, i) for i in range(3)])})
    sink.stop()
    assert sink.latency.count == 3
    assert metrics.registry.merged("read_to_commit_seconds").count == 3


def test_stop_drains_everything_and_stop_without_drain_only_what_was_taken(tmp_path):
    batches = [batch_of(TRADES, 7, 7 * i) for i in range(40)]
    sink = open_sink("duckdb", tmp_path / "a.duckdb", [TRADES], flush_ms=60_000)
    write_all(sink, {"trades": batches})
    assert sink.rows_committed == {"trades": 280}
    sink = open_sink("duckdb", tmp_path / "b.duckdb", [TRADES], flush_ms=60_000)
    sink.start({"trades": ListSource(batches)})
    sink.stop(drain=False)
    assert sink.rows_committed["trades"] in (0, 7)
    assert len(read(tmp_path / "b.duckdb", "trades")) == sink.rows_committed["trades"]


def test_all_tables_of_a_flush_commit_together(tmp_path):
    path = tmp_path / "market.duckdb"
    sink = open_sink("duckdb", path, [TRADES, TABLES["mids"]], flush_ms=1)
    trades, mids = ListSource(), ListSource()
    sink.start({"trades": trades, "mids": mids})
    wrong = pa.RecordBatch.from_pydict({"seq": [1]})
    with mids.lock, trades.lock:
        trades.batches.append(batch_of(TRADES, 5))
        mids.batches.append(wrong)
    wait_for(lambda: sink.error)
    sink.stop()
    assert sink.failed is not None
    assert trades.is_closed
    assert mids.is_closed
    assert read(path, "trades") == []


def test_what_was_committed_survives_a_kill(tmp_path):
    path = tmp_path / "market.duckdb"
    code = f"""
import sys
sys.path[:0] = {sys.path!r}
from tests.sinks.batches import *
sink = open_sink("duckdb", Path({str(path)!r}), [TABLES["trades"]], flush_ms=1)
sink.start({{"trades": ListSource([batch_of(TABLES["trades"], 50)])}})
wait_for(lambda: sink.rows_committed["trades"] == 50)
print(1, flush=True)
input()
"""
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as killed:
        assert killed.stdout.readline() == "1\n"
        killed.kill()
    write_all(open_sink("duckdb", path, [TRADES]), {"trades": [batch_of(TRADES, 10, 50)]})
    assert read(path, "trades") == cells(batch_of(TRADES, 50)) + cells(batch_of(TRADES, 10, 50))


def test_a_full_disk_is_waited_for(tmp_path):
    # A limit on the size of a file is the nearest that a test without privileges comes to it.
    path = tmp_path / "market.duckdb"
    sink = open_sink("duckdb", path, [TRADES], flush_ms=1)
    source = ListSource()
    sink.start({"trades": source})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    texts = [f"{i:0200}" for i in range(500)]
    batches = [batch_of(TRADES, 500, 500 * i, seed=i, trade_id=texts) for i in range(4)]
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, hard))
        for batch in batches:
            source.put(batch)
        wait_for(lambda: sink.n_retries >= 2)
        n_committed = sink.rows_committed["trades"]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    sink.stop()
    assert sink.failed is None
    assert n_committed < 2000
    assert read(path, "trades") == [row for batch in batches for row in cells(batch)]


def test_the_log_is_checkpointed_past_its_size_and_at_stop(tmp_path):
    path = tmp_path / "market.duckdb"
    log = Path(f"{path}.wal")
    sink = open_sink("duckdb", path, [TRADES], flush_ms=1, checkpoint_mb=1)
    source = ListSource()
    sink.start({"trades": source})
    texts = [f"{i:01000}" for i in range(500)]
    for i in range(4):
        source.put(batch_of(TRADES, 500, 500 * i, trade_id=texts))
    wait_for(lambda: sink.stalls.count >= 1)
    source.put(batch_of(TRADES, 500, 2000, trade_id=texts))
    wait_for(lambda: sink.rows_committed["trades"] == 2500)
    sink.stop()
    assert sink.failed is None
    assert sink.stalls.count >= 2
    assert sink.stalls.total_s >= sink.stalls.max_s > 0
    assert not log.exists() or log.stat().st_size == 0
    assert len(read(path, "trades")) == 2500


def test_the_log_may_grow_past_the_16_mb_of_duckdb(tmp_path):
    path = tmp_path / "market.duckdb"
    log = Path(f"{path}.wal")
    sink = open_sink("duckdb", path, [TRADES], flush_ms=1)
    source = ListSource()
    sink.start({"trades": source})
    texts = [f"{i:010000}" for i in range(1000)]
    for i in range(2):
        source.put(batch_of(TRADES, 1000, 1000 * i, trade_id=texts))
    wait_for(lambda: sink.rows_committed["trades"] == 2000)
    assert log.stat().st_size > 16 << 20 or sink.stalls.count > 0
    wait_for(lambda: sink.stalls.count > 0)  # the feed is quiet
    sink.stop()
    assert len(read(path, "trades")) == 2000


def test_a_checkpoint_beside_another_connections_transaction_loses_nothing(tmp_path):
    # Some releases of DuckDB refuse it, and then the sink tries again later.
    path = tmp_path / "market.duckdb"
    sink = open_sink("duckdb", path, [TRADES], flush_ms=1, checkpoint_mb=1)
    assert isinstance(sink, DuckDBSink)
    other = sink.cursor()
    other.execute("CREATE TABLE other (x INTEGER)")
    other.execute("BEGIN")
    other.execute("INSERT INTO other VALUES (1)")
    source = ListSource()
    sink.start({"trades": source})
    texts = [f"{i:02000}" for i in range(1000)]
    source.put(batch_of(TRADES, 1000, trade_id=texts))
    wait_for(lambda: sink.stalls.count >= 1)
    source.put(batch_of(TRADES, 10, 1000))
    wait_for(lambda: sink.rows_committed["trades"] == 1010)
    other.execute("COMMIT")
    other.close()
    sink.stop()
    assert sink.failed is None
    assert len(read(path, "trades")) == 1010
    assert read(path, "other") == [{"x": 1}]


def test_its_memory_is_bounded_whatever_it_has_written(tmp_path):
    path = tmp_path / "market.duckdb"
    sink = open_sink("duckdb", path, [TRADES], memory_mb=32, checkpoint_mb=1000)
    sink.start({"trades": ListSource([batch_of(TRADES, 5000)] * 100)})
    wait_for(lambda: sink.rows_committed["trades"] == 500_000, seconds=60)
    with sink.cursor() as cursor:
        used, spilled = cursor.execute(
            "SELECT sum(memory_usage_bytes), sum(temporary_storage_bytes) FROM duckdb_memory()"
        ).fetchone()
    assert used <= 32 << 20
    # Where the log that was asked for does not fit, it is checkpointed before memory is full.
    assert spilled == 0
    assert sink.stalls.count > 1
    assert Path(f"{path}.wal").stat().st_size < 10 << 20
    sink.stop()
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.sql("SELECT count(*) FROM trades").fetchall() == [(500_000,)]


def test_after_a_checkpoint_what_was_written_is_not_cached(tmp_path):
    path = tmp_path / "market.duckdb"
    sink = open_sink("duckdb", path, [TRADES], memory_mb=64)
    assert isinstance(sink, DuckDBSink)
    texts = [random.randbytes(2000).hex() for _ in range(5000)]
    sink._commit({"trades": batch_of(TRADES, 5000, trade_id=texts)})

    def cached() -> int:
        found = sink._writer.execute(
            "SELECT sum(memory_usage_bytes) FROM duckdb_memory() WHERE tag = 'BASE_TABLE'"
        ).fetchone()
        return found[0]

    reader = sink.cursor()
    sink._checkpoint()
    assert cached() > 8 << 20
    reader.close()
    del reader
    sink._checkpoint()
    assert cached() <= 8 << 20
    [limit] = sink._writer.execute("SELECT current_setting('memory_limit')").fetchone()
    assert limit == "64.0 MiB"
    sink.stop()


def test_what_does_not_fit_in_memory_cannot_fill_the_disk(tmp_path):
    sink = open_sink("duckdb", tmp_path / "market.duckdb", [TRADES], checkpoint_mb=1)
    assert isinstance(sink, DuckDBSink)
    sink._writer.execute("SET memory_limit = '32MiB'")
    cursor = sink.cursor()
    with pytest.raises(duckdb.OutOfMemoryException, match="max_temp_directory_size"):
        cursor.execute("SELECT md5(i::VARCHAR) FROM range(2_000_000) t(i) ORDER BY 1").fetchone()
    cursor.close()
    sink.stop()


def test_a_checkpoint_does_not_write_anew_what_an_earlier_one_wrote(tmp_path):
    path = tmp_path / "market.duckdb"
    sink = open_sink("duckdb", path, [TRADES])
    assert isinstance(sink, DuckDBSink)
    for n in range(4):
        sink._commit({"trades": batch_of(TRADES, 5000, 5000 * n)})
        sink._checkpoint()
    sink.stop()
    with duckdb.connect(str(path), read_only=True) as connection:
        groups = connection.execute(
            "SELECT max(start + count) FROM pragma_storage_info('trades') "
            "WHERE column_name = 'seq' GROUP BY row_group_id ORDER BY row_group_id"
        ).fetchall()
    assert groups == [(5000,)] * 4
    assert len(read(path, "trades")) == 20_000


def test_a_commit_without_memory_ends_what_readers_run_and_is_tried_again(tmp_path, monkeypatch):
    sink = open_sink("duckdb", tmp_path / "market.duckdb", [TRADES])
    assert isinstance(sink, DuckDBSink)
    monkeypatch.setattr(duckdb_sink, "MEMORY_RETRY_S", 0.001)
    batches = {"trades": batch_of(TRADES, 10)}
    commit, failures = sink._commit, [duckdb.OutOfMemoryException("full")] * 2

    def short_of_memory(batches):
        if failures:
            raise failures.pop()
        commit(batches)

    monkeypatch.setattr(sink, "_commit", short_of_memory)
    with pytest.raises(duckdb.OutOfMemoryException):
        sink._commit_first(batches)  # no reader could have taken it
    cursor, ended = sink.cursor(), []

    def read():
        try:
            cursor.execute(
                "SELECT count(*) FROM range(1000000000) a, range(1000000000) b"
            ).fetchall()
        except duckdb.InterruptException:
            ended.append(True)

    reader = threading.Thread(target=read)
    reader.start()
    while reader.is_alive():  # it may not have begun when it is interrupted first
        failures.append(duckdb.OutOfMemoryException("full"))
        sink._commit_first({"trades": batch_of(TRADES, 1, 100)})
        reader.join(0.01)
    assert ended == [True]
    assert sink.metrics.counter("sink_memory_retries").value >= 1
    with pytest.raises(duckdb.Error):
        cursor.execute("FROM 'https://example.com/x.csv'")  # no extension is fetched
    sink.stop()


def test_only_a_large_checkpoint_has_helpers(tmp_path, monkeypatch):
    sink = open_sink("duckdb", tmp_path / "market.duckdb", [TRADES])
    assert isinstance(sink, DuckDBSink)
    asked = []
    monkeypatch.setattr(sink, "_set_threads", asked.append)
    sink._commit({"trades": batch_of(TRADES, 10)})
    sink._checkpoint()
    assert asked == []
    sink._commit({"trades": batch_of(TRADES, 10, 10)})
    monkeypatch.setattr(duckdb_database, "HELPED_BYTES", 1)
    sink._checkpoint()
    assert asked == [os.cpu_count(), 1]
    sink.stop()


def test_a_checkpoint_waits_where_rows_come_first(tmp_path, monkeypatch):
    sink = open_sink("duckdb", tmp_path / "market.duckdb", [TRADES], checkpoint_mb=1)
    assert isinstance(sink, DuckDBSink)
    made = []
    monkeypatch.setattr(sink, "_checkpoint", lambda: made.append(1))
    sink.puts_off = True
    for n_bytes, n_made in ((1 << 20, 0), ((2 << 20) - 1, 0), (2 << 20, 1)):
        monkeypatch.setattr(sink, "_log_bytes", lambda n=n_bytes: n)
        sink._housekeeping(1)
        assert len(made) == n_made
    sink.puts_off = False
    monkeypatch.setattr(sink, "_log_bytes", lambda: 1 << 20)
    sink._housekeeping(1)
    assert len(made) == 2
    monkeypatch.undo()
    sink.stop()


def test_descriptions_of_row_groups_are_forgotten_without_a_reader(tmp_path, monkeypatch):
    path = tmp_path / "market.duckdb"
    sink = open_sink("duckdb", path, [TRADES], memory_mb=32, checkpoint_mb=1)
    assert isinstance(sink, DuckDBSink)
    opened, opens = [], sink._open
    monkeypatch.setattr(sink, "_open", lambda: opened.append(opens()))
    n_rows, each = 0, duckdb_database.DESCRIBED_BYTES * len(TRADES.arrow_schema)
    most = (32 << 20) // duckdb_database.MEMORY_SHARES

    def checkpoint() -> None:
        nonlocal n_rows
        sink._commit({"trades": batch_of(TRADES, 10, n_rows)})
        n_rows += 10
        sink._checkpoint()
        sink._forget_row_groups()

    for number in range(2 * (most // each) + 2):
        checkpoint()
        assert len(opened) == (number + 1) // -(-most // each)
    assert len(opened) == 2
    reader = sink.cursor()
    sink._described_bytes = most
    checkpoint()
    assert len(opened) == 2
    assert reader.execute("SELECT count(*) FROM trades").fetchone() == (n_rows,)
    reader.close()
    del reader
    with sink._reader() as reader:
        checkpoint()
        assert reader.execute("SELECT count(*) FROM trades").fetchone() == (n_rows,)
    assert len(opened) == 2
    checkpoint()
    assert len(opened) == 3
    sink.stop()
    assert len(read(path, "trades")) == n_rows


@pytest.mark.parametrize("is_open_again", [False, True])
def test_a_file_that_is_gone_when_it_is_opened_anew_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_open_again: bool
) -> None:
    path = tmp_path / "market.duckdb"
    sink = open_sink("duckdb", path, [TRADES])
    assert isinstance(sink, DuckDBSink)
    sink._commit({"trades": batch_of(TRADES, 10)})
    sink._checkpoint()
    sink._described_bytes = sink._memory_mb() << 20
    close = sink._close

    def close_and_lose() -> None:
        close()
        path.rename(tmp_path / "kept")
        monkeypatch.undo()

    if is_open_again:  # it is lost between
        monkeypatch.setattr(sink, "_close", close_and_lose)
    else:
        path.rename(tmp_path / "kept")
    with pytest.raises(SinkError, match="was replaced" if is_open_again else "was deleted"):
        sink._forget_row_groups()
    sink.stop()
