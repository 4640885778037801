"""The capture reader: any bytes as the files of a capture."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pyarrow as pa

from tickwire.capture import Capture, Message
from tickwire.capture import lines as lines_module
from tickwire.capture.lines import LineFile, is_zstd
from tickwire.errors import CaptureError


@cache
def folder() -> Path:
    """A folder of this process, in memory where the system has such."""
    memory = Path("/dev/shm")  # noqa: S108 - the folder itself is made by tempfile
    return Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))


BLOCKS = (1 << 16, 1, 16, 100)
MOST_BLOCKS = 100  # more of them find no more, and take long
NAMES = ("a.jsonl", "a.meta.tsv", "a.rest.jsonl")


def parts_of(data: bytes) -> dict[str, bytes]:
    """The files of an input, by name; the first is the messages."""
    way, parts = data[0], data[1:].split(b"\x00\x00", 2)
    return {
        f"{name}{'.zst' if way >> at & 1 else ''}": part
        for at, (name, part) in enumerate(zip(NAMES, parts, strict=False))
    }


def captures(data: bytes) -> None:
    """Messages, times and REST answers, plain or compressed."""
    if not data:
        return
    files = parts_of(data)
    for old in folder().iterdir():
        old.unlink()
    for name, part in files.items():
        (folder() / name).write_bytes(part)
    check(lambda: Capture.open(folder() / next(iter(files))), files)


class LinesInMemory(LineFile):
    """Lines of bytes, by way of the same blocks."""

    def __init__(self, name: str, content: bytes) -> None:
        self.path = Path(name)
        self.n_bytes = len(content)
        self.n_bytes_read = 0
        self._is_compressed = name.endswith(".zst")
        self._content = content
        if self._is_compressed and not is_zstd(content[:4]):
            raise CaptureError(f"{name}: not zstd, though its name ends in .zst")

    def _raw(self) -> pa.NativeFile:
        return pa.BufferReader(self._content)


def captures_in_memory(data: bytes) -> None:
    """The same without files, in blocks that are small."""
    if not data:
        return
    files = parts_of(data)

    def opened() -> Capture:
        lines = [LinesInMemory(name, content) for name, content in files.items()]
        return Capture(*lines, *[None] * (len(NAMES) - len(lines)))  # type: ignore[arg-type]

    was = lines_module.BLOCK_BYTES
    try:
        lines_module.BLOCK_BYTES = max(BLOCKS[data[0] >> 3 & 3], len(data) // MOST_BLOCKS)
        check(opened, files)
    finally:
        lines_module.BLOCK_BYTES = was


def check(opened: Callable[[], Capture], files: dict[str, bytes]) -> None:
    """Read a capture to its end; what it gives must be in its files."""
    refusal = ""
    try:
        capture = opened()
        events = list(capture.events())
        n_messages = capture.n_messages
    except CaptureError as error:
        refusal = str(error)
    assert "\n" not in refusal
    if refusal:
        return
    messages = [event for event in events if isinstance(event, Message)]
    assert n_messages in (None, len(messages))
    assert [message.line for message in messages] == [*range(1, len(messages) + 1)]
    if NAMES[0] in files:
        text = files[NAMES[0]]
        assert b"\n".join(message.payload for message in messages) == text.removesuffix(b"\n")
    if len(files) == 1:
        assert len(messages) == len(events)
