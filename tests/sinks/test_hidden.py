"""Unfinished Parquet files: on the file system of their target, and never thrown away."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
import structlog
from tests.sinks.batches import ListSource, batch_of, open_sink, wait_for, write_all

from tickwire.errors import SinkError
from tickwire.schema import TABLES

TRADES = TABLES["trades"]
NAME = "main-20240808T000000.000000000-000001.parquet"
PLACE = Path("trades/venue=v/date=2024-08-08")
SHM = Path("/dev/shm")  # noqa: S108 - another disk than the tests' folder
Rename = Callable[[str, str], None]


def trades(n_rows: int, first_seq: int = 0):
    return batch_of(TRADES, n_rows, first_seq, venue=["v"] * n_rows)


def seqs(root: Path) -> list[int]:
    files = sorted((root / "trades").rglob("*.parquet"))
    return sorted(n for f in files for n in pq.read_table(f, partitioning=None)["seq"].to_pylist())


def hidden(root: Path) -> list[str]:
    """Give what lies in the dataset and is no part of it, but for the lock."""
    found = []
    for folder, folders, names in os.walk(root, followlinks=True):  # `rglob` follows none
        paths = [(Path(folder) / name).relative_to(root).as_posix() for name in folders + names]
        found += [path for path in paths if ".tickwire" in path or path.endswith(".tmp")]
    return sorted(set(found) - {".tickwire-main", ".tickwire-main/lock"})


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a folder on another file system."""
    if not SHM.is_dir() or SHM.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("this machine has no second file system at /dev/shm")
    folder = Path(tempfile.mkdtemp(dir=SHM, prefix="tickwire-test-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def bind_mount(tmp_path: Path) -> Iterator[Callable[[Path], None]]:
    """Give a function that mounts a folder of the same file system at a place."""
    mounted: list[Path] = []

    def mount(place: Path) -> None:
        source = tmp_path / "bind"
        source.mkdir()
        command = ["mount", "--bind", str(source), str(place)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            pytest.skip(f"no mounts for this user: {done.stderr.strip()}")
        mounted.append(place)

    yield mount
    for place in mounted:
        subprocess.run(["umount", str(place)], check=True)  # noqa: S603, S607


def no_way_between(monkeypatch: pytest.MonkeyPatch, inner: Path) -> None:
    """Let a rename into or out of `inner` fail as between two file systems."""
    rename = os.rename

    def tried(source: str, target: str) -> None:
        if Path(source).is_relative_to(inner) != Path(target).is_relative_to(inner):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(source))
        rename(source, target)

    monkeypatch.setattr(os, "rename", tried)


def check_split(root: Path) -> None:
    """Write to a dataset of two file systems, looking at it meanwhile."""
    sink = open_sink("parquet", root, [TRADES], rotate_s=3600.0)
    source = ListSource([trades(50)])
    sink.start({"trades": source})
    wait_for(lambda: list((root / "trades").rglob("*.tmp")))
    assert seqs(root) == []
    assert not list((root / ".tickwire-main").rglob("*.tmp"))
    sink.stop()
    assert sink.failed is None
    assert sink.rows_committed == {"trades": 50}
    assert seqs(root) == list(range(50))
    assert hidden(root) == []
    assert len(pl.read_parquet(root / "trades")) == 50


def test_a_table_may_lie_on_another_disk(tmp_path: Path, other_disk: Path) -> None:
    (tmp_path / "trades").symlink_to(other_disk)
    check_split(tmp_path)


def test_a_table_may_be_a_bind_mount(tmp_path: Path, bind_mount: Callable[[Path], None]) -> None:
    root = tmp_path / "data"
    (root / "trades").mkdir(parents=True)
    bind_mount(root / "trades")
    assert root.stat().st_dev == (root / "trades").stat().st_dev
    check_split(root)


@pytest.mark.parametrize("split", ["trades", "trades/venue=v", str(PLACE)])
def test_any_folder_may_lie_on_another_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: str
) -> None:
    no_way_between(monkeypatch, tmp_path / split)
    batch = batch_of(TRADES, 5, venue=["v"] * 5, ts_recv=[1_723_075_200_000_000_000] * 5)
    write_all(open_sink("parquet", tmp_path, [TRADES]), {"trades": [batch]})
    assert [path.parent for path in tmp_path.rglob("*.parquet")] == [tmp_path / PLACE]
    assert seqs(tmp_path) == list(range(5))
    assert hidden(tmp_path) == []


def test_polars_scans_the_folder_of_a_table_while_it_is_written(tmp_path: Path) -> None:
    sink = open_sink("parquet", tmp_path, [TRADES], rotate_rows=10, rotate_s=3600.0)
    sink.start({"trades": ListSource([trades(15)])})
    wait_for(lambda: sink.rows_committed["trades"] == 10 and list(tmp_path.rglob("*.tmp")))
    assert len(pl.read_parquet(tmp_path / "trades")) == 10
    sink.stop()
    assert len(pl.read_parquet(tmp_path / "trades")) == 15


def test_a_folder_without_renames_is_one_line_at_the_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(source: str, target: str) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(source))

    monkeypatch.setattr(os, "rename", refused)
    with pytest.raises(SinkError) as error:
        open_sink("parquet", tmp_path, [TRADES])
    assert str(error.value) == (
        f"sink parquet: cannot write to {tmp_path}/.tickwire-main/probe: Operation not permitted"
    )
    monkeypatch.undo()
    open_sink("parquet", tmp_path, [TRADES]).stop()  # nothing holds the lock


