"""A capture is in an output once, however often it is replayed, beside what came live."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from tests.sinks.batches import SETTINGS, ListSource, batch_of

from tickwire.schema import TABLES
from tickwire.sinks import Identity, Replayed, Sink, duckdb_replays
from tickwire.store import Spill

TRADES = TABLES["trades"]
KINDS = ("duckdb", "parquet", "ipc")


def opened(
    kind: str,
    path: Path,
    replayed: Replayed | None = None,
    identity: Identity | None = None,
    tables: tuple[str, ...] = ("trades",),
) -> Sink:
    sink: Sink = SETTINGS[kind](path=path).make_sink("main")
    sink.replayed, sink.identity = replayed, identity
    sink.open([TABLES[table] for table in tables])
    return sink


def play(sink: Sink, *batches: pa.RecordBatch, is_whole: bool = True) -> None:
    """Write rows, as the replay of a sink does; where not `is_whole`, it is cut short."""
    sources = {table: ListSource() for table in sink.tables}
    sink.start(sources | {"trades": ListSource(batches)})
    if sink.replayed is not None:
        sink.replayed.is_whole = is_whole
    sink.stop()
    assert sink.failed is None


def seqs(kind: str, path: Path) -> list[int]:
    if kind == "duckdb":
        with duckdb.connect(str(path), read_only=True) as connection:
            found = connection.execute("SELECT seq FROM trades").fetchall()
        return sorted(seq for (seq,) in found)
    if kind == "parquet":
        return sorted(
            ds.dataset(path / "trades", partitioning="hive").to_table()["seq"].to_pylist()
        )
    batches = []
    for file in (path / "trades").glob("*.arrows"):
        batches += pa.ipc.open_stream(file.read_bytes())
    return sorted(seq for batch in batches for seq in batch["seq"].to_pylist())


def rows(first: int, n: int = 10) -> pa.RecordBatch:
    return batch_of(TRADES, n, first, venue=["v"] * n)


@pytest.mark.parametrize("kind", KINDS)
def test_an_output_that_has_all_of_a_capture_is_left_out(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "out"
    play(opened(kind, path), rows(0))
    first = opened(kind, path, Replayed("aa", "a"))
    assert not first.has_replay
    assert first.held.next_numbers["trades"] == 10
    play(first, rows(10))
    second = opened(kind, path, Replayed("aa", "a"))
    assert second.has_replay
    second.stop(drain=False)
    other = opened(kind, path, Replayed("bb", "b"))
    assert not other.has_replay
    assert other.held.next_numbers["trades"] == 20
    play(other, rows(20))
    assert seqs(kind, path) == list(range(30))


@pytest.mark.parametrize("kind", KINDS)
def test_again_removes_the_rows_of_one_capture_and_no_other(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "out"
    play(opened(kind, path), rows(0))
    play(opened(kind, path, Replayed("aa", "a")), rows(10), rows(20))
    play(opened(kind, path, Replayed("bb", "b")), rows(30))
    again = opened(kind, path, Replayed("aa", "a", again=True))
    assert not again.has_replay
    assert seqs_when_closed(again, kind, path) == [*range(10), *range(30, 40)]
    # It ended before it began; the next one, which does not ask for it, goes on with it.
    again = opened(kind, path, Replayed("aa", "a"))
    assert not again.has_replay
    assert again.held.next_numbers["trades"] == 40
    play(again, rows(40, 20))
    assert seqs(kind, path) == [*range(10), *range(30, 60)]


def seqs_when_closed(sink: Sink, kind: str, path: Path) -> list[int]:
    sink.stop(drain=False)
    return seqs(kind, path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_replay_that_was_cut_short_is_written_anew(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "out"
    play(opened(kind, path, Replayed("aa", "a")), rows(0), is_whole=False)
    play(opened(kind, path), rows(10))
    anew = opened(kind, path, Replayed("aa", "a"))
    assert not anew.has_replay
    play(anew, rows(20, 30))
    assert seqs(kind, path) == list(range(10, 50))
    left = opened(kind, path, Replayed("aa", "a"))
    assert left.has_replay
    left.stop(drain=False)


@pytest.mark.parametrize("kind", KINDS)
def test_a_live_feed_goes_on_behind_a_replay_and_reads_back_its_own_rows(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "out"
    identity = Identity("0123", frozenset({"0123"}))
    play(opened(kind, path, identity=identity), rows(0))
    play(opened(kind, path, Replayed("aa", "a")), rows(10, 40))
    live = opened(kind, path, identity=identity)
    assert live.held.next_numbers["trades"] == 50
    newest = [row for batch in live.newest_rows("trades", ("seq",), 5) for row in batch["seq"]]
    assert {row.as_py() for row in newest} <= set(range(10))
    live.stop(drain=False)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_a_spill_go_in_behind_a_replay_with_greater_numbers(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "out"
    play(opened(kind, path), rows(0))
    play(opened(kind, path, Replayed("aa", "a")), rows(15, 40))
    spill = Spill(tmp_path / "spill", ["trades"])
    spill.append("trades", rows(5))
    spill.close()
    live = opened(kind, path)
    live.start({"trades": ListSource()}, Spill(tmp_path / "spill", ["trades"]))
    live.stop()
    assert seqs(kind, path) == list(range(55))


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_that_the_sink_takes_since_makes_a_replay_new(tmp_path: Path, kind: str) -> None:
    path, both = tmp_path / "out", ("trades", "quotes")
    play(opened(kind, path, Replayed("aa", "a")), rows(0))
    more = opened(kind, path, Replayed("aa", "a"), tables=both)
    assert not more.has_replay
    play(more, rows(10))
    assert seqs(kind, path) == list(range(10, 20))
    for tables in (both, ("trades",)):
        left = opened(kind, path, Replayed("aa", "a"), tables=tables)
        assert left.has_replay
        left.stop(drain=False)


def test_a_replay_whose_table_was_dropped_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "out"
    play(opened("duckdb", path, Replayed("aa", "a")), rows(0))
    with duckdb.connect(str(path)) as connection:
        connection.execute("DROP TABLE trades")
    play(opened("duckdb", path, Replayed("aa", "a", again=True)), rows(0))
    assert seqs("duckdb", path) == list(range(10))


def test_a_table_that_the_sink_takes_no_more_keeps_its_replay(tmp_path: Path) -> None:
    path = tmp_path / "out"
    play(opened("duckdb", path, Replayed("aa", "a"), tables=("trades", "quotes")), rows(0))
    again = opened("duckdb", path, Replayed("aa", "a", again=True), tables=("quotes",))
    assert not again.has_replay
    assert seqs_when_closed(again, "duckdb", path) == list(range(10))


def test_what_cannot_be_noted_of_a_replay_changes_nothing_and_ends_its_transaction() -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA tickwire")
        connection.execute("CREATE VIEW tickwire.replays AS SELECT 'x' AS capture")
        with pytest.raises(duckdb.Error):
            duckdb_replays.begin(connection, Replayed("c", "a capture"), ["trades"])
        with pytest.raises(duckdb.Error):
            duckdb_replays.end(connection, "c", ["trades"])
        connection.begin()  # none is open
        connection.rollback()
