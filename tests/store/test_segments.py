"""Segments: what was written comes back, whatever a kill, a full disk or a bad byte leaves."""

import os
import random
import resource
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.sinks.batches import all_tables, batch_of, cells

from tickwire.schema import TABLES
from tickwire.store import SegmentError, SegmentLog

TRADES = TABLES["trades"]


def rows_of(log: SegmentLog) -> list[int]:
    seqs: list[int] = []
    for record in log.records:
        batch = log.read(record)
        if batch is not None:
            seqs += batch.column("seq").to_pylist()
    return seqs


def filled(folder: Path, n_batches: int = 5, segment_bytes: int = 1 << 20) -> SegmentLog:
    log = SegmentLog(folder, segment_bytes)
    for i in range(n_batches):
        log.append(batch_of(TRADES, 10, 10 * i, seed=i))
    return log


def n_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.segment"))


@pytest.mark.parametrize("table", all_tables(), ids=lambda table: table.name)
def test_every_value_and_null_of_every_table_comes_back(tmp_path: Path, table) -> None:
    batches = [batch_of(table, 20, 20 * i, seed=i) for i in range(3)]
    log = SegmentLog(tmp_path)
    for batch in batches:
        log.append(batch)
    log.close()
    again = SegmentLog(tmp_path)
    found = [again.read(record) for record in again.records]
    assert [cells(batch) for batch in found] == [cells(batch) for batch in batches]
    assert [(r.first_seq, r.last_seq, r.n_rows) for r in again.records] == [
        (0, 19, 20),
        (20, 39, 20),
        (40, 59, 20),
    ]


def test_a_segment_goes_with_its_last_record(tmp_path: Path) -> None:
    log = filled(tmp_path, segment_bytes=1)
    assert len(segments(tmp_path)) == 5
    log.trim(24)
    assert rows_of(log) == list(range(20, 50))
    assert len(segments(tmp_path)) == 3
    log.trim(49)
    assert log.n_bytes == 0
    assert segments(tmp_path) == []
    log.append(batch_of(TRADES, 10, 50))
    assert rows_of(log) == list(range(50, 60))
    log.trim(59)
    log.close()
    assert not tmp_path.exists()


def test_a_torn_tail_costs_its_record_alone(tmp_path: Path) -> None:
    filled(tmp_path).close()
    (path,) = segments(tmp_path)
    whole = path.read_bytes()
    last = SegmentLog(tmp_path).records[-1]
    for size in range(last.offset + 1, len(whole), 97):
        path.write_bytes(whole[:size])
        log = SegmentLog(tmp_path)
        assert rows_of(log) == list(range(40))
        assert not log.lost
        log.append(batch_of(TRADES, 10, 70))
        assert rows_of(log) == [*range(40), *range(70, 80)]
        log.close()
        for each in segments(tmp_path)[1:]:
            each.unlink()
    path.write_bytes(whole[:5])
    assert not SegmentLog(tmp_path).records


def test_a_tail_of_the_right_length_is_checked_too(tmp_path: Path) -> None:
    filled(tmp_path).close()
    (path,) = segments(tmp_path)
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    assert rows_of(SegmentLog(tmp_path)) == list(range(40))


