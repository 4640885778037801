"""A sink that fails, hangs, or whose output is taken away: alone, and without losing a row."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.sinks.batches import ListSource, batch_of, open_sink, wait_for

from tickwire.schema import TABLES
from tickwire.sinks import Sink, attempts, base, parquet, spiller
from tickwire.store import SegmentError, SegmentLog, Spill
from tickwire.supervise import BreakerState, breaker

TRADES = TABLES["trades"]
KINDS = ["duckdb", "ipc", "parquet"]
QUICK = {
    "duckdb": {"flush_ms": 1},
    "ipc": {"flush_ms": 1},
    "parquet": {"rotate_s": 0.01},
}


def exchange(one: Path, other: Path) -> None:
    """Let two paths change places at once, so that a sink cannot open a new one in between."""
    library = ctypes.CDLL(None, use_errno=True)
    at_cwd, rename_exchange = -100, 2  # renameat2(2)
    if library.renameat2(at_cwd, bytes(one), at_cwd, bytes(other), rename_exchange):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Trades(ListSource):
    """A ring of trades, as a sink sees it, that says how full it is."""

    def __init__(self) -> None:
        super().__init__()
        self.n_rows = 0
        self.is_deep = False

    def more(self, n_batches: int = 1) -> None:
        for _ in range(n_batches):
            self.put(batch_of(TRADES, 10, self.n_rows, venue=["v"] * 10, ts_recv=self._times()))
            self.n_rows += 10

    def _times(self) -> list[int]:
        return [1_700_000_000_000_000_000 + self.n_rows + i for i in range(10)]

    @property
    def depth(self) -> float:
        return 1.0 if self.is_deep else 0.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "FIRST_BACKOFF_S", 0.01)
    monkeypatch.setattr(attempts, "LONGEST_BACKOFF_S", 0.01)
    monkeypatch.setattr(breaker, "FIRST_OPEN_S", 0.02)
    monkeypatch.setattr(breaker, "LONGEST_OPEN_S", 0.02)
    monkeypatch.setattr(attempts, "RETRY_AT_STOP_S", 0.1)
    monkeypatch.setattr(attempts, "SPILL_AFTER_S", 0.05)
    monkeypatch.setattr(spiller, "SPILL_LOOK_S", 0.01)
    monkeypatch.setattr(base, "STALLED_S", 10.0)


def sink_of(kind: str, root: Path) -> Sink:
    path = root / "out" if kind != "duckdb" else root / "out.duckdb"
    return open_sink(kind, path, [TRADES], **QUICK[kind])


def start(sink: Sink, root: Path, *, on_disk: bool = True) -> Trades:
    source = Trades()
    sink.start({"trades": source}, Spill(root / "spill" if on_disk else None, ["trades"]))
    return source


def read(kind: str, root: Path) -> list[int]:
    """Every seq in the output, in order, doubles too."""
    if kind == "duckdb":
        with duckdb.connect(str(root / "out.duckdb")) as connection:
            rows = connection.sql("SELECT seq FROM trades ORDER BY seq").fetchall()
            return [seq for (seq,) in rows]
    seqs: list[int] = []
    if kind == "parquet":
        for path in (root / "out").rglob("*.parquet"):
            seqs += pq.read_table(path, columns=["seq"], partitioning=None)["seq"].to_pylist()
    for path in (root / "out").rglob("*.arrows"):
        try:
            for batch in pa.ipc.open_stream(path.read_bytes()):
                seqs += batch.column("seq").to_pylist()
        except pa.ArrowInvalid:
            pass
    return sorted(seqs)


def n_committed(sink: Sink) -> int:
    return sink.rows_committed["trades"]


def fail(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Let every write fail until the event is set."""
    mended = threading.Event()
    write = type(sink)._write

    def failing(self: Sink, batches: object) -> None:
        if not mended.is_set():
            raise OSError(5, "Input/output error")
        write(self, batches)  # type: ignore[arg-type] # as it came

    monkeypatch.setattr(type(sink), "_write", failing)
    return mended


