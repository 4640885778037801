"""Committed and fresh rows as one: no row twice, none missing, whatever is committed meanwhile."""

import threading
from functools import partial

import duckdb
import pyarrow as pa
import pytest
from tests.sinks.batches import wait_for

from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES
from tickwire.serve.fresh_rows import fresh_rows, naive_schema
from tickwire.serve.outputs import in_database, in_parquet, in_streams, tables_of
from tickwire.serve.snapshot import Database, Snapshot, TableSource, isolated
from tickwire.serve.statements import QueryRefused, StatementCheck
from tickwire.sinks import DuckDBSettings, IpcSettings, ParquetSettings
from tickwire.store import Spill

MIDS = TABLES["mids"]
NOW_NS = 1_700_000_000_000_000_789
COUNTS = "SELECT count(*), coalesce(max(seq), -1), count(DISTINCT seq) FROM mids"
CHECK = StatementCheck({"utc"})


def append(ring, n_rows):
    for _ in range(n_rows):
        seq = ring.next_seq
        assert ring.append(venue="v", symbol="s", ts_recv=NOW_NS + seq, conn=0, price=float(seq))


def counts(database, sql=COUNTS):
    with Snapshot(database, CHECK, sql) as snapshot:
        [row] = snapshot.query(sql).read_all().to_pylist()
        return tuple(row.values())


def assert_whole(found):
    n_rows, last, n_numbers = found
    assert n_rows == last + 1 == n_numbers


@pytest.fixture
def ring():
    return Ring(MIDS, 1 << 14, Dictionaries())


def started(settings, ring, spill_folder=None):
    sink = settings.make_sink("feed")
    sink.open([MIDS])
    spill = Spill(spill_folder, ["mids"])
    sink.start({"mids": Consumer(ring, commits=True)}, spill)
    return sink


def database_of(sink, ring):
    source = TableSource(partial(in_database, table="mids"), partial(fresh_rows, ring, sink))
    return Database(sink.cursor, {"mids": source}, tables_of)


def test_every_answer_is_the_rows_up_to_some_seq_while_rows_are_committed(tmp_path, ring):
    sink = started(DuckDBSettings(tmp_path / "x.duckdb", flush_ms=2), ring)
    database = database_of(sink, ring)
    is_over = threading.Event()

    def write():
        while not is_over.wait(0.001):
            append(ring, 7)

    writer = threading.Thread(target=write)
    writer.start()
    found = [counts(database) for _ in range(40)]
    is_over.set()
    writer.join()
    for each in found:
        assert_whole(each)
    assert found == sorted(found)
    assert found[-1][0] > found[0][0]
    assert sink.rows_committed["mids"] > 0
    sink.stop()


def test_rows_are_seen_that_a_sink_has_spilled(tmp_path, ring, monkeypatch):
    sink = started(DuckDBSettings(tmp_path / "x.duckdb", flush_ms=5), ring, tmp_path / "spill")
    append(ring, 10)
    wait_for(lambda: sink.rows_committed["mids"] == 10)
    database = database_of(sink, ring)
    is_held = threading.Event()
    monkeypatch.setattr(sink, "_commit_first", lambda batches: is_held.wait(20))
    append(ring, 10)
    wait_for(lambda: bool(sink._intake.in_flight))
    append(ring, 10)
    with sink._intake.lock:
        sink._intake.spill_rows()
    append(ring, 10)
    assert sink.kept_from("mids") == 30
    assert counts(database) == (40, 39, 40)
    is_held.set()
    sink.stop(drain=False)


def test_another_feeds_rows_with_the_same_numbers_stay(tmp_path, ring):
    path = tmp_path / "x.duckdb"
    sink = started(DuckDBSettings(path, flush_ms=5), ring)
    with sink.cursor() as cursor:
        cursor.execute(
            "INSERT INTO mids SELECT i, 'w', 's', NULL, '2020-01-01', 0, 1 FROM range(5) t(i)"
        )
    sink.stop()  # nothing takes rows out of the ring any more
    append(ring, 5)
    connection = duckdb.connect(str(path), read_only=True)
    source = TableSource(partial(in_database, table="mids"), partial(fresh_rows, ring, None))
    with connection:
        database = Database(connection.cursor, {"mids": source}, tables_of)
        assert counts(database, "SELECT count(*), count(DISTINCT venue) FROM mids") == (10, 2)


