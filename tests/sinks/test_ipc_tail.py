"""Streams that a kill has torn: cut behind the last whole message, and readable to the end."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from structlog.testing import capture_logs
from tests.sinks.batches import batch_of, open_sink, write_all

from tickwire.schema import TABLES
from tickwire.sinks import ipc_tail
from tickwire.sinks.ipc_tail import END, cut_tail, damaged

TRADES = TABLES["trades"]
N_BATCHES, ROWS = 8, 10


def written(path: Path) -> tuple[bytes, list[int]]:
    """A stream without its end mark, and where each of its batches ends."""
    ends = []
    with pa.OSFile(str(path), "wb") as file:
        writer = pa.ipc.new_stream(file, TRADES.arrow_schema)
        for i in range(N_BATCHES):
            writer.write_batch(batch_of(TRADES, ROWS, i * ROWS, seed=i))
            ends.append(file.tell())
        data_end = file.tell()
        writer.close()
    return path.read_bytes()[:data_end], ends


def rows(path: Path) -> list[int]:
    with pa.OSFile(str(path)) as file:
        return [
            seq for batch in pa.ipc.open_stream(file) for seq in batch.column("seq").to_pylist()
        ]


def check(path: Path, data: bytes, ends: list[int], n_bytes: int) -> None:
    path.write_bytes(data[:n_bytes])
    n_cut = cut_tail(path)
    n_whole = sum(end <= n_bytes for end in ends)
    if not path.exists():
        assert n_whole == 0
        assert n_cut == n_bytes
        return
    assert path.read_bytes().endswith(END)
    assert path.stat().st_size == n_bytes - n_cut + len(END)
    assert not damaged(path).exists()
    assert rows(path) == list(range(n_whole * ROWS))
    assert cut_tail(path) == 0


def test_a_stream_that_ends_anywhere_keeps_its_whole_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ipc_tail.os, "fsync", lambda file: None)
    data, ends = written(tmp_path / "whole")
    places = {*range(0, len(data), 397), len(data), *ends, *(end - 1 for end in ends)}
    for n_bytes in sorted(places):
        check(tmp_path / "torn", data, ends, n_bytes)


@pytest.mark.thorough
def test_a_stream_that_ends_at_each_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ipc_tail.os, "fsync", lambda file: None)
    data, ends = written(tmp_path / "whole")
    for n_bytes in range(max(0, len(data) - 10_000), len(data) + 1):
        check(tmp_path / "torn", data, ends, n_bytes)


@pytest.mark.parametrize("byte", range(24))
def test_a_changed_message_ends_what_is_kept(tmp_path: Path, byte: int) -> None:
    data, ends = written(tmp_path / "whole")
    changed = bytearray(data)
    changed[ends[3] + byte] ^= 0xFF
    path = tmp_path / "changed"
    path.write_bytes(changed)
    cut_tail(path)
    assert path.stat().st_size >= ends[3]
    assert rows_before_an_error(path)[: 4 * ROWS] == list(range(4 * ROWS))


@pytest.mark.parametrize("batch", [-1, 3])
def test_what_is_cut_off_a_stream_with_wrong_bytes_is_kept(tmp_path: Path, batch: int) -> None:
    data, ends = written(tmp_path / "whole")
    start = 0 if batch < 0 else ends[batch]
    changed = bytearray(data)
    changed[start] ^= 0xFF
    path = tmp_path / "changed"
    path.write_bytes(changed)
    assert cut_tail(path) == len(data) - start
    assert damaged(path).read_bytes() == changed[start:]
    assert path.exists() == (start > 0)


def rows_before_an_error(path: Path) -> list[int]:
    found: list[int] = []
    try:
        with pa.OSFile(str(path)) as file:
            for batch in pa.ipc.open_stream(file):
                found += batch.column("seq").to_pylist()
    except (pa.ArrowException, OSError):
        pass
    return found


def test_the_next_start_cuts_what_a_kill_has_left(tmp_path: Path) -> None:
    write_all(open_sink("ipc", tmp_path, [TRADES]), {"trades": [batch_of(TRADES, 5)]})
    (path,) = (tmp_path / "trades").glob("*.arrows")
    path.write_bytes(path.read_bytes()[: -len(END)] + b"\xff\xff\xff\xff\x10")
    other = tmp_path / "trades" / "other-20260101T000000.000000000.arrows"
    other.write_bytes(b"torn")
    with capture_logs() as logs:
        sink = open_sink("ipc", tmp_path, [TRADES])
    sink.stop(drain=False)
    (line,) = [each for each in logs if each["event"] == "a torn tail is cut off"]
    assert (line["file"], line["bytes"]) == (str(path), 5)
    assert rows(path) == list(range(5))
    assert other.read_bytes() == b"torn"
    assert sink.metrics.counter("sink_torn_files").value == 1