def leave_whole(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Leave a finished file that could not be renamed."""
    rename = os.rename

    def failing(source: str, target: str) -> None:
        if str(target).endswith(".parquet"):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(source))
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", failing)
        sink = open_sink("parquet", root, [TRADES])
        sink.start({"trades": ListSource([trades(20)])})
        sink.stop()
    assert "Input/output error" in str(sink.failed)
    assert sink.rows_committed == {"trades": 0}
    (left,) = [path for path in hidden(root) if path.endswith(".tmp")]
    return root / left


def test_a_whole_leftover_is_published_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_whole(tmp_path, monkeypatch)
    assert seqs(tmp_path) == []
    with structlog.testing.capture_logs() as lines:
        sink = open_sink("parquet", tmp_path, [TRADES])
    (path,) = tmp_path.rglob("*.parquet")
    assert lines == [
        {
            "event": "leftover_published",
            "log_level": "info",
            "sink": "parquet",
            "file": str(path),
            "rows": 20,
        }
    ]
    write_all(sink, {"trades": [trades(5, 20)]})
    assert seqs(tmp_path) == list(range(25))
    assert hidden(tmp_path) == []


def test_leftovers_on_another_disk_are_found(
    tmp_path: Path, other_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trades").symlink_to(other_disk)
    left = leave_whole(tmp_path, monkeypatch)
    assert left.is_relative_to(tmp_path / "trades")
    open_sink("parquet", tmp_path, [TRADES]).stop()
    assert seqs(tmp_path) == list(range(20))
    assert hidden(tmp_path) == []


def test_a_leftover_follows_its_table_to_another_disk(
    tmp_path: Path, other_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = leave_whole(tmp_path, monkeypatch)
    assert left.is_relative_to(tmp_path / ".tickwire-main")
    shutil.rmtree(tmp_path / "trades")
    (tmp_path / "trades").symlink_to(other_disk)
    open_sink("parquet", tmp_path, [TRADES]).stop()
    assert seqs(tmp_path) == list(range(20))
    assert hidden(tmp_path) == []


def whole_file(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = trades(20)
    pq.write_table(rows.schema.empty_table(), path)
    with pq.ParquetWriter(path, rows.schema) as writer:
        writer.write_batch(rows)
    return path.read_bytes()


@pytest.mark.parametrize("cut", ["half", "footer", "middle"])
def test_a_torn_leftover_keeps_its_bytes_and_is_named(tmp_path: Path, cut: str) -> None:
    left = tmp_path / ".tickwire-main" / PLACE / f"{NAME}.tmp"
    data = whole_file(left)
    torn = {
        "half": data[: len(data) // 2],
        "footer": data[:-1],
        "middle": data[:50] + bytes(400) + data[450:],  # as after a power cut
    }[cut]
    left.write_bytes(torn)
    with structlog.testing.capture_logs() as lines:
        open_sink("parquet", tmp_path, [TRADES]).stop()
    kept = left.with_name(f"{NAME}.unreadable")
    assert kept.read_bytes() == torn
    assert [(line["event"], line["log_level"], line["file"]) for line in lines] == [
        ("leftover_set_aside", "warning", str(kept))
    ]
    assert seqs(tmp_path) == []
    with structlog.testing.capture_logs() as lines:
        open_sink("parquet", tmp_path, [TRADES]).stop()
    assert lines == []
    assert kept.read_bytes() == torn


@pytest.mark.parametrize("why", ["its name has no table", "its target exists"])
def test_a_leftover_without_a_place_is_kept_and_named(tmp_path: Path, why: str) -> None:
    exists = why == "its target exists"
    folder = tmp_path / ".tickwire-main" / (PLACE if exists else "")
    data = whole_file(folder / f"{NAME}.tmp")
    if exists:
        (tmp_path / PLACE).mkdir(parents=True)
        (tmp_path / PLACE / NAME).write_bytes(b"the first")
    with structlog.testing.capture_logs() as lines:
        open_sink("parquet", tmp_path, [TRADES]).stop()
    assert [line["why"] for line in lines] == [why]
    assert (folder / f"{NAME}.unplaced").read_bytes() == data
    if exists:
        assert (tmp_path / PLACE / NAME).read_bytes() == b"the first"


def test_two_datasets_that_share_a_table_do_not_touch_each_others_files(
    tmp_path: Path, other_disk: Path
) -> None:
    roots = [tmp_path / "a", tmp_path / "b"]
    for root in roots:
        root.mkdir()
        (root / "trades").symlink_to(other_disk)
    sink = open_sink("parquet", roots[0], [TRADES])
    sink.start({"trades": ListSource([trades(5)])})
    wait_for(lambda: list(other_disk.rglob("*.tmp")))
    with pytest.raises(SinkError, match=r"a feed named 'main' is writing to .*/b/trades already$"):
        open_sink("parquet", roots[1], [TRADES])
    sink.stop()
    assert sink.failed is None
    assert seqs(roots[0]) == list(range(5))
