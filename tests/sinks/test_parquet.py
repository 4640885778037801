from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from tests.sinks.batches import (
    DAY_NS,
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
from tickwire.schema import TABLES, Column, Kind
from tickwire.sinks import parquet
from tickwire.sinks.files import range_in, range_in_name

TRADES = TABLES["trades"]
GAPS = TABLES["gaps"]


def by_seq(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return sorted(rows, key=lambda row: row["seq"])


def without(rows: list[dict[str, object]], *names: str) -> list[dict[str, object]]:
    return [{key: cell for key, cell in row.items() if key not in names} for row in rows]


def files(root, table="trades"):
    return sorted((root / table).rglob("*.parquet"))


def read(root, table="trades") -> list[dict[str, object]]:
    """As pyarrow reads the dataset."""
    dataset = ds.dataset(root / table, partitioning="hive")
    return by_seq(without(cells(dataset.to_table()), "date"))


@pytest.mark.parametrize("table", all_tables(), ids=lambda table: table.name)
def test_every_value_and_null_of_every_table_comes_back(tmp_path, table):
    batches = [batch_of(table, 50, 50 * i, seed=i) for i in range(4)]
    sink = open_sink("parquet", tmp_path, [table])
    write_all(sink, {table.name: batches})
    assert read(tmp_path, table.name) == [row for batch in batches for row in cells(batch)]
    assert sink.rows_committed == {table.name: 200}


def test_duckdb_pyarrow_and_polars_read_the_same(tmp_path):
    venues = ["hyperliquid", "a/b c%..=ü", None, "hyperliquid", ".."]
    batch = batch_of(GAPS, 5, venue=venues)
    write_all(open_sink("parquet", tmp_path, [GAPS]), {"gaps": [batch]})
    expected = cells(batch)
    assert read(tmp_path, "gaps") == expected

    pattern = f"{tmp_path}/gaps/**/*.parquet"
    names = [field.name for field in GAPS.arrow_schema]
    with duckdb.connect() as connection:
        relation = connection.read_parquet(pattern, hive_partitioning=True)
        in_order = relation.select(*names).order("seq").to_arrow_table()
    if duckdb.__version__ < "2":  # its times with a zone are microseconds
        times = [field.name for field in GAPS.arrow_schema if pa.types.is_timestamp(field.type)]
        in_us = [
            row | {name: row[name] and row[name] // 1000 * 1000 for name in times}
            for row in expected
        ]
        in_ns = pa.schema(
            [
                field.with_type(GAPS.arrow_schema.field(field.name).type)
                if field.name in times
                else field
                for field in in_order.schema
            ]
        )
        assert cells(in_order.cast(in_ns)) == in_us
    else:
        assert cells(in_order) == expected

    frame = pl.read_parquet(pattern, hive_partitioning=True).sort("seq").select(names)
    assert cells(frame.to_arrow()) == expected


def test_paths_and_file_schema_are_those_of_the_interface(tmp_path):
    batch = batch_of(TRADES, 3, venue=["binance", "binance", "x/y"], ts_recv=[1, DAY_NS, NOW_NS])
    write_all(open_sink("parquet", tmp_path, [TRADES], feed="my/feed"), {"trades": [batch]})
    found = [path.relative_to(tmp_path) for path in files(tmp_path)]
    assert [path.parent.as_posix() for path in found] == [
        "trades/venue=binance/date=1970-01-01",
        "trades/venue=binance/date=1970-01-02",
        "trades/venue=x%2Fy/date=2024-08-08",
    ]
    assert all(path.name.startswith("my%2Ffeed-") for path in found)
    for path in files(tmp_path):
        schema = pq.read_schema(path)
        assert schema.names == [name for name in TRADES.arrow_schema.names if name != "venue"]
        assert schema.field("ts_recv").type == pa.timestamp("ns", "UTC")
        assert schema.field("symbol").type == pa.dictionary(pa.int32(), pa.utf8())
        metadata = pq.read_metadata(path)
        compressions = {metadata.row_group(0).column(i).compression for i in range(len(schema))}
        assert compressions == {"ZSTD"}


def test_every_file_of_a_run_has_the_same_schema(tmp_path):
    wider = TRADES.with_extras((Column("tx_hash", Kind.TEXT, nullable=True),))
    nothing = {"ts_event": [None] * 5, "tx_hash": [None] * 5}
    batches = [batch_of(wider, 5), batch_of(wider, 5, 5, seed=1, **nothing)]
    write_all(open_sink("parquet", tmp_path, [wider], rotate_rows=5), {"trades": batches})
    schemas = [pq.read_schema(path) for path in files(tmp_path)]
    assert len(schemas) > 1
    assert all(schema.equals(schemas[0], check_metadata=True) for schema in schemas)


def test_an_empty_venue_and_a_hostile_table_name_stay_in_the_folder(tmp_path):
    table = replace(TRADES, name="../up")
    batch = batch_of(table, 3, venue=["", "../..", "."])
    root = tmp_path / "data"
    write_all(open_sink("parquet", root, [table]), {table.name: [batch]})
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert len(files(root, "%2E.%2Fup")) == 3


def test_files_rotate_by_rows_and_lose_none(tmp_path):
    batches = [batch_of(TRADES, 7, 7 * i, venue=["v"] * 7) for i in range(10)]
    sink = open_sink("parquet", tmp_path, [TRADES], rotate_rows=25)
    write_all(sink, {"trades": batches})
    assert [pq.read_metadata(path).num_rows for path in files(tmp_path)] == [25, 25, 20]
    assert [row["seq"] for row in read(tmp_path)] == list(range(70))


def test_files_rotate_by_time_while_it_runs(tmp_path):
    sink = open_sink("parquet", tmp_path, [TRADES], rotate_s=0.02)
    source = ListSource([batch_of(TRADES, 5, venue=["v"] * 5)])
    sink.start({"trades": source})
    wait_for(lambda: sink.rows_committed["trades"] == 5)
    assert len(files(tmp_path)) == 1
    source.put(batch_of(TRADES, 5, 5, venue=["v"] * 5))
    wait_for(lambda: sink.rows_committed["trades"] == 10)
    assert len(files(tmp_path)) == 2
    sink.stop()
    assert [row["seq"] for row in read(tmp_path)] == list(range(10))


def test_a_file_is_not_seen_before_it_is_whole(tmp_path):
    sink = open_sink("parquet", tmp_path, [TRADES], rotate_s=3600.0)
    source = ListSource([batch_of(TRADES, 500, seed=1)])
    sink.start({"trades": source})
    wait_for(lambda: list(tmp_path.rglob("*.tmp")))
    assert files(tmp_path) == []
    assert ds.dataset(tmp_path / "trades", partitioning="hive").files == []
    assert sink.rows_committed == {"trades": 0}
    sink.stop()
    assert len(read(tmp_path)) == 500
    assert list(tmp_path.rglob("*.tmp")) == []


def test_rows_go_to_the_file_as_row_groups_fill(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 100)
    batches = [batch_of(TRADES, 70, 70 * i, seed=i, venue=["v"] * 70) for i in range(5)]
    write_all(open_sink("parquet", tmp_path, [TRADES]), {"trades": batches})
    (path,) = files(tmp_path)
    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert groups == [100, 100, 100, 50]
    assert read(tmp_path) == [row for batch in batches for row in cells(batch)]


def test_what_waits_in_memory_is_bounded_over_all_files(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "WAITING_BYTES", 10_000)
    venues = ["a", "b", "c"]
    batches = [
        batch_of(TRADES, 90, 90 * i, venue=[venues[row % 3] for row in range(90)])
        for i in range(20)
    ]
    write_all(open_sink("parquet", tmp_path, [TRADES]), {"trades": batches})
    assert len(files(tmp_path)) == 3
    assert all(pq.read_metadata(path).num_row_groups > 3 for path in files(tmp_path))
    assert read(tmp_path) == [row for batch in batches for row in cells(batch)]


def test_a_venue_of_few_rows_does_not_keep_the_memory_of_its_batches(tmp_path):
    n_rows = 20_000
    venues = ["few" if row == 7 else "many" for row in range(n_rows)]
    made = batch_of(TRADES, n_rows, 0, venue=venues)
    # As rings give them: one piece of memory, released when the last of its columns is.
    batch = pa.RecordBatch._import_from_c_capsule(*made.__arrow_c_array__())
    del made
    sink = open_sink("parquet", tmp_path, [TRADES])
    parts = dict(sink._split(batch))
    few = next(rows for rows in parts.values() if rows.num_rows == 1)
    n_bytes = batch.nbytes
    before = pa.total_allocated_bytes()
    del parts, batch
    assert before - pa.total_allocated_bytes() > n_bytes
    assert few.num_rows == 1
    write_all(sink, {})


def test_rows_of_one_venue_and_day_need_no_large_import(tmp_path):
    code = """
import sys
from tests.sinks.batches import *
from tickwire.schema import TABLES
from tickwire.sinks import ParquetSettings
sink = ParquetSettings(path=sys.argv[1]).make_sink("main")
sink.open([TABLES["trades"]])
sink.start({"trades": ListSource([batch_of(TABLES["trades"], 10, venue=["v"] * 10)])})
sink.stop()
assert sink.rows_committed["trades"] == 10
assert "pyarrow.parquet" in sys.modules
assert "pyarrow.compute" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)  # noqa: S603 - our own


def test_leftovers_of_a_killed_run_are_passed_over_and_without_rows_removed(tmp_path):
    code = f"""
import sys
sys.path[:0] = {sys.path!r}
from tests.sinks.batches import *
sink = open_sink("parquet", Path({str(tmp_path)!r}), [TABLES["trades"]], rotate_rows=40)
sink.start({{"trades": ListSource([batch_of(TABLES["trades"], 50, venue=["v"] * 50)])}})
wait_for(lambda: sink.rows_committed["trades"] == 40)
wait_for(lambda: list(Path({str(tmp_path)!r}).rglob("*.tmp")))
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
        with pytest.raises(SinkError, match=rf"named 'main' is writing to .* \(pid {killed.pid}\)"):
            open_sink("parquet", tmp_path, [TRADES])
        killed.send_signal(signal.SIGKILL)
    assert [row["seq"] for row in read(tmp_path)] == list(range(40))
    assert len(list(tmp_path.rglob("*.tmp"))) == 1
    sink = open_sink("parquet", tmp_path, [TRADES])
    assert list(tmp_path.rglob("*.tmp")) == []
    write_all(sink, {"trades": [batch_of(TRADES, 10, 50, venue=["v"] * 10)]})
    assert [row["seq"] for row in read(tmp_path)] == [*range(40), *range(50, 60)]


def test_feeds_of_other_names_share_a_dataset(tmp_path):
    a = open_sink("parquet", tmp_path, [TRADES], feed="a")
    b = open_sink("parquet", tmp_path, [TRADES], feed="b")
    write_all(b, {"trades": [batch_of(TRADES, 5)]})
    write_all(a, {"trades": [batch_of(TRADES, 5, 5)]})
    assert [row["seq"] for row in read(tmp_path)] == list(range(10))


@pytest.mark.parametrize("place", ["data", "data/trades", "data/.tickwire-main"])
def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path, place):
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("a file")
    with pytest.raises(
        SinkError, match=r"^sink parquet: cannot (make the folder|write to) "
    ) as error:
        open_sink("parquet", tmp_path / "data", [TRADES])
    assert str(tmp_path / place) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_where_nothing_can_be_made_is_one_clear_line():
    with pytest.raises(SinkError, match=r"^sink parquet: cannot make the folder /proc/"):
        open_sink("parquet", parquet.Path("/proc/tickwire"), [TRADES])


def test_a_failure_while_running_keeps_what_was_published(tmp_path):
    sink = open_sink("parquet", tmp_path, [TRADES], rotate_s=0.01)
    source = ListSource([batch_of(TRADES, 5, venue=["v"] * 5)])
    sink.start({"trades": source})
    wait_for(lambda: sink.rows_committed["trades"] == 5)
    (tmp_path / "trades" / "venue=w").write_text("in the way")
    source.put(batch_of(TRADES, 5, 5, venue=["w"] * 5))
    wait_for(lambda: sink.error)
    sink.stop()
    assert source.is_closed
    assert str(sink.failed).startswith("sink parquet has not got 5 rows of trades: ")
    assert "venue=w" in str(sink.failed)
    assert len(pq.read_table(files(tmp_path)[0], partitioning=None)) == 5


def test_a_full_disk_is_waited_for_and_the_file_is_whole(tmp_path, monkeypatch):
    # A limit on the size of a file is the nearest that a test without privileges comes to it.
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 500)
    sink = open_sink("parquet", tmp_path, [TRADES])
    batches = []
    for i in range(4):
        texts = [os.urandom(100).hex() for _ in range(500)]
        batches.append(batch_of(TRADES, 500, 500 * i, seed=i, venue=["v"] * 500, trade_id=texts))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        sink.start({"trades": ListSource(batches)})
        wait_for(lambda: sink.n_retries >= 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    sink.stop()
    assert sink.failed is None
    assert read(tmp_path) == [row for batch in batches for row in cells(batch)]


def test_a_disk_that_stays_full_ends_the_sink_soon_after_stop(tmp_path, monkeypatch):
    monkeypatch.setattr("tickwire.sinks.retry.RETRY_AT_STOP_S", 0.1)
    sink = open_sink("parquet", tmp_path, [TRADES])
    texts = [os.urandom(100).hex() for _ in range(1000)]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
        sink.start({"trades": ListSource([batch_of(TRADES, 1000, trade_id=texts)])})
        sink.stop()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "no room on the disk" in str(sink.failed)
    assert sink.rows_committed == {"trades": 0}
    assert files(tmp_path) == []


def test_the_range_of_seq_is_in_a_files_name_and_metadata(tmp_path):
    batches = [batch_of(TRADES, 7, 7 * i, venue=["v"] * 7) for i in range(4)]
    write_all(
        open_sink("parquet", tmp_path, [TRADES], feed="my-feed_1_2", rotate_rows=20),
        {"trades": batches},
    )
    for path, (first, last) in zip(files(tmp_path), [(0, 19), (20, 27)], strict=True):
        assert path.stem.endswith(f"_{first}_{last}")
        assert range_in_name(path) == (first, last)
        metadata = pq.read_metadata(path).metadata
        assert range_in(metadata) == (first, last)
        assert pq.read_table(path, partitioning=None)["seq"].to_pylist() == list(
            range(first, last + 1)
        )
    assert range_in_name(tmp_path / "my-feed_1_2-20240808T000000.0-000001.parquet") is None
    assert range_in({b"tickwire.first_seq": b"x", b"tickwire.last_seq": b"1"}) is None


def test_a_whole_leftover_gets_its_range_too(tmp_path):
    sink = open_sink("parquet", tmp_path, [TRADES])
    write_all(sink, {"trades": [batch_of(TRADES, 5, 3, venue=["v"] * 5)]})
    [path] = files(tmp_path)
    place = tmp_path / ".tickwire-main" / path.parent.relative_to(tmp_path)
    place.mkdir(parents=True, exist_ok=True)
    path.rename(place / f"{path.name.rsplit('_', 2)[0]}.parquet.tmp")  # before its rename
    open_sink("parquet", tmp_path, [TRADES]).stop()
    assert files(tmp_path) == [path]


def test_files_rotate_by_size(tmp_path):
    sink = open_sink("parquet", tmp_path, [TRADES], rotate_mb=1)
    batches = [batch_of(TRADES, 4000, 4000 * i, venue=["v"] * 4000) for i in range(12)]
    write_all(sink, {"trades": batches})
    found = [range_in_name(path) for path in files(tmp_path)]
    assert len(found) > 2
    assert found[0][0] == 0
    assert found[-1][1] == 47_999
    assert all(before[1] + 1 == after[0] for before, after in pairwise(found))
