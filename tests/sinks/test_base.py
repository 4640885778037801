"""All sinks at once behind real rings, with a writer that is faster than they are."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from tests.sinks.batches import (
    NOW_NS,
    SETTINGS,
    ListSource,
    batch_of,
    cells,
    open_sink,
    wait_for,
    write_all,
)

from tickwire import __version__
from tickwire.clock import mono_ns
from tickwire.observe import Metrics
from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES, Table
from tickwire.sinks import Sink, Stalls
from tickwire.sinks.identity import Held

N_ROWS = 8_000
RING_ROWS = 1024
OFFERED = [TABLES["trades"], TABLES["quotes"], TABLES["quarantine"]]


def row(table: Table, i: int) -> dict[str, object]:
    common = {"venue": "hyperliquid", "symbol": f"S{i // 50}", "ts_recv": NOW_NS + i, "conn": 1}
    match table.name:
        case "trades":
            own = {"price": i / 8, "size": 1.0, "side": "buy", "trade_id": str(i)}
            return common | own | {"channel": "trades", "ts_event": NOW_NS}
        case "quotes":
            return common | {"bid_price": None if i % 3 else i / 4, "venue_seq": i}
    return {"ts_recv": NOW_NS + i, "reason": "not JSON", "payload": b"\0\xff" * (i % 9)}


def write_rows(rings: list[Ring]) -> None:
    """All rows, published a few at a time; where a ring is full it waits."""
    for i in range(N_ROWS):
        for ring in rings:
            while not ring.append(**row(ring.table, i)):
                time.sleep(0.0005)


def read(kind: str, root: Path, table: Table) -> pa.Table:
    names = table.arrow_schema.names
    if kind == "duckdb":
        with duckdb.connect(str(root), read_only=True) as connection:
            return connection.table(table.name).order("seq").to_arrow_table().select(names)
    if kind == "parquet":
        # Where every venue is null, as in quarantine here, pyarrow cannot infer the type.
        parts = pa.schema([("venue", pa.utf8()), ("date", pa.date32())])
        partitioning = ds.partitioning(parts, flavor="hive")
        rows = ds.dataset(root / table.name, partitioning=partitioning).to_table()
        return rows.sort_by("seq").select(names)
    (path,) = (root / table.name).iterdir()
    return pa.ipc.open_stream(path.read_bytes()).read_all()


def test_no_row_is_lost_between_the_rings_and_the_three_outputs(tmp_path):
    dictionaries = Dictionaries()
    rings = [Ring(table, RING_ROWS, dictionaries, seq_base=7) for table in OFFERED]
    sinks: dict[str, Sink] = {
        "duckdb": open_sink("duckdb", tmp_path / "duckdb", OFFERED, flush_ms=5),
        "parquet": open_sink("parquet", tmp_path / "parquet", OFFERED, rotate_rows=3_000),
        "ipc": open_sink("ipc", tmp_path / "ipc", OFFERED, flush_ms=3),
    }
    for sink in sinks.values():
        sink.start({ring.table.name: Consumer(ring, commits=True) for ring in rings})
    write_rows(rings)
    for sink in sinks.values():
        sink.stop()
    for kind, sink in sinks.items():
        assert sink.failed is None
        assert sink.rows_committed == {table.name: N_ROWS for table in OFFERED}
        for table in OFFERED:
            found = read(kind, tmp_path / kind, table)
            assert found["seq"].to_pylist() == list(range(7, 7 + N_ROWS))
            last = cells(found.slice(N_ROWS - 1))[0]
            expected = dict.fromkeys(table.arrow_schema.names) | row(table, N_ROWS - 1)
            assert last == expected | {"seq": 6 + N_ROWS}
            assert found["ts_recv"].cast(pa.int64()).to_pylist() == [
                NOW_NS + i for i in range(N_ROWS)
            ]
    assert sinks["duckdb"].latency.count == sinks["ipc"].latency.count == 3 * N_ROWS
    assert sinks["parquet"].latency.count == 0


def test_latency_begins_with_the_read(tmp_path):
    ring = Ring(TABLES["mids"], RING_ROWS, Dictionaries())
    sink = open_sink("duckdb", tmp_path / "a.duckdb", [ring.table], flush_ms=1)
    sink.start({"mids": Consumer(ring, commits=True)})
    age_ns = 5_000_000_000
    values = {"venue": "v", "symbol": "s", "ts_recv": 1, "conn": 0, "price": 1.0}
    assert ring.append(**values, recv_mono=mono_ns() - age_ns)
    sink.stop()
    assert sink.latency.count == 1
    assert sink.latency.min >= age_ns


@pytest.mark.parametrize("kind", ["duckdb", "parquet", "ipc"])
def test_a_sink_can_be_stopped_before_it_starts_and_twice(tmp_path, kind):
    sink = open_sink(kind, tmp_path / "out", [TABLES["mids"]])
    sink.stop()
    sink.stop()
    again = open_sink(kind, tmp_path / "out", [TABLES["mids"]])
    again.start({"mids": Consumer(Ring(TABLES["mids"], RING_ROWS, Dictionaries()))})
    again.stop()
    again.stop()
    assert again.failed is None
    assert again.rows_committed == {"mids": 0}


@pytest.mark.parametrize(("kind", "pattern"), [("parquet", "*.parquet"), ("ipc", "*.arrows")])
def test_files_say_where_rows_come_from_and_what_numbers_count(tmp_path, kind, pattern):
    sink = SETTINGS[kind](path=tmp_path).make_sink("desk")
    sink.open([TABLES["trades"]], ["hyperliquid", "binance", "hyperliquid"])
    write_all(sink, {"trades": [batch_of(TABLES["trades"], 5, venue=["binance"] * 5)]})
    (path,) = tmp_path.rglob(pattern)
    if kind == "parquet":
        schema = pq.read_schema(path)
    else:
        with pa.OSFile(str(path)) as file:
            schema = pa.ipc.open_stream(file).schema
    assert {key: value for key, value in schema.metadata.items() if b"tickwire" in key} == {
        b"tickwire.version": __version__.encode(),
        b"tickwire.feed": b"desk",
        b"tickwire.venues": b"hyperliquid,binance",
    }
    assert schema.field("price").metadata[b"unit"] == b"quote currency"
    assert schema.field("ts_recv").metadata[b"unit"] == b"ns since 1970-01-01, UTC"
    assert b"unit" not in (schema.field("side").metadata or {})


def test_between_its_looks_a_sink_sleeps_and_a_stop_wakes_it(tmp_path):
    source = ListSource()
    sink = open_sink("ipc", tmp_path, [TABLES["mids"]], flush_ms=3_600_000)
    sink.start({"mids": source})
    wait_for(lambda: source.n_looks)
    sink.stop()
    assert source.n_looks == 3  # at the start, to drain, and for what is left


def test_stalls_add_up():
    stalls = Stalls(Metrics(labels={"sink": "duckdb"}))
    stalls.add(0.5)
    stalls.add(0.25)
    assert (stalls.count, stalls.total_s, stalls.max_s) == (2, 0.75, 0.5)


class PlainSink(Sink):
    """What a sink has that declares nothing of its own."""

    def _open(self) -> None: ...
    def _write(self, batches: Mapping[str, pa.RecordBatch]) -> None: ...
    def _finish(self) -> None: ...
    def _close(self) -> None: ...


def test_a_sink_that_reads_nothing_back_says_so(tmp_path: Path) -> None:
    sink = PlainSink(SETTINGS["ipc"](path=tmp_path / "out"), "main")
    sink.abort(0.0)  # it has not begun
    sink.open([TABLES["trades"]])
    assert sink.held == Held()
    assert list(sink.newest_rows("trades", ("ts_recv",), 1)) == []
    assert sink.rows_of("trades", ("price",), ("BTC",), 1) is None
