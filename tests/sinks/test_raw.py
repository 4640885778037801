"""The raw sink: rotation, a folder that cannot be used, writes that fail, memory that is full."""

from __future__ import annotations

import json
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from tests.sinks.batches import wait_for

from tickwire.capture import Recording
from tickwire.capture.recorder import Kind
from tickwire.capture.recording_writer import RecordingWriter
from tickwire.errors import ConfigError, SinkError
from tickwire.observe import Metrics
from tickwire.sinks import RawSettings, RawSink
from tickwire.sinks.files import DurableFile


def open_raw(folder: Path, **keys: Any) -> RawSink:
    sink = RawSettings(path=folder, **{"flush_ms": 5, "memory_mb": 1, **keys}).make_sink(
        "feed", Metrics(labels={"sink": "raw"})
    )
    sink.open([])
    return sink


def put(sink: RawSink, *payloads: bytes) -> None:
    for payload in payloads:
        sink.recorder.buffer.add(Kind.MESSAGE, payload, opcode=1, conn=1, recv_ns=5, mono_ns=5)


def messages(folder: Path) -> list[bytes]:
    return [row.payload for _, row in Recording(folder).rows() if row.kind == "message"]


def test_what_came_is_there_while_it_runs_and_after(tmp_path: Path) -> None:
    sink = open_raw(tmp_path)
    sink.start({})
    put(sink, b"a", b"b")
    wait_for(lambda: messages(tmp_path) == [b"a", b"b"])
    put(sink, b"c")
    sink.stop()
    assert messages(tmp_path) == [b"a", b"b", b"c"]
    assert Recording(tmp_path).n_torn_bytes == 0
    assert sink.rows_left == {}
    assert sink.failed is None


def test_files_rotate_by_size_and_time(tmp_path: Path) -> None:
    sink = open_raw(tmp_path, rotate_s=0.01)
    sink.start({})
    for n in range(5):
        put(sink, b"%d" % n)
        wait_for(lambda n=n: sink.recorder.buffer.waiting == 0)
    sink.stop()
    assert len(list(tmp_path.iterdir())) >= 3
    assert messages(tmp_path) == [b"%d" % n for n in range(5)]


def test_two_writers_of_one_folder_are_an_error(tmp_path: Path) -> None:
    sink = open_raw(tmp_path)
    with pytest.raises(SinkError, match="another process records there"):
        open_raw(tmp_path)
    sink.stop()
    open_raw(tmp_path).stop()


def test_a_folder_that_is_a_file_is_an_error_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(SinkError, match="cannot make the folder"):
        open_raw(path)


def test_what_a_failed_write_left_goes_into_the_next_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = open_raw(tmp_path)
    write = DurableFile.write
    n_calls = 0

    def failing(file: DurableFile, data: Any, /) -> int:
        nonlocal n_calls
        n_calls += 1
        if n_calls <= 2:
            write(file, bytes(data)[:30])
            raise OSError(5, "Input/output error")
        return write(file, data)

    monkeypatch.setattr(DurableFile, "write", failing)
    put(sink, b"a", b"b")
    sink.start({})
    wait_for(lambda: sink.recorder.buffer.waiting == 0)
    put(sink, b"c")
    sink.stop()
    assert n_calls > 2
    assert messages(tmp_path) == [b"a", b"b", b"c"]


def test_what_does_not_fit_is_counted_and_a_row(tmp_path: Path) -> None:
    sink = open_raw(tmp_path)
    put(sink, *[bytes(1000)] * 2000)  # nothing is written before the start
    n_dropped = sink.recorder.buffer.n_dropped_messages
    assert n_dropped > 900
    sink.start({})
    sink.stop()
    rows = [row for _, row in Recording(tmp_path).rows()]
    [dropped] = [row for row in rows if row.kind == "dropped"]
    assert json.loads(dropped.payload) == {"messages": n_dropped, "bytes": n_dropped * 1000}
    assert sum(row.kind == "message" for row in rows) == 2000 - n_dropped


def test_memory_without_a_byte_to_spare_has_a_row_of_what_was_dropped_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RawSink, "_housekeeping", lambda _sink, _n_rows: None)
    sink = open_raw(tmp_path)
    put(sink, *[bytes(1024)] * 1030)
    sink.start({})
    sink.stop()
    rows = [row for _, row in Recording(tmp_path).rows()]
    assert [row.kind for row in rows] == ["message"] * 1024 + ["dropped"]
    assert json.loads(rows[-1].payload)["messages"] == 6


def test_after_any_error_its_folder_is_not_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = open_raw(tmp_path)
    write_block = RecordingWriter.write_block
    n_calls = 0

    def failing(writer: RecordingWriter) -> int:
        nonlocal n_calls
        n_calls += 1
        if n_calls <= 2:  # while it is open, and when it is opened again
            raise ValueError("Arrow takes no such thing")
        return write_block(writer)

    monkeypatch.setattr(RecordingWriter, "write_block", failing)
    put(sink, b"a")
    sink.start({})
    wait_for(lambda: sink.recorder.buffer.waiting == 0)
    sink.stop()
    assert n_calls > 2
    assert messages(tmp_path) == [b"a"]


def test_memory_is_a_power_of_two(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="memory_mb: is 100, should be a power of two"):
        RawSettings(path=tmp_path, memory_mb=100)


def test_a_stop_waits_for_a_slow_writer_and_the_disk_has_what_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickwire.sinks.base.STALLED_S", 0.2)
    monkeypatch.setattr("tickwire.capture.recording_writer.BLOCK_BYTES", 50_000)
    monkeypatch.setattr(RawSink, "_housekeeping", lambda _sink, _n_rows: None)
    n_syncs = []

    def slow(file: DurableFile, data: Any, /) -> int:
        sleep(0.01)
        return write(file, data)

    write = DurableFile.write
    sink = open_raw(tmp_path, fsync_s=0.001)
    monkeypatch.setattr(DurableFile, "write", slow)
    monkeypatch.setattr(DurableFile, "sync", lambda _file: n_syncs.append(1))
    put(sink, *[bytes(1000)] * 1000)
    sink.start({})
    sink.stop()
    assert not sink.is_hung
    assert len(n_syncs) >= 20
    assert len(messages(tmp_path)) == 1000
