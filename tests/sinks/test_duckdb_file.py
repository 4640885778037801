"""A DuckDB file for others: its format, its comments, and its times beside Parquet's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
import structlog
from tests.sinks import duckdb_14
from tests.sinks.batches import NOW_NS, all_tables, batch_of, open_sink, write_all

from tickwire import __version__
from tickwire.errors import ConfigError
from tickwire.schema import TABLES
from tickwire.sinks import DuckDBSettings

TRADES = TABLES["trades"]
ZONES = ["UTC", "Asia/Seoul", "America/St_Johns"]
# Installed DuckDB; earlier ones have no time with a zone in ns.
HAS_NS_ZONES = int(duckdb.__version__.split(".")[0]) >= 2


def times(n_rows: int) -> list[int]:
    return [NOW_NS + row for row in range(n_rows)]


def version_of(path: Path) -> str:
    with duckdb.connect(str(path), read_only=True) as connection:
        row = connection.execute(
            "SELECT tags['storage_version'] FROM duckdb_databases() "
            "WHERE database_name = current_database()"
        ).fetchone()
    assert row is not None
    return str(row[0])


def test_duckdb_14_reads_every_table(tmp_path: Path) -> None:
    path = tmp_path / "market.duckdb"
    batches = {table.name: [batch_of(table, 300, seed=1)] for table in all_tables()}
    write_all(open_sink("duckdb", path, all_tables()), batches)
    assert version_of(path) == "v1.4.0+"
    counts = [f"SELECT count(*), count(venue), sum(seq) FROM {name}" for name in TABLES]  # noqa: S608
    *answers, text, types = duckdb_14.ask(
        path,
        *counts,
        "SELECT min(utc(ts_recv))::VARCHAR, min(ts_recv)::VARCHAR FROM trades",
        "SELECT DISTINCT typeof(ts_recv) FROM trades",
        time_zone="Asia/Seoul",
    )
    for name, [[n_rows, n_venues, seqs]] in zip(TABLES, answers, strict=True):
        venues = batches[name][0]["venue"].to_pylist()
        assert (n_rows, seqs) == (300, sum(range(300)))
        assert n_venues == sum(venue is not None for venue in venues)
    # DuckDB 1.4 cuts a time with a zone to us.
    assert text == [["2024-08-09 08:54:15.319702+09", "2024-08-08 23:54:15.319702566"]]
    assert types == [["TIMESTAMP_NS"]]


def test_duckdb_14_reads_what_a_kill_has_left_in_the_log(tmp_path: Path) -> None:
    path = tmp_path / "market.duckdb"
    code = f"""
import os, sys
sys.path[:0] = {sys.path!r}
from tests.sinks.batches import *
sink = open_sink("duckdb", Path({str(path)!r}), all_tables(), flush_ms=1)
sources = {{name: ListSource([batch_of(TABLES[name], 50)]) for name in sink.tables}}
sink.start(sources)
wait_for(lambda: all(n == 50 for n in sink.rows_committed.values()))
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603
    assert Path(f"{path}.wal").stat().st_size > 0
    answers = duckdb_14.ask(path, *(f"SELECT count(*) FROM {name}" for name in TABLES))  # noqa: S608
    assert answers == [[[50]]] * len(TABLES)


@pytest.mark.parametrize("version", ["v1.0.0", "v1.4.0", "latest"])
def test_the_storage_version_is_that_of_the_configuration(tmp_path: Path, version: str) -> None:
    path = tmp_path / "market.duckdb"
    write_all(open_sink("duckdb", path, [TRADES], storage_version=version), {})
    installed = "v" + ".".join(duckdb.__version__.split(".")[:2])
    assert version_of(path).startswith(installed if version == "latest" else version)


@pytest.mark.parametrize(
    ("version", "wrong"),
    [
        ("1.4", "should be 'latest' or a version of DuckDB, such as 'v1.4.0'"),
        (
            "v99.0.0",
            f"DuckDB {duckdb.__version__}, which is installed, does not know that version",
        ),
    ],
)
def test_a_version_that_cannot_be_written_is_a_problem(version: str, wrong: str) -> None:
    with pytest.raises(ConfigError) as error:
        DuckDBSettings(path=Path("a"), storage_version=version)
    assert error.value.problems == [f"storage_version: is {version!r}, {wrong}"]


