"""Recordings to read."""

from __future__ import annotations

from pathlib import Path

from tickwire.capture import Recorder
from tickwire.capture.recorder import Kind
from tickwire.capture.recording_writer import SUFFIX, RecordingWriter

URL = "wss://user:password@venue.test/ws"


class PlainFile:
    """An output without retries."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("xb")

    def write(self, data: bytes | memoryview, /) -> int:
        return self._file.write(data)

    def sync(self) -> None:
        self._file.flush()

    def check(self) -> None:
        assert self.path.exists()

    def close(self) -> None:
        self._file.close()


class Written:
    """A recording that is written by hand, a block at each `write`."""

    def __init__(self, folder: Path, run: str = "1", **limits: float) -> None:
        self.folder = folder
        self.recorder = Recorder(1 << 18)
        self.n_files = 0
        self.run = run
        self.writer = RecordingWriter(
            self.recorder,
            self._create,
            {"tickwire.run": run, "tickwire.sources": '[{"venue":"v"}]'},
            rotate_bytes=int(limits.get("rotate_bytes", 1 << 30)),
            rotate_s=limits.get("rotate_s", 3600.0),
            sync_s=1.0,
        )
        self.origin = self.recorder.origin(0, "v", URL)

    def _create(self, now_ns: int) -> PlainFile:
        self.n_files += 1
        return PlainFile(self.folder / f"{self.run}-{self.n_files}{SUFFIX}")

    def put(self, *payloads: bytes, recv_ns: int = 0) -> None:
        """Record messages, a ns apart."""
        for number, payload in enumerate(payloads):
            assert self.recorder.buffer.add(
                Kind.MESSAGE,
                payload,
                opcode=1,
                conn=7,
                origin=self.origin,
                read=1,
                recv_ns=recv_ns + number,
                mono_ns=number,
            )

    def write(self) -> None:
        self.writer.write()

    def finish(self) -> list[Path]:
        self.writer.write()
        self.writer.finish()
        return sorted(self.folder.glob(f"*{SUFFIX}"))
