"""What is recorded beside messages has no secrets."""

from pathlib import Path

from tests.capture.recordings import Written

from tickwire.capture import Recording
from tickwire.capture.recorder import Kind
from tickwire.redaction import hide

SECRET = "s3cr3t-of-a-venue"  # noqa: S105


def test_no_secret_is_in_any_row(tmp_path: Path) -> None:
    hide(SECRET)
    written = Written(tmp_path)
    recorder = written.recorder
    recorder.sent(1, written.origin, f'{{"op":"login","key":"{SECRET}"}}' + " " * 100_000)
    recorder.event(Kind.DISCONNECT, 1, written.origin, detail=f"refused {SECRET}")
    origin = recorder.origin(0, "v", f"https://venue.test/depth?symbol=A&api_key={SECRET}")
    recorder.answer(Kind.ANSWER, b"{}", 5, conn=1, origin=origin)
    written.finish()
    sent, ended, answer = (row for _, row in Recording(tmp_path).rows())
    assert sent.endpoint == "wss://venue.test/ws"
    assert len(sent.payload) > 100_000
    assert answer.endpoint == "https://venue.test/depth?symbol=A&api_key=***"
    for row in (sent, ended, answer):
        assert SECRET not in repr(row)
        assert "password" not in repr(row)
    assert b"***" in sent.payload


def test_the_origins_of_single_rows_are_forgotten(tmp_path: Path) -> None:
    written = Written(tmp_path)
    before = len(written.recorder._origins)
    for n in range(50):
        origin = written.recorder.origin(0, "v", f"https://venue.test/{n}", is_single=True)
        written.recorder.answer(Kind.ANSWER, b"", n, conn=0, origin=origin)
    written.finish()
    too_large = bytes(1 << 19)
    origin = written.recorder.origin(0, "v", "https://venue.test/large", is_single=True)
    written.recorder.answer(Kind.ANSWER, too_large, 50, conn=0, origin=origin)
    assert written.recorder.buffer.n_dropped_messages == 1
    assert len(written.recorder._origins) == before
    assert [row.endpoint for _, row in Recording(tmp_path).rows()][49] == "https://venue.test/49"