def test_an_older_file_keeps_its_version_and_a_newer_one_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "market.duckdb"
    write_all(open_sink("duckdb", path, [TRADES], storage_version="v1.2.0"), {})
    with structlog.testing.capture_logs() as lines:
        write_all(open_sink("duckdb", path, [TRADES]), {})
    assert version_of(path) == "v1.2.0+"
    assert lines == []
    with structlog.testing.capture_logs() as lines:
        write_all(open_sink("duckdb", path, [TRADES], storage_version="v1.0.0"), {})
    assert lines == [
        {
            "event": "storage_version_kept",
            "log_level": "warning",
            "sink": "duckdb",
            "file": str(path),
            "storage_version": "v1.2.0",
            "asked": "v1.0.0",
        }
    ]


def test_comments_say_where_rows_come_from_and_what_numbers_count(tmp_path: Path) -> None:
    path = tmp_path / "market.duckdb"
    for venues in (["binance"], ["hyperliquid", "b'inance", "hyperliquid"]):
        sink = DuckDBSettings(path=path).make_sink("desk's")
        sink.open([TRADES], venues)
        sink.stop()
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute("SELECT table_name, comment FROM duckdb_tables()").fetchall()
        columns = connection.execute("SELECT column_name, comment FROM duckdb_columns()").fetchall()
    assert tables == [
        (
            "trades",
            f"tickwire.version={__version__}, tickwire.feed=desk's, "
            "tickwire.venues=hyperliquid,b'inance",
        )
    ]
    comments = dict(columns)
    assert comments["price"] == "quote currency"
    assert comments["ts_recv"] == "ns since 1970-01-01, UTC"
    assert comments["trade_id"] is None


def test_a_macro_of_the_users_own_stays(tmp_path: Path) -> None:
    path = tmp_path / "market.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE MACRO utc(x) AS 'mine'")
    write_all(open_sink("duckdb", path, [TRADES]), {})
    with duckdb.connect(str(path)) as connection:
        assert connection.execute("SELECT utc(1)").fetchall() == [("mine",)]


def write_both(folder: Path, n_rows: int) -> tuple[Path, str]:
    """Write the same rows to DuckDB and to Parquet; gives the file and how to read the dataset."""
    batch = batch_of(TRADES, n_rows, venue=["v"] * n_rows, ts_recv=times(n_rows))
    for kind, path in (("duckdb", folder / "market.duckdb"), ("parquet", folder / "data")):
        write_all(open_sink(kind, path, [TRADES]), {"trades": [batch]})
    dataset = f"read_parquet('{folder}/data/trades/**/*.parquet', hive_partitioning = true)"
    return folder / "market.duckdb", dataset


@pytest.mark.skipif(not HAS_NS_ZONES, reason="DuckDB 1 cuts Parquet's times to us")
@pytest.mark.parametrize("zone", ZONES)
def test_rows_and_parquet_join_on_utc_in_any_time_zone(tmp_path: Path, zone: str) -> None:
    path, dataset = write_both(tmp_path, 40)
    joined = f"SELECT count(*) FROM trades t JOIN {dataset} p ON "  # noqa: S608
    code = f"""
import duckdb
joined = {joined!r}
with duckdb.connect({str(path)!r}, read_only=True) as connection:
    print(connection.execute("SELECT current_setting('TimeZone')").fetchone()[0])
    for on in ("utc(t.ts_recv) = p.ts_recv", "t.seq = p.seq AND utc(t.ts_recv) <> p.ts_recv"):
        print(connection.execute(joined + on).fetchone()[0])
"""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TZ": zone},
    )
    assert done.stdout.split() == [zone, "40", "0"]


@pytest.mark.parametrize("zone", ZONES)
def test_rows_and_parquet_join_on_seq_in_duckdb_14(tmp_path: Path, zone: str) -> None:
    path, dataset = write_both(tmp_path, 40)
    joined = f"SELECT count(*) FROM trades t JOIN {dataset} p ON "  # noqa: S608
    by_seq, by_time = duckdb_14.ask(
        path, joined + "t.seq = p.seq", joined + "utc(t.ts_recv) = p.ts_recv", time_zone=zone
    )
    assert by_seq == [[40]]
    # All 40 lie within a microsecond: each matches each.
    assert by_time == [[1600]]