def test_a_bad_byte_costs_its_record_alone(tmp_path: Path) -> None:
    log = filled(tmp_path)
    (path,) = segments(tmp_path)
    data = bytearray(path.read_bytes())
    data[log.records[1].offset + 200] ^= 1
    path.write_bytes(data)
    assert log.read(log.records[1]) is None
    assert rows_of(log) == [*range(10), *range(20, 50)]


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    log = filled(tmp_path, 2)
    (path,) = segments(tmp_path)
    size = path.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, hard))
        with pytest.raises(SegmentError, match="File too large"):
            log.append(batch_of(TRADES, 10, 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.stat().st_size == size
    log.append(batch_of(TRADES, 10, 20))
    assert rows_of(log) == list(range(30))


def test_a_segment_that_was_deleted_is_noticed(tmp_path: Path) -> None:
    log = filled(tmp_path, 2)
    segments(tmp_path)[0].unlink()
    with pytest.raises(SegmentError, match="deleted"):
        log.append(batch_of(TRADES, 10, 20))
    log.append(batch_of(TRADES, 10, 20))
    assert len(segments(tmp_path)) == 1


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SegmentError, match=r"file/x: cannot be used: Not a directory"):
        SegmentLog(tmp_path / "file" / "x")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def synced(log: SegmentLog) -> list[str]:
    """Give the names of what is to be synced, closed again."""
    found = []
    for descriptor in log.take_unsynced():
        os.fsync(descriptor)
        found.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        os.close(descriptor)
    return found


def test_each_segment_and_each_new_name_is_synced_once(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path / "trades", segment_bytes=1 << 20, is_synced=True)
    assert synced(log) == []
    log.append(batch_of(TRADES, 10, 0))
    first = f"{0:020}.segment"
    assert synced(log) == [first, "trades"]
    assert synced(log) == []
    log.append(batch_of(TRADES, 10, 10))
    assert synced(log) == [first]
    log.close()


def test_full_segments_are_synced_and_those_that_are_gone_are_not(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path / "trades", segment_bytes=1, is_synced=True)
    for i in range(4):
        log.append(batch_of(TRADES, 10, 10 * i))
    log.trim(9)
    names = [f"{10 * i:020}.segment" for i in range(4)]
    assert synced(log) == [*names[1:], "trades"]
    n_open = n_descriptors()
    log.append(batch_of(TRADES, 10, 40))
    log.append(batch_of(TRADES, 10, 50))
    log.close()
    assert n_descriptors() < n_open


def test_what_cannot_be_opened_for_a_sync_is_given_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = SegmentLog(tmp_path / "trades", segment_bytes=1, is_synced=True)
    log.append(batch_of(TRADES, 10, 0))
    log.append(batch_of(TRADES, 10, 10))
    n_open = n_descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(log, "_folder", tmp_path / "gone")
        with pytest.raises(FileNotFoundError):
            log.take_unsynced()
    assert n_descriptors() == n_open
    assert synced(log) == [f"{0:020}.segment", f"{10:020}.segment", "trades"]
    log.close()


def test_nothing_is_kept_open_that_is_not_synced(tmp_path: Path) -> None:
    n_open = n_descriptors()
    log = filled(tmp_path, segment_bytes=1)
    assert n_descriptors() == n_open + 1
    log.close()


def test_a_segment_that_cannot_be_deleted_or_kept_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    log = filled(tmp_path, n_batches=1)
    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    with capture_logs() as lines:
        log.set_aside(log.records[0])
        log.drop_first()
    assert [line["event"] for line in lines] == [
        "a damaged segment is not kept",
        "a segment cannot be deleted",
    ]
    assert all("not permitted" in line["error"] for line in lines)


@pytest.mark.parametrize("byte", [0, 7])
def test_a_wrong_beginning_costs_no_record(tmp_path: Path, byte: int) -> None:
    filled(tmp_path).close()
    (path,) = segments(tmp_path)
    data = bytearray(path.read_bytes())
    data[byte] ^= 1
    path.write_bytes(data)
    with capture_logs() as logs:
        assert rows_of(SegmentLog(tmp_path)) == list(range(50))
    assert [entry["event"] for entry in logs] == ["a segment has a wrong beginning"]


@pytest.mark.parametrize("byte", range(28))
@pytest.mark.parametrize("mask", [0x01, 0xFF])
@pytest.mark.parametrize("number", [0, 2])
def test_a_bad_byte_of_a_head_costs_its_record_alone(
    tmp_path: Path, byte: int, mask: int, number: int
) -> None:
    damaged = filled(tmp_path).records[number]
    (path,) = segments(tmp_path)
    data = bytearray(path.read_bytes())
    data[damaged.offset + byte] ^= mask
    path.write_bytes(data)
    log = SegmentLog(tmp_path)
    first = 10 * number
    assert rows_of(log) == [*range(first), *range(first + 10, 50)]
    assert len(log.records) == 5
    assert first <= log.records[number].first_seq <= log.records[number].last_seq < first + 10
    assert path.read_bytes() == bytes(data)
    log.trim(49)
    assert not log.records


@pytest.mark.parametrize("n_bytes", [400, pytest.param(10_000, marks=pytest.mark.thorough)])
def test_no_changed_byte_gives_a_wrong_row(tmp_path: Path, n_bytes: int) -> None:
    log = filled(tmp_path, 20)
    (path,) = segments(tmp_path)
    whole = path.read_bytes()
    bounds = [(record.offset, record.offset + record.n_bytes) for record in log.records]
    log.close()
    chance = random.Random(1)
    for at in chance.sample(range(len(whole)), min(n_bytes, len(whole))):
        data = bytearray(whole)
        data[at] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        [hit] = [i for i, (start, stop) in enumerate(bounds) if start <= at < stop] or [None]
        expected = [n for n in range(200) if hit is None or n // 10 != hit]
        assert rows_of(SegmentLog(tmp_path)) == expected, at


@pytest.mark.parametrize(
    ("at", "lost"),
    [(-3, (40, 49)), (8, (41, 49)), (8 + 7, (40, 40)), (16 + 7, (40, 40)), (16 + 2, (40, 40))],
)
def test_a_last_record_that_is_damaged_is_kept_and_known(
    tmp_path: Path, at: int, lost: tuple[int, int]
) -> None:
    last = filled(tmp_path).records[-1]
    (path,) = segments(tmp_path)
    data = bytearray(path.read_bytes())
    data[last.offset + at if at >= 0 else at] ^= 0x81 if at == 15 else 1
    path.write_bytes(data)
    log = SegmentLog(tmp_path)
    assert rows_of(log) == list(range(40))
    assert [record[-2:] for record in log.lost] == [lost]
    assert path.with_suffix(".damaged").read_bytes() == bytes(data[last.offset :])
    log = SegmentLog(tmp_path)  # a start that failed has told no caller
    assert [record[-2:] for record in log.lost] == [lost]
    log.append(batch_of(TRADES, 10, 50))
    log.forget_lost()
    log.close()
    log = SegmentLog(tmp_path)
    assert not log.lost
    assert rows_of(log) == [*range(40), *range(50, 60)]


@pytest.mark.parametrize("first", [0, 50])
def test_a_segment_of_which_nothing_is_left_goes_when_that_is_known(
    tmp_path: Path, first: int
) -> None:
    filled(tmp_path, 1).close()
    (path,) = segments(tmp_path)
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    log = SegmentLog(tmp_path)
    assert [record[-2:] for record in log.lost] == [(0, 9)]
    log.append(batch_of(TRADES, 10, first))
    log.forget_lost()
    log.close()
    assert rows_of(SegmentLog(tmp_path)) == list(range(first, first + 10))
    assert len(segments(tmp_path)) == 1
