"""Captures to recordings and back: the same payloads, byte for byte.

Rules of this file
------------------
- A capture knows less than a recording: what it lacks is 0, -1 or empty. Messages of one time and
  connection are those of one read.
- A message that has a line end cannot be a line of a capture: that is an error, not another text.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tickwire.capture.reader import Capture, Message
from tickwire.capture.recorder import Kind, Recorder
from tickwire.capture.recording import Recording
from tickwire.capture.recording_writer import BLOCK_BYTES, SUFFIX, RecordingWriter
from tickwire.capture.writer import CaptureWriter
from tickwire.errors import CaptureError

MEMORY_BYTES = 1 << 27  # a line may have 64 MiB
ROTATE_BYTES = 256 << 20


class NewFile:
    """A file that does not exist yet.

    Parameters
    ----------
    path
        Where.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("xb")
        except OSError as error:
            raise CaptureError(f"{path}: {error.strerror or error}") from error

    def write(self, data: bytes | memoryview, /) -> int:
        """Write all of it."""
        return self._file.write(data)

    def sync(self) -> None:
        """Hand it to the operating system."""
        self._file.flush()

    def check(self) -> None:
        """See nothing: no other process has it."""

    def close(self) -> None:
        """Close it."""
        self._file.close()


def convert(source: Path, target: Path) -> int:
    """Write a capture as a recording, or a recording as a capture; gives how many messages.

    Parameters
    ----------
    source
        A capture, or a recording: a folder or a file.
    target
        A capture's name ends in `.jsonl` or `.jsonl.zst`; anything else is a folder for a
        recording, made if need be.

    Raises
    ------
    CaptureError
        One cannot be read, the other not written, or both are of one kind.
    """
    is_capture = target.name.endswith((".jsonl", ".jsonl.zst"))
    if Recording.is_one(source) == is_capture:
        return to_capture(source, target) if is_capture else to_recording(source, target)
    kind = "a capture" if is_capture else "a recording"
    raise CaptureError(f"{source} is {kind}, as {target} is to be")


def to_recording(source: Path, folder: Path) -> int:
    """Write a capture as a recording; gives how many messages."""
    capture = Capture.open(source)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CaptureError(f"{folder}: {error.strerror or error}") from error
    recorder = Recorder(MEMORY_BYTES)
    writer = _writer(recorder, folder, source)
    if Recording.is_one(folder):
        raise CaptureError(f"{folder}: has a recording already")
    origin = recorder.origin(-1, "", "")
    n_messages = n_read = 0
    last: tuple[int, int] | None = None
    for event in capture.events():
        if isinstance(event, Message):
            if last != (event.recv_ns, event.connection):
                last = event.recv_ns, event.connection
                n_read += 1
            recorder.buffer.add(
                Kind.MESSAGE,
                event.payload,
                opcode=1,
                conn=event.connection,
                origin=origin,
                read=n_read,
                recv_ns=event.recv_ns,
                mono_ns=event.recv_ns,
            )
            n_messages += 1
        else:
            asked = recorder.origin(-1, "", event.url, is_single=True)
            recorder.buffer.add(
                Kind.ANSWER,
                event.data,
                conn=event.connection,
                origin=asked,
                recv_ns=event.recv_ns,
                mono_ns=event.recv_ns,
            )
        if recorder.buffer.waiting_bytes >= BLOCK_BYTES or recorder.buffer.waiting >= 100_000:
            writer.write()
    if recorder.buffer.n_dropped_messages:
        raise CaptureError(f"{source}: a message is larger than {MEMORY_BYTES} bytes")
    writer.write()
    writer.finish()
    return n_messages


def to_capture(source: Path, target: Path) -> int:
    """Write the messages and snapshots of a recording as a capture; gives how many messages."""
    recording = Recording(source)
    with CaptureWriter(target) as writer:
        for _, row in recording.rows():
            if row.kind == "message":
                if b"\n" in row.payload:
                    raise CaptureError(
                        f"{target}: message {writer.n_messages + 1} has a line end, which a line "
                        "cannot have"
                    )
                writer.write_message(row.payload, row.recv_ns, max(row.conn, 0))
            elif row.kind == "answer":
                conn = max(row.conn, 0)
                writer.write_answer(row.recv_ns, row.endpoint, row.payload, conn)
        return writer.n_messages


def _writer(recorder: Recorder, folder: Path, source: Path) -> RecordingWriter:
    name = source.name.partition(".jsonl")[0]
    n_files = 0

    def create(now_ns: int) -> NewFile:
        nonlocal n_files
        n_files += 1
        return NewFile(folder / f"{name}-{n_files:04}{SUFFIX}")

    made: Callable[[int], NewFile] = create
    return RecordingWriter(
        recorder,
        made,
        {"tickwire.recording": "1", "tickwire.run": name},
        rotate_bytes=ROTATE_BYTES,
        rotate_s=float("inf"),
        sync_s=0.0,
    )
