"""Reading recordings: parts, runs, rows that are there twice, files that are missing."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.capture.recordings import Written

from tickwire.capture import Recording
from tickwire.capture.blocks import END
from tickwire.capture.recorder import Kind
from tickwire.errors import CaptureError


def rows(folder: Path, **part: int) -> list[bytes]:
    return [row.payload for _, row in Recording(folder, **part).rows()]


def test_files_rotate_and_are_read_in_order(tmp_path: Path) -> None:
    written = Written(tmp_path, rotate_bytes=1)
    for n in range(12):
        written.put(b"%d" % n)
        written.write()
    assert len(written.finish()) == 12
    assert rows(tmp_path) == [b"%d" % n for n in range(12)]


def test_a_file_that_is_missing_in_the_midst_is_an_error(tmp_path: Path) -> None:
    written = Written(tmp_path, rotate_bytes=1)
    for n in range(4):
        written.put(b"%d" % n)
        written.write()
    files = written.finish()
    files[2].unlink()
    with pytest.raises(CaptureError, match="a file is missing"):
        rows(tmp_path)


def test_runs_follow_each_other(tmp_path: Path) -> None:
    for run in ("2", "1"):
        written = Written(tmp_path, run)
        written.put(run.encode())
        written.finish()
    assert rows(tmp_path) == [b"1", b"2"]
    assert Recording(tmp_path).runs == ["1", "2"]


def test_rows_that_a_failing_disk_left_twice_are_given_once(tmp_path: Path) -> None:
    written = Written(tmp_path)
    written.put(b"a", b"b")
    taken = written.recorder.buffer.take(1 << 16)
    assert taken is not None
    first = taken[0]
    batch, bounds, _ = written.writer._batch(*taken[1:])
    written.writer.open(0)
    written.writer._write(written.writer._encoder.block(batch, first, *bounds))
    written.writer.sync()
    written.writer.close()  # as after an error: not released
    written.put(b"c")
    written.writer.open(0)
    written.finish()
    assert len(list(tmp_path.iterdir())) == 2
    assert rows(tmp_path) == [b"a", b"b", b"c"]


def test_a_part_has_the_connections_before_it(tmp_path: Path) -> None:
    written = Written(tmp_path)
    written.recorder.buffer.add(Kind.CONNECT, b"{}", conn=7, origin=written.origin, recv_ns=1)
    written.put(*(b"%d" % n for n in range(10)), recv_ns=100)
    written.finish()
    assert rows(tmp_path, from_ns=103, to_ns=106) == [b"{}", b"3", b"4", b"5"]


def test_a_folder_without_one_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="holds no recording"):
        Recording(tmp_path)


def test_what_a_recording_lacks_is_logged(tmp_path: Path) -> None:
    written = Written(tmp_path, rotate_bytes=1)
    for n in range(3):
        written.put(b"%d" % n)
        written.write()
    assert not written.recorder.buffer.add(Kind.MESSAGE, bytes(1 << 19))
    written.put(b"3")
    files = written.finish()
    with capture_logs() as logs:
        assert len(rows(tmp_path)) == 5
    assert [(log["event"], log["messages"]) for log in logs] == [
        ("messages were dropped when this was recorded", 1)
    ]
    files[0].unlink()
    with files[-1].open("rb+") as file:
        file.truncate(files[-1].stat().st_size - len(END))  # as a kill between two blocks leaves it
    with capture_logs() as logs:
        rows(tmp_path)
    assert [log["event"] for log in logs] == [
        "a recording was not closed: it is written still, or its last messages are missing",
        "a run lacks its first rows",
        "messages were dropped when this was recorded",
    ]
