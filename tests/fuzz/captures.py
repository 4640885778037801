"""The capture reader: any bytes as the files of a capture."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from tickwire.capture import Capture, Message
from tickwire.errors import CaptureError


@cache
def folder() -> Path:
    """A folder of this process, in memory where the system has such."""
    memory = Path("/dev/shm")  # noqa: S108 - the folder itself is made by tempfile
    return Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))


def captures(data: bytes) -> None:
    """Messages, times and REST answers, plain or compressed."""
    if not data:
        return
    way = data[0]
    parts = data[1:].split(b"\x00\x00", 2)
    for old in folder().iterdir():
        old.unlink()
    names = ("a.jsonl", "a.meta.tsv", "a.rest.jsonl")
    for at, (name, part) in enumerate(zip(names, parts, strict=False)):
        ending = ".zst" if way >> at & 1 else ""
        (folder() / f"{name}{ending}").write_bytes(part)
    refusal = ""
    try:
        capture = Capture.open(folder() / f"a.jsonl{'.zst' if way & 1 else ''}")
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
    if not way & 1:
        assert b"\n".join(message.payload for message in messages) == parts[0].removesuffix(b"\n")
    if len(parts) == 1:
        assert len(messages) == len(events)
