"""Whose rows an output has: ids, numbers, and locks that survive the deletion of their file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.sinks.batches import ListSource, batch_of

from tickwire.errors import SinkError
from tickwire.schema import TABLES
from tickwire.sinks import DuckDBSettings, Identity, IpcSettings, ParquetSettings, Sink
from tickwire.sinks.identity import Held, OutputLock, claim

NAMES = ("trades", "gaps", "sessions")
SETTINGS = {"duckdb": DuckDBSettings, "parquet": ParquetSettings, "ipc": IpcSettings}
KINDS = list(SETTINGS)


def sink_of(kind: str, folder: Path, identity: Identity | None, feed: str = "main") -> Sink:
    sink: Sink = SETTINGS[kind](path=folder / "out").make_sink(feed)
    sink.identity = identity
    return sink


def write(kind: str, folder: Path, identity: Identity | None, first: int, n: int) -> Sink:
    sink = sink_of(kind, folder, identity)
    sink.open(TABLES[name] for name in NAMES)
    numbers = list(range(first, first + n))
    batches = {
        "trades": batch_of(TABLES["trades"], n, first, conn=[0] * n),
        "gaps": batch_of(TABLES["gaps"], n, first, gap_id=numbers, conn=[None] * n),
        "sessions": batch_of(TABLES["sessions"], n, first, conn=numbers),
    }
    sink.start({name: ListSource([batch]) for name, batch in batches.items()})
    sink.stop()
    assert sink.failed is None
    return sink


@pytest.mark.parametrize("kind", KINDS)
def test_an_output_says_whose_it_is_and_up_to_where(tmp_path: Path, kind: str) -> None:
    me = Identity("a1", frozenset(["a1"]), is_new=True)
    first = write(kind, tmp_path, me, 7, 5)
    assert first.held.next_numbers == {}
    second = write(kind, tmp_path, me, 12, 3)
    assert (second.held.feed_id, second.held.feed) == ("a1", "main")
    assert second.held.next_numbers == {
        "trades": 12, "gaps": 12, "gaps.gap_id": 12, "sessions": 12, "conn": 12,
    }  # fmt: skip
    assert second.adopted == ""


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_another_id_are_refused_unless_adopted(tmp_path: Path, kind: str) -> None:
    write(kind, tmp_path, Identity("a1"), 0, 5)
    other = sink_of(kind, tmp_path, Identity("b2", frozenset(["b2"])))
    with pytest.raises(SinkError, match=r"rows of another feed .*a1.*--adopt"):
        other.open(TABLES[name] for name in NAMES)
    other.stop(drain=False)
    adopting = sink_of(kind, tmp_path, Identity("b2", adopts=True))
    adopting.open(TABLES[name] for name in NAMES)
    adopting.stop(drain=False)
    assert adopting.adopted == "a1"
    knowing = sink_of(kind, tmp_path, Identity("b2", frozenset(["a1", "b2"])))
    knowing.open(TABLES[name] for name in NAMES)
    knowing.stop(drain=False)
    assert knowing.adopted == ""


@pytest.mark.parametrize("kind", KINDS)
def test_rows_from_before_ids_are_adopted_with_one_line(tmp_path: Path, kind: str) -> None:
    write(kind, tmp_path, None, 0, 5)
    with capture_logs() as logs:
        sink = write(kind, tmp_path, Identity("a1", is_new=True), 5, 5)
    lines = [each for each in logs if each["event"] == "rows without the id of a feed are adopted"]
    assert len(lines) == 1
    assert sink.held.next_numbers["trades"] == 5


def test_a_feed_without_state_keeps_the_id_of_a_file(tmp_path: Path) -> None:
    write("duckdb", tmp_path, Identity("a1"), 0, 5)
    assert write("duckdb", tmp_path, None, 5, 5).held.feed_id == "a1"
    assert write("duckdb", tmp_path, Identity("a1"), 10, 5).held.feed_id == "a1"


def test_a_new_state_goes_on_behind_rows_of_its_own_name_alone() -> None:
    held = Held("a1", "main", {"trades": 5})
    new = Identity("b2", frozenset(["b2"]), is_new=True)
    assert claim(held, new, feed="main", sink="s", target="t") == "a1"
    with pytest.raises(SinkError, match="another feed"):
        claim(held, new, feed="other", sink="s", target="t")


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    lock = OutputLock(tmp_path / "deep" / "lock")
    with pytest.raises(BlockingIOError, match=str(os.getpid())):
        OutputLock(tmp_path / "deep" / "lock")
    lock.check()
    lock.close()
    OutputLock(tmp_path / "deep" / "lock").close()


def test_a_lock_that_cannot_be_had_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_open = len(list(Path("/proc/self/fd").iterdir()))
    with monkeypatch.context() as patch:
        patch.setattr(OutputLock, "_is_named", lambda _self, _file: False)
        with pytest.raises(OSError, match="is deleted again and again"):
            OutputLock(tmp_path / "lock")

    def full(_file: int, _n_bytes: int) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", full)
        with pytest.raises(OSError, match="no space left"):
            OutputLock(tmp_path / "lock")
    assert len(list(Path("/proc/self/fd").iterdir())) == n_open
    OutputLock(tmp_path / "lock").close()


def test_a_lock_whose_file_was_deleted_is_taken_again(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = OutputLock(path)
    path.unlink()
    lock.check()
    with pytest.raises(BlockingIOError):
        OutputLock(path)
    path.unlink()
    other = OutputLock(path)  # quicker than the next look
    with pytest.raises(BlockingIOError):
        lock.check()
    other.close()
    lock.check()
    lock.close()


@pytest.mark.parametrize("kind", ["parquet", "ipc"])
def test_two_feeds_of_one_name_cannot_write_one_folder(tmp_path: Path, kind: str) -> None:
    first = sink_of(kind, tmp_path, None)
    first.open([TABLES["trades"]])
    second = sink_of(kind, tmp_path, None)
    with pytest.raises(SinkError, match=rf"is writing to .* already \(pid {os.getpid()}\)"):
        second.open([TABLES["trades"]])
    (tmp_path / "out" / ".tickwire-main" / "lock").unlink()
    first._housekeeping(0)  # as the worker does all the time
    with pytest.raises(SinkError, match="already"):
        sink_of(kind, tmp_path, None).open([TABLES["trades"]])
    (tmp_path / "out" / ".tickwire-main" / "lock").unlink()
    third = sink_of(kind, tmp_path, None)
    third.open([TABLES["trades"]])
    with pytest.raises(SinkError, match="already"):
        first._housekeeping(0)
    third.stop(drain=False)
    first.stop(drain=False)