@pytest.mark.parametrize("kind", ["parquet", "ipc"])
def test_files_and_what_waits_for_them_are_one(tmp_path, ring, kind):
    settings = {
        "parquet": ParquetSettings(tmp_path / "out", rotate_s=3600, rotate_rows=10),
        "ipc": IpcSettings(tmp_path / "out", flush_ms=5),
    }[kind]
    sink = started(settings, ring, tmp_path / "spill")
    committed = {"parquet": in_parquet, "ipc": in_streams}[kind]
    source = TableSource(
        partial(committed, folder=tmp_path / "out" / "mids"), partial(fresh_rows, ring, sink)
    )
    instance = isolated([str(tmp_path / "out")])
    database = Database(instance.cursor, {"mids": source}, is_locked=True)
    assert counts(database) == (0, -1, 0)
    for n_rows in (25, 10, 7):
        append(ring, n_rows)
        assert_whole(counts(database))
    wait_for(lambda: sink.rows_committed["mids"] >= 40)
    assert counts(database) == (42, 41, 42)
    types = "SELECT typeof(ts_recv), typeof(venue), count(*) FROM mids GROUP BY ALL"
    assert counts(database, types) == ("TIMESTAMP_NS", "VARCHAR", 42)
    sink.stop()
    assert counts(database) == (42, 41, 42)
    with Snapshot(database, CHECK, "FROM mids") as snapshot, pytest.raises(duckdb.Error):
        snapshot.connection.execute("FROM read_text('/etc/hostname')")
    instance.close()


def test_a_table_without_an_output_is_what_its_ring_holds(ring):
    append(ring, 20)
    instance = isolated()
    database = Database(
        instance.cursor,
        {"mids": TableSource(None, partial(fresh_rows, ring, None))},
        is_locked=True,
    )
    assert counts(database) == (20, 19, 20)
    with Snapshot(database, CHECK) as snapshot:
        assert snapshot.known == {"mids"}
        rows = snapshot.query("SELECT utc(max(ts_recv)) AS at FROM main.mids").read_all()
        assert str(rows.column("at").type).endswith("tz=UTC]")
        for sql in ("FROM trades", "FROM ring", "COPY mids TO 'x'"):
            with pytest.raises(QueryRefused):
                snapshot.query(sql)
        for sql in (
            "DELETE FROM mids",
            "CREATE TABLE x (i INT)",
            "ATTACH 'x.db'",
            "SET threads = 2",
        ):
            with pytest.raises(duckdb.Error):
                snapshot.connection.execute(sql)
    instance.close()


def test_nothing_is_written_even_where_the_check_would_let_it_through(tmp_path, ring):
    sink = started(DuckDBSettings(tmp_path / "x.duckdb", flush_ms=5), ring)
    append(ring, 5)
    with Snapshot(database_of(sink, ring), CHECK, "FROM mids") as snapshot:
        rows = pa.table({"seq": [1]})  # noqa: F841 - a variable that SQL must not find
        for sql in (
            "INSERT INTO x.main.mids (seq) VALUES (1)",
            "DROP TABLE x.main.mids",
            "FROM rows",
        ):
            with pytest.raises(duckdb.Error):
                snapshot.connection.execute(sql)
            snapshot.connection.rollback()
            snapshot.connection.execute("BEGIN TRANSACTION READ ONLY")
    sink.stop()


def test_the_users_own_tables_can_be_read_too_and_the_view_coverage(tmp_path):
    rings = {name: Ring(TABLES[name], 1 << 10, Dictionaries()) for name in ("mids", "gaps")}
    sink = DuckDBSettings(tmp_path / "x.duckdb", flush_ms=5).make_sink("feed")
    sink.open([TABLES[name] for name in rings])
    sink.start({name: Consumer(ring, commits=True) for name, ring in rings.items()})
    with sink.cursor() as cursor:
        cursor.execute("CREATE TABLE Notes AS SELECT 'own' AS text")
    append(rings["mids"], 5)
    database = Database(
        sink.cursor,
        {
            name: TableSource(partial(in_database, table=name), partial(fresh_rows, ring, sink))
            for name, ring in rings.items()
        },
        tables_of,
        consumer=sink.name,
    )
    assert counts(database, "SELECT text, (SELECT count(*) FROM mids) FROM notes") == ("own", 5)
    assert counts(database, "SELECT symbol, table_name FROM coverage") == ("s", "mids")
    sink.stop()


def test_rows_that_leave_the_ring_while_they_are_copied_are_not_lost(ring):
    class Keeper:
        def kept_from(self, table):
            return 3

        def spilled_rows(self, table, most_bytes, timeout_s):
            consumer = Consumer(ring)
            batch = consumer.take(5)
            consumer.close()
            return [batch]

    append(ring, 8)
    rows = fresh_rows(ring, Keeper())
    assert rows.column("seq").to_pylist() == list(range(8))  # each once, in order
    assert rows.schema == naive_schema(ring.schema)
