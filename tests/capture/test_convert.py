"""There and back: the payloads, times, connections and answers of a capture are the same."""

from pathlib import Path

import pytest
from tests.capture.recordings import Written
from tests.cli.program import tickwire

from tickwire.capture import Capture, CaptureWriter, Recording
from tickwire.capture.convert import convert
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
