"""Reads a capture: raw messages in order, with their times and the REST answers between them.

Rules of this file
------------------
- A message is bytes, exactly as received; nothing here looks into it.
- Messages are read a block of lines at a time, whatever the capture's size. REST answers are few,
  and their file need not be in order of time: `events` holds them all.
- Whatever is wrong is said with file and line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from tickwire.capture.lines import LineFile
from tickwire.errors import CaptureError
from tickwire.wording import counted

ENDINGS = (".jsonl", ".jsonl.zst")
INT64_MAX = 2**63 - 1
INT32_MAX = 2**31 - 1


class Message(NamedTuple):
    """A WebSocket message.

    Parameters
    ----------
    line
        Its line in the capture, first 1.
    recv_ns
        Wall clock at its reception, ns since the epoch; its line where the capture has no times.
    connection
        The number of its connection in the capture.
    payload
        As received.
    """

    line: int
    recv_ns: int
    connection: int
    payload: bytes


class RestAnswer(NamedTuple):
    """The body of a REST answer.

    Parameters
    ----------
    recv_ns
        Wall clock at its reception, ns since the epoch.
    connection
        The connection that it belongs to.
    url
        What was asked for.
    data
        The body.
    """

    recv_ns: int
    connection: int
    url: str
    data: bytes


Event: TypeAlias = Message | RestAnswer


class Capture:
    """A capture on disk; it can be read any number of times.

    Parameters
    ----------
    messages, meta, rest
        Its files; the last two may be absent.
    """

    def __init__(self, messages: LineFile, meta: LineFile | None, rest: LineFile | None) -> None:
        self.path = messages.path
        self._messages = messages
        self._meta = meta
        self._rest = rest

    @classmethod
    def open(cls, path: str | Path) -> Capture:
        """Find a capture's files.

        Parameters
        ----------
        path
            `<name>.jsonl` or `<name>.jsonl.zst`; beside it may be `<name>.meta.tsv[.zst]` and
            `<name>.rest.jsonl[.zst]`.

        Returns
        -------
        Capture
            Its files exist and can be opened.

        Raises
        ------
        CaptureError
            One of them cannot be read, or the name ends otherwise.
        """
        path = Path(path)
        ending = next((end for end in reversed(ENDINGS) if path.name.endswith(end)), None)
        if ending is None and path.is_dir():
            raise CaptureError(f"{path}: is a folder without a recording")
        if ending is None and not path.exists():
            raise CaptureError(f"{path}: there is no such file or folder")
        if ending is None:
            raise CaptureError(f"{path}: the name of a capture ends in {' or '.join(ENDINGS)}")
        stem = path.name.removesuffix(ending)
        return cls(
            LineFile(path),
            _beside(path.with_name(f"{stem}.meta.tsv")),
            _beside(path.with_name(f"{stem}.rest.jsonl")),
        )

    @property
    def files(self) -> list[Path]:
        """Its files."""
        parts = (self._messages, self._meta, self._rest)
        return [part.path for part in parts if part is not None]

    @property
    def has_times(self) -> bool:
        """Whether times of reception are known."""
        return self._meta is not None

    @cached_property
    def n_messages(self) -> int | None:
        """How many messages there are; None where no meta file says so."""
        if self._meta is None:
            return None
        n_lines = 0
        is_first = True
        for block in self._meta.blocks():
            n_lines += len(block)
            if is_first and block[0].startswith(b"#"):
                n_lines -= 1
            is_first = False
        return n_lines

    @property
    def n_bytes(self) -> int:
        """Size of the file of messages as it is stored."""
        return self._messages.n_bytes

    @property
    def n_bytes_read(self) -> int:
        """How many of `n_bytes` the last iteration has read so far."""
        return self._messages.n_bytes_read

    def messages(self) -> Iterator[Message]:
        """Give the messages in order.

        Yields
        ------
        Message
            Of every line one.

        Raises
        ------
        CaptureError
            A file is damaged, or the meta file has not one line per message.
        """
        # `tuple.__new__` is what Message() calls, without the call between.
        make = tuple.__new__
        line = 0
        if self._meta is None:
            for block in self._messages.blocks():
                for payload in block:
                    line += 1
                    yield make(Message, (line, line, 0, payload))
            return
        times = self._times(self._meta)
        for block in self._messages.blocks():
            for payload in block:
                line += 1
                time = next(times, None)
                if time is None:
                    raise CaptureError(
                        f"{self._meta.path}: ends after {counted(line - 1, 'message')}, "
                        f"but {self.path} has a line {line}"
                    )
                yield make(Message, (line, time[0], time[1], payload))
        if next(times, None) is not None:
            raise CaptureError(
                f"{self._meta.path}: has a time for message {line + 1}, but {self.path} ends "
                f"after line {line}"
            )

    def answers(self) -> Iterator[RestAnswer]:
        """Give the REST answers in the order of their file.

        Yields
        ------
        RestAnswer
            Of every line one.

        Raises
        ------
        CaptureError
            A line is not JSON, or lacks `recv_ns`, `url` or `data`.
        """
        if self._rest is None:
            return
        line = 0
        for block in self._rest.blocks():
            for text in block:
                line += 1
                if text.strip():
                    yield _answer(text, f"{self._rest.path}: line {line}")

    def events(self) -> Iterator[Event]:
        """Give messages and REST answers merged by time of reception.

        An answer comes before the messages of the same or a later time. Where the messages have no
        times the answers come first, so that a book finds its snapshot before the changes to it.

        Yields
        ------
        Message or RestAnswer
            In order.

        Raises
        ------
        CaptureError
            As `messages` and `answers`.
        """
        answers = iter(sorted(self.answers(), key=lambda answer: answer.recv_ns))
        answer = next(answers, None)
        has_times = self.has_times
        for message in self.messages():
            while answer is not None and (not has_times or answer[0] <= message[1]):
                yield answer
                answer = next(answers, None)
            yield message
        if answer is not None:
            yield answer
            yield from answers

    @staticmethod
    def _times(meta: LineFile) -> Iterator[tuple[int, int]]:
        """Read the time and the connection of each message."""
        line = 0
        for block in meta.blocks():
            for text in block:
                line += 1
                if line == 1 and text.startswith(b"#"):
                    continue
                time, tab, connection = text.rstrip(b"\r").partition(b"\t")
                # int() alone would take signs, spaces and underscores.
                if not time.isdigit() or (tab and not connection.isdigit()):
                    raise CaptureError(
                        f"{meta.path}: line {line}: {text[:60].decode(errors='replace')!r} is not "
                        "a time in ns, or a time, a tab and a connection"
                    )
                recv_ns = int(time)
                number = int(connection) if tab else 0
                if recv_ns > INT64_MAX or number > INT32_MAX:
                    raise CaptureError(f"{meta.path}: line {line}: the number is too large")
                yield recv_ns, number


def _beside(path: Path) -> LineFile | None:
    """Open the file, plain or compressed, if there is one."""
    for candidate in (path, path.with_name(f"{path.name}.zst")):
        if candidate.exists():
            return LineFile(candidate)
    return None


def _answer(text: bytes, where: str) -> RestAnswer:
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CaptureError(f"{where}: not JSON: {error}") from error
    if not isinstance(value, dict):
        raise CaptureError(f"{where}: not a JSON object")
    recv_ns = _integer(value, "recv_ns", INT64_MAX, where)
    connection = _integer({"connection": 0} | value, "connection", INT32_MAX, where)
    texts = []
    for key in ("url", "data"):
        cell = value.get(key)
        if not isinstance(cell, str):
            raise CaptureError(f"{where}: {key} is missing or not a string")
        texts.append(cell)
    try:
        return RestAnswer(recv_ns, connection, texts[0], texts[1].encode())
    except UnicodeEncodeError as error:
        raise CaptureError(f"{where}: data is not Unicode: {error.reason}") from error


def _integer(value: dict[str, Any], key: str, largest: int, where: str) -> int:
    number = value.get(key)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= largest:
        raise CaptureError(f"{where}: {key} is missing or not an integer from 0 to {largest}")
    return number
