"""Write-ahead logs that a kill, or a disk, has damaged: the feed starts, and one line says so."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
from pathlib import Path

import duckdb
import pytest
from structlog.testing import capture_logs
from tests.sinks.batches import ListSource, batch_of, wait_for

from tickwire.errors import SinkError
from tickwire.schema import TABLES
from tickwire.sinks import DuckDBSettings, DuckDBSink, duckdb_log

TRADES = TABLES["trades"]
N_COMMITS, ROWS = 20, 100
N_FLIPS = 200
EVENT = "a write-ahead log cannot be read"


def killed(path: str) -> None:
    """Commit, and end without a checkpoint."""
    sink = DuckDBSettings(path=Path(path), flush_ms=1).make_sink("main")
    sink.open([TRADES])
    source = ListSource()
    sink.start({"trades": source})
    for i in range(N_COMMITS):
        source.put(batch_of(TRADES, ROWS, i * ROWS))
        wait_for(lambda i=i: sink.rows_committed["trades"] == (i + 1) * ROWS)
    os._exit(9)


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """What a killed process leaves: the file and its log."""
    path = tmp_path_factory.mktemp("killed") / "m.duckdb"
    process = multiprocessing.get_context("spawn").Process(target=killed, args=(str(path),))
    process.start()
    process.join(60)
    assert process.exitcode == 9
    return path.read_bytes(), path.with_name("m.duckdb.wal").read_bytes()


def opened(folder: Path, left: tuple[bytes, bytes]) -> tuple[DuckDBSink, int]:
    """Put a file and its log there, open a sink on them, and give how many rows it has."""
    path = folder / "m.duckdb"
    path.write_bytes(left[0])
    path.with_name("m.duckdb.wal").write_bytes(left[1])
    sink = DuckDBSettings(path=path).make_sink("main")
    sink.open([TRADES])
    with sink.cursor() as cursor:
        ((n_rows,),) = cursor.execute("SELECT count(*) FROM trades").fetchall()
    return sink, n_rows


def asides(folder: Path) -> list[Path]:
    return sorted(folder.glob("m.duckdb.wal.damaged-*"))


def test_a_whole_log_stays_and_is_replayed(tmp_path: Path, left: tuple[bytes, bytes]) -> None:
    sink, n_rows = opened(tmp_path, left)
    sink.stop(drain=False)
    assert n_rows == N_COMMITS * ROWS
    assert asides(tmp_path) == []
    assert sink.metrics.counter("sink_files_set_aside").value == 0


@pytest.mark.parametrize("share", [0.33, 0.87])
def test_a_changed_byte_costs_what_is_behind_it_and_the_log_is_kept(
    tmp_path: Path, left: tuple[bytes, bytes], share: float
) -> None:
    changed = bytearray(left[1])
    changed[int(len(changed) * share)] ^= 0x10
    with capture_logs() as logs:
        sink, n_rows = opened(tmp_path, (left[0], bytes(changed)))
    sink.stop(drain=False)
    (line,) = [each for each in logs if each["event"].startswith(EVENT)]
    (aside,) = asides(tmp_path)
    assert line["kept"] == str(aside)
    assert aside.read_bytes() == changed
    assert 0 < line["bytes"] < len(changed)
    assert 0.7 * share * N_COMMITS * ROWS < n_rows < N_COMMITS * ROWS
    assert n_rows % ROWS == 0
    assert sink.metrics.counter("sink_files_set_aside").value == 1
    with duckdb.connect(str(tmp_path / "m.duckdb"), read_only=True) as connection:
        rows = connection.execute("SELECT seq FROM trades ORDER BY rowid").fetchall()
    assert [row[0] for row in rows] == list(range(n_rows))


@pytest.mark.thorough
@pytest.mark.timeout(1800)
def test_a_random_byte_of_a_log_gives_no_wrong_row(
    tmp_path: Path, left: tuple[bytes, bytes]
) -> None:
    chance = random.Random(11)
    whole: list[tuple[object, ...]] = []
    for number in range(N_FLIPS + 1):
        changed = bytearray(left[1])
        if number:
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        folder = tmp_path / str(number)
        folder.mkdir()
        sink, n_rows = opened(folder, (left[0], bytes(changed)))
        with sink.cursor() as cursor:
            rows = cursor.execute("FROM trades ORDER BY rowid").fetchall()
        sink.stop(drain=False)
        whole = whole or rows
        assert n_rows % ROWS == 0
        assert rows == whole[:n_rows], number
        if number and n_rows < len(whole):
            # A length that has grown looks torn, and DuckDB says nothing: then the feed's notes of
            # what was committed do, by what the sink says that it holds.
            assert sink.held.is_complete
            assert sink.held.next_numbers.get("trades", 0) == n_rows
            for aside in asides(folder):
                assert aside.read_bytes() == changed
        shutil.rmtree(folder)
    assert len(whole) == N_COMMITS * ROWS


def test_a_log_that_cannot_be_read_at_all_is_set_aside(
    tmp_path: Path, left: tuple[bytes, bytes]
) -> None:
    changed = bytearray(left[1])
    changed[8:16] = b"\xff" * 8
    sink, n_rows = opened(tmp_path, (left[0], bytes(changed)))
    sink.stop(drain=False)
    assert n_rows == 0
    (aside,) = asides(tmp_path)
    assert aside.read_bytes() == changed


def test_a_process_that_aborts_on_a_log_is_no_crash_of_the_feed(
    tmp_path: Path, left: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    abort = "import os, sys\nif os.path.exists(sys.argv[1] + '.wal'): os.abort()\n"
    monkeypatch.setattr(duckdb_log, "PROBE", abort)
    with capture_logs() as logs:
        sink, _ = opened(tmp_path, left)
    sink.stop(drain=False)
    (line,) = [each for each in logs if each["event"].startswith(EVENT)]
    assert line["why"].endswith("ended by signal 6")
    assert asides(tmp_path)[0].read_bytes() == left[1]


@pytest.mark.parametrize(
    "ending",
    [
        "os.kill(os.getpid(), 9)",
        "os.kill(os.getpid(), 15)",
        f"sys.exit('{duckdb_log.LOG}: failed to pin block of size 256.0 KiB')",
        f"sys.exit('{duckdb_log.LOG}: failed to offload data block of size 256.0 KiB')",
        f"sys.exit('{duckdb_log.LOG}: Could not write file: No space left on device')",
    ],
)
def test_a_log_stays_where_another_process_is_killed_or_lacks_memory_or_disk(
    tmp_path: Path, left: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    end = f"import os, sys\nif os.path.exists(sys.argv[1] + '.wal'): {ending}\n"
    monkeypatch.setattr(duckdb_log, "PROBE", end)
    sink, n_rows = opened(tmp_path, left)
    sink.stop(drain=False)
    assert n_rows == N_COMMITS * ROWS
    assert asides(tmp_path) == []


def test_a_file_that_cannot_be_opened_without_its_log_keeps_it(
    tmp_path: Path, left: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_log, "PROBE", f"import sys; sys.exit('{duckdb_log.LOG}')")
    sink, n_rows = opened(tmp_path, left)
    sink.stop(drain=False)
    assert n_rows == N_COMMITS * ROWS
    assert asides(tmp_path) == []


def test_a_file_that_another_process_has_is_not_touched(
    tmp_path: Path, left: tuple[bytes, bytes]
) -> None:
    path = tmp_path / "m.duckdb"
    path.write_bytes(b"no database at all" * 1000)
    path.with_name("m.duckdb.wal").write_bytes(left[1])
    sink = DuckDBSettings(path=path).make_sink("main")
    with pytest.raises(SinkError, match="cannot open"):
        sink.open([TRADES])
    assert path.with_name("m.duckdb.wal").read_bytes() == left[1]


@pytest.mark.parametrize("executable", ["", "/nonexistent/python"])
def test_without_a_python_to_try_it_the_file_is_opened_all_the_same(
    tmp_path: Path,
    left: tuple[bytes, bytes],
    monkeypatch: pytest.MonkeyPatch,
    executable: str,
) -> None:
    monkeypatch.setattr(duckdb_log.sys, "executable", executable)
    sink, n_rows = opened(tmp_path, left)
    sink.stop(drain=False)
    assert n_rows == N_COMMITS * ROWS
