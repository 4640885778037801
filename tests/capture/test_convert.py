"""There and back: the payloads, times, connections and answers of a capture are the same."""

from pathlib import Path

import pytest
from tests.capture.recordings import Written
from tests.cli.program import tickwire

from tickwire.capture import Capture, CaptureWriter, Recording
from tickwire.capture import convert as module
from tickwire.capture.convert import NewFile, convert
from tickwire.errors import CaptureError

MESSAGES = [b'{"n":%d}' % n + b" " * (n % 3) for n in range(500)]


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "day.jsonl.zst"
    with CaptureWriter(path) as writer:
        for number, message in enumerate(MESSAGES):
            writer.write_message(message, 1000 + number // 3, number % 2)
        writer.write_answer(1100, "https://venue.test/depth?symbol=A", b'{"asks":[]}', 1)
    return path


@pytest.mark.parametrize("name", ["again.jsonl", "again.jsonl.zst"])
def test_there_and_back(capture: Path, tmp_path: Path, name: str) -> None:
    assert convert(capture, tmp_path / "rec") == len(MESSAGES)
    assert convert(tmp_path / "rec", tmp_path / name) == len(MESSAGES)
    before, after = Capture.open(capture), Capture.open(tmp_path / name)
    assert list(after.messages()) == list(before.messages())
    assert list(after.answers()) == list(before.answers())
    rows = [row for _, row in Recording(tmp_path / "rec").rows()]
    assert [row.payload for row in rows if row.kind == "message"] == MESSAGES


def test_the_command(capture: Path, tmp_path: Path) -> None:
    done = tickwire("capture", "convert", capture, tmp_path / "rec")
    assert done.returncode == 0, done.stderr
    assert "500 messages" in done.stdout
    done = tickwire("capture", "convert", capture, tmp_path / "other.jsonl")
    assert done.returncode == 1
    assert "is a capture, as" in done.stderr
    done = tickwire("capture", "convert", capture, tmp_path / "rec")
    assert done.returncode == 1
    assert "has a recording already" in done.stderr


def test_a_message_that_no_line_can_hold_is_an_error(tmp_path: Path) -> None:
    written = Written(tmp_path)
    written.put(b'{"a":1}', b'{"b":\n2}')
    written.finish()
    with pytest.raises(CaptureError, match="message 2 has a line end"):
        convert(tmp_path, tmp_path / "out.jsonl")


def test_what_is_waiting_is_written_in_blocks(
    capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", 500)
    assert convert(capture, tmp_path / "rec") == len(MESSAGES)
    rows = [row for _, row in Recording(tmp_path / "rec").rows()]
    assert [row.payload for row in rows if row.kind == "message"] == MESSAGES
    assert sum(1 for _ in Recording(tmp_path / "rec").batches()) > 5


def test_a_message_that_does_not_fit_into_memory_is_an_error(
    capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with CaptureWriter(tmp_path / "large.jsonl") as writer:
        writer.write_message(b'"%s"' % (b"x" * (1 << 17)), 1, 0)
    monkeypatch.setattr(module, "MEMORY_BYTES", 1 << 16)
    with pytest.raises(CaptureError, match="a message is larger than 65536 bytes"):
        convert(tmp_path / "large.jsonl", tmp_path / "rec")


def test_what_cannot_be_written_is_an_error(capture: Path, tmp_path: Path) -> None:
    (tmp_path / "rec").write_text("a file")
    with pytest.raises(CaptureError, match=r"rec: File exists"):
        convert(capture, tmp_path / "rec")
    with pytest.raises(CaptureError, match="rec: File exists"):
        NewFile(tmp_path / "rec")