@pytest.mark.parametrize("on_disk", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_sink_that_fails_does_not_take_is_spilled_and_goes_in_in_order(
    kind: str, on_disk: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = sink_of(kind, tmp_path)
    mended = fail(sink, monkeypatch)
    source = start(sink, tmp_path, on_disk=on_disk)
    source.more(3)
    wait_for(lambda: "Input/output error" in sink.error)
    for _ in range(20):
        source.more()
        time.sleep(0.005)
    wait_for(lambda: not source.batches)  # the ring is free, though nothing was committed
    assert n_committed(sink) == 0
    wait_for(lambda: sink.rows_safe == {"trades": source.n_rows if on_disk else 0})
    assert sink.rows_left == {"trades": source.n_rows}
    mended.set()
    wait_for(lambda: not sink.error)
    source.more(5)
    sink.stop()
    assert sink.failed is None
    assert n_committed(sink) == source.n_rows
    assert read(kind, tmp_path) == list(range(source.n_rows))
    assert not list(tmp_path.glob("spill/trades/*"))


def test_five_failures_in_a_row_open_the_breaker_and_a_success_closes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = sink_of("ipc", tmp_path)
    states: list[BreakerState] = []
    on_breaker = sink._attempts._on_breaker
    monkeypatch.setattr(
        sink._attempts._breaker,
        "_on_change",
        lambda of, to: (states.append(to), on_breaker(of, to)),
    )
    mended = fail(sink, monkeypatch)
    source = start(sink, tmp_path)
    source.more()
    wait_for(lambda: BreakerState.OPEN in states)
    assert sink.metrics.registry.total("sink_failures") >= 5
    wait_for(lambda: states.count(BreakerState.OPEN) >= 2)  # it was tried, in vain
    mended.set()
    wait_for(lambda: sink.breaker_state is BreakerState.CLOSED)
    assert states[:3] == [BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.OPEN]
    assert states[-2:] == [BreakerState.HALF_OPEN, BreakerState.CLOSED]
    changes = sink.metrics.registry.by("breaker_changes", "breaker", "state")
    assert changes[f"sink {sink.name}"] == {
        state.value: states.count(state) for state in BreakerState
    }
    assert sink.metrics.registry.total("breakers_open") == 0
    source.more()
    sink.stop()
    assert n_committed(sink) == 20


def remove_tree(path: Path) -> None:
    """Remove a folder in which the sink may make files again, meanwhile."""
    for _ in range(100):
        with suppress(OSError):  # not empty any more
            shutil.rmtree(path)
            return
    raise AssertionError(f"{path} cannot be removed")


@pytest.mark.parametrize("kind", KINDS)
def test_an_output_that_was_deleted_is_made_again(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sink = sink_of(kind, tmp_path)
    source = start(sink, tmp_path)
    source.more(3)
    wait_for(lambda: n_committed(sink) == 30)
    for path in tmp_path.iterdir():
        if path.name.startswith("out"):
            remove_tree(path) if path.is_dir() else path.unlink()
    source.more(4)
    wait_for(lambda: n_committed(sink) == 70)
    sink.stop()
    assert sink.failed is None
    found = read(kind, tmp_path)
    assert found[-40:] == list(range(30, 70))
    assert len(set(found)) == len(found)
    # Parquet files may be removed one by one, to keep a dataset small.
    if kind != "parquet":
        assert "was deleted, with the rows of trades up to seq 29" in caplog.text


def test_a_log_of_duckdb_that_was_deleted_alone_costs_nothing(tmp_path: Path) -> None:
    sink = sink_of("duckdb", tmp_path)
    source = start(sink, tmp_path)
    source.more(3)
    wait_for(lambda: n_committed(sink) == 30)
    (tmp_path / "out.duckdb.wal").unlink()
    source.more()
    wait_for(lambda: sink.metrics.registry.total("sink_failures") == 1)
    wait_for(lambda: n_committed(sink) == 40)
    shutil.copy(tmp_path / "out.duckdb", tmp_path / "kept.duckdb")  # as a kill would leave it
    wal = tmp_path / "out.duckdb.wal"
    if wal.exists():
        shutil.copy(wal, tmp_path / "kept.duckdb.wal")
    with duckdb.connect(str(tmp_path / "kept.duckdb")) as connection:
        rows = connection.sql("SELECT seq FROM trades ORDER BY seq").fetchall()
    assert [seq for (seq,) in rows] == list(range(40))
    sink.stop()
    assert read("duckdb", tmp_path) == list(range(40))


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_that_cannot_be_written_for_a_while_costs_nothing(
    kind: str, tmp_path: Path
) -> None:
    sink = sink_of(kind, tmp_path)
    source = start(sink, tmp_path)
    source.more()
    wait_for(lambda: n_committed(sink) == 10)
    out = next(path for path in tmp_path.iterdir() if path.name.startswith("out"))
    aside = tmp_path / "aside"  # what stands in the output's place cannot be opened
    aside.write_text("in the way") if kind != "duckdb" else aside.mkdir()
    exchange(aside, out)
    source.more(3)
    wait_for(lambda: sink.error)
    exchange(aside, out)
    wait_for(lambda: n_committed(sink) == 40)
    sink.stop()
    assert sink.failed is None
    assert read(kind, tmp_path) == list(range(40))


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_that_hangs_delays_neither_the_ring_nor_the_stop(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = sink_of(kind, tmp_path)
    monkeypatch.setattr(base, "STALLED_S", 0.3)
    goes_on = threading.Event()
    monkeypatch.setattr(type(sink), "_write", lambda *_: goes_on.wait(60))
    source = start(sink, tmp_path)
    source.more()
    wait_for(lambda: not source.batches)
    source.more(5)
    wait_for(lambda: not source.batches)
    assert sink.trouble.startswith("a call to its output has not returned for ")
    assert sink.metrics.registry.total("sink_failing") == 1
    source.more()
    began_s = time.monotonic()
    sink.stop()
    assert time.monotonic() - began_s < 10
    assert sink.is_hung
    assert str(sink.failed) == (
        f"sink {kind} has not got 70 rows of trades (they wait in {tmp_path / 'spill'} for the "
        "next start): a call to its output does not return"
    )
    again = Spill(tmp_path / "spill", ["trades"])
    assert again.recovered_rows("trades") == 70
    goes_on.set()
    assert sink._thread is not None
    sink._thread.join(10)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_left_goes_in_at_the_next_start_once(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = sink_of(kind, tmp_path)
    source = start(sink, tmp_path)
    source.more(4)
    wait_for(lambda: n_committed(sink) == 40)
    with monkeypatch.context() as patched:
        fail(sink, patched)
        source.more(6)
        wait_for(lambda: sink.error)
        sink.stop()
    assert sink.rows_left == {"trades": 60}
    # Its segments hold rows that the output has, too.
    kept = Spill(tmp_path / "spill", ["trades"])
    assert kept.recovered_rows("trades") >= 60
    kept.close()
    again = sink_of(kind, tmp_path)
    more = start(again, tmp_path)
    more.n_rows = source.n_rows
    more.more(2)
    again.stop()
    assert again.failed is None
    assert read(kind, tmp_path) == list(range(120))
    assert not list(tmp_path.glob("spill/trades/*"))


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_the_output_has_already_are_not_written_again(kind: str, tmp_path: Path) -> None:
    """A kill between the output's commit and the end of the segment."""
    sink = sink_of(kind, tmp_path)
    source = start(sink, tmp_path)
    source.more(4)
    wait_for(lambda: n_committed(sink) == 40)
    sink.stop()
    spill = Spill(tmp_path / "spill", ["trades"])
    made = Trades()
    made.more(6)
    for batch in made.batches:
        spill.append("trades", batch)
    spill.close()
    again = sink_of(kind, tmp_path)
    start(again, tmp_path)
    again.stop()
    assert again.failed is None
    assert read(kind, tmp_path) == list(range(60))
    assert n_committed(again) == 20


def test_rows_go_to_the_spill_before_the_ring_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "SPILL_AFTER_S", 60.0)
    monkeypatch.setattr(spiller, "BUSY_S", 0.05)
    sink = sink_of("ipc", tmp_path)
    mended = fail(sink, monkeypatch)
    source = start(sink, tmp_path)
    source.more()
    wait_for(lambda: sink.error)
    source.more(3)
    time.sleep(0.2)
    assert len(source.batches) == 3
    source.is_deep = True
    wait_for(lambda: not source.batches)
    source.is_deep = False
    mended.set()
    sink.stop()
    assert read("ipc", tmp_path) == list(range(40))


def test_past_the_bound_rows_stay_in_the_ring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sink = sink_of("ipc", tmp_path)
    mended = fail(sink, monkeypatch)
    source = Trades()
    sink.start({"trades": source}, Spill(tmp_path / "spill", ["trades"], max_bytes=1))
    source.more()
    wait_for(lambda: sink.error and not source.batches)
    time.sleep(0.2)
    source.more(3)
    time.sleep(0.2)
    assert len(source.batches) == 3
    assert any("cannot be spilled" in record.getMessage() for record in caplog.records)
    mended.set()
    sink.stop()
    assert read("ipc", tmp_path) == list(range(40))


@pytest.mark.parametrize("kind", KINDS)
def test_retries_are_counted_and_told_once_a_minute(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "tickwire")
    sink = sink_of(kind, tmp_path)
    mended = fail(sink, monkeypatch)
    source = start(sink, tmp_path)
    source.more()
    registry = sink.metrics.registry
    wait_for(lambda: registry.total("sink_failures") > 5)
    assert registry.total("sink_failing") == 1
    mended.set()
    wait_for(lambda: not sink.error)
    wait_for(lambda: registry.total("sink_failing") == 0)
    sink.stop()
    lines = [record.getMessage() for record in caplog.records]
    assert sum(line.startswith("a sink fails: ") for line in lines) == 1
    assert sum(line.startswith("the sink works again") for line in lines) == 1


def test_what_is_spilled_is_synced_while_others_append(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sync, may_go_on, errors = os.fsync, threading.Event(), [OSError(5, "Input/output error")]
    syncing: list[str] = []

    def slow(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.suffix == ".segment":
            syncing.append(threading.current_thread().name)
            may_go_on.wait(30)
            if errors:
                raise errors.pop()
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    sink = sink_of("parquet", tmp_path)
    sink._rotate_s = 3600.0  # type: ignore[attr-defined] # a Parquet sink
    source = Trades()
    spill = Spill(tmp_path / "spill", ["trades"], sync_s=0.01)
    sink.start({"trades": source}, spill)
    source.more()
    wait_for(lambda: syncing)
    source.more()  # the worker puts it into the segment while the first sync waits
    wait_for(lambda: sink.rows_safe == {"trades": 20})
    assert len(syncing) == 1
    may_go_on.set()
    wait_for(lambda: len(syncing) > 1)
    wait_for(lambda: sink.metrics.registry.total("spill_syncs") > 1)
    sink.stop()
    assert set(syncing) == {"spill-parquet"}
    assert sink.metrics.registry.total("spill_sync_seconds") > 0
    lines = [record.getMessage() for record in caplog.records]
    assert sum("a spill cannot be synced" in line for line in lines) == 1
    assert read("parquet", tmp_path) == list(range(20))


def test_a_sync_that_fails_keeps_no_other_from_its_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sync, synced = os.fsync, []

    def failing(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append((path.parent if path.suffix else path).name)
        if path.suffix and "trades" in str(path):
            raise OSError(5, "Input/output error")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", failing)
    intake = sink_of("parquet", tmp_path)._intake
    intake.spill = Spill(tmp_path / "spill", ["trades", "quotes", "book"], sync_s=1.0)
    for table in ("trades", "quotes", "book"):
        intake.spill.append(table, batch_of(TABLES[table], 10, 0))
    shutil.rmtree(tmp_path / "spill" / "book")  # its name cannot be synced
    n_open = len(list(Path("/proc/self/fd").iterdir()))
    intake.sync()
    assert synced == ["trades", "trades", "quotes", "quotes"]
    assert len(list(Path("/proc/self/fd").iterdir())) == n_open
    lines = [record.getMessage() for record in caplog.records]
    assert sum("a spill cannot be synced" in line for line in lines) == 1
    intake.spill.close()


@pytest.mark.parametrize("kind", KINDS)
def test_housekeeping_that_fails_is_a_failure_like_others(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = sink_of(kind, tmp_path)
    keep, errors = sink._housekeeping, [OSError(5, "Input/output error")]

    def housekeeping(n_rows: int) -> None:
        if n_rows and errors:
            raise errors.pop()
        keep(n_rows)

    monkeypatch.setattr(sink, "_housekeeping", housekeeping)
    source = start(sink, tmp_path)
    source.more(3)
    wait_for(lambda: sink.metrics.registry.total("sink_failures") == 1)
    source.more(2)
    wait_for(lambda: not sink.error)
    sink.stop()
    assert sink.failed is None
    assert read(kind, tmp_path) == list(range(source.n_rows))


@pytest.mark.parametrize("kind", KINDS)
def test_a_ring_keeps_rows_that_neither_the_output_nor_the_spills_disk_takes(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, is_full = SegmentLog.append, threading.Event()

    def failing(self: SegmentLog, batch: pa.RecordBatch) -> None:
        if is_full.is_set():
            raise SegmentError("No space left on device")
        append(self, batch)

    monkeypatch.setattr(SegmentLog, "append", failing)
    sink = sink_of(kind, tmp_path)
    mended = fail(sink, monkeypatch)
    is_full.set()
    source = start(sink, tmp_path)
    source.more(3)
    wait_for(lambda: "No space left" in sink.stuck)
    time.sleep(0.05)
    assert sink.rows_safe == {"trades": 0}
    is_full.clear()  # no row comes that could wake anybody
    wait_for(lambda: sink.rows_safe == {"trades": 30})
    mended.set()
    sink.stop()
    assert sink.failed is None
    assert read(kind, tmp_path) == list(range(30))


@pytest.mark.parametrize("failing", ["rename", "sync_folder"])
def test_a_whole_file_that_could_not_appear_nor_be_removed_is_written_once(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that turns read-only while a Parquet file is published."""
    mended, rename, unlink = threading.Event(), Path.rename, Path.unlink
    sync_folder = parquet.sync_folder

    def fail_until_mended(path: Path) -> None:
        if not mended.is_set() and path.is_relative_to(tmp_path / "out"):
            raise OSError(errno.EROFS, "Read-only file system", str(path))

    def renamed(path: Path, to: Path) -> Path:
        if failing == "rename" and path.suffix == ".tmp":
            fail_until_mended(path)
        return rename(path, to)

    def removed(path: Path, missing_ok: bool = False) -> None:
        fail_until_mended(path)
        unlink(path, missing_ok=missing_ok)

    def synced(path: Path) -> None:
        if failing == "sync_folder":
            fail_until_mended(path)
        sync_folder(path)

    monkeypatch.setattr(Path, "rename", renamed)
    monkeypatch.setattr(Path, "unlink", removed)
    monkeypatch.setattr(parquet, "sync_folder", synced)
    sink = sink_of("parquet", tmp_path)
    source = start(sink, tmp_path)
    source.more(3)
    wait_for(lambda: sink.error)
    source.more(2)
    mended.set()
    wait_for(lambda: n_committed(sink) == 50)
    sink.stop()
    assert sink.failed is None
    assert read("parquet", tmp_path) == list(range(50))
