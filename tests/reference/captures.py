"""Finds and reads recorded captures, for tests that are marked `captures`."""

import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import zstandard


@dataclass(frozen=True, slots=True)
class Message:
    """One line of a capture."""

    payload: bytes
    ts_recv: int
    conn: int


@dataclass(frozen=True, slots=True)
class RestAnswer:
    """One REST answer of a capture."""

    ts_recv: int
    url: str
    payload: bytes
    conn: int | None

    @property
    def symbol(self) -> str:
        """The symbol that the request named."""
        return self.url.partition("symbol=")[2].partition("&")[0]


def capture_path(name: str) -> Path:
    """Give the path of the capture `name` (without its suffix).

    Raises
    ------
    KeyError
        Where the test is not marked `captures`.
    FileNotFoundError
        Where the folder has no such capture.
    """
    root = os.environ["TICKWIRE_CAPTURES"]
    for suffix in (".jsonl.zst", ".jsonl"):
        path = Path(root) / f"{name}{suffix}"
        if path.exists():
            return path
    raise FileNotFoundError(f"no capture {name} in {root}")


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        if path.suffix == ".zst":
            with zstandard.ZstdDecompressor().stream_reader(file) as reader:
                yield from (line.rstrip(b"\r\n") for line in io.BufferedReader(reader))
        else:
            yield from (line.rstrip(b"\r\n") for line in file)


def _beside(path: Path, ending: str) -> Path | None:
    stem = path.name.partition(".jsonl")[0]
    for suffix in (f"{ending}.zst", ending):
        beside = path.with_name(stem + suffix)
        if beside.exists():
            return beside
    return None


def read_messages(name: str, limit: int | None = None) -> list[Message]:
    """Read a capture: its messages with receive time and connection.

    Without a meta file the receive time is the number of the line, from 1, and the connection 0.
    """
    path = capture_path(name)
    meta = _beside(path, ".meta.tsv")
    stamps = None
    if meta is not None:
        stamps = (line.split(b"\t") for line in _lines(meta) if line and line[:1] != b"#")
    found: list[Message] = []
    for number, payload in enumerate(_lines(path), 1):
        if limit is not None and number > limit:
            break
        stamp = next(stamps, None) if stamps is not None else None
        if stamp is None or not stamp[0].isdigit():
            found.append(Message(payload, number, 0))
        else:
            found.append(Message(payload, int(stamp[0]), int(stamp[1]) if len(stamp) > 1 else 0))
    return found


def read_rest(name: str) -> list[RestAnswer]:
    """Read the REST answers that were recorded with a capture, in order of time."""
    beside = _beside(capture_path(name), ".rest.jsonl")
    if beside is None:
        return []
    answers = []
    for line in _lines(beside):
        entry = json.loads(line)
        data = entry["data"]
        payload = data if isinstance(data, str) else json.dumps(data)
        answers.append(
            RestAnswer(entry["recv_ns"], entry["url"], payload.encode(), entry.get("connection"))
        )
    return sorted(answers, key=lambda answer: answer.ts_recv)
