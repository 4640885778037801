"""Writes a capture: the files that `reader` reads.

A message is one line, so it cannot hold a newline. JSON may have newlines between its tokens and
nowhere else (RFC 8259 section 7: inside a string they are escaped); they become spaces, which mean
the same. Anything else that holds a newline is refused.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import IO

import zstandard

from tickwire.errors import CaptureError
from tickwire.redaction import shown_url

META_HEADER = b"# recv_ns\tconnection\n"
COMPRESSION_LEVEL = 3


class CaptureWriter:
    """A new capture, and a context manager that closes it.

    Parameters
    ----------
    path
        `<name>.jsonl` or `<name>.jsonl.zst`; the files beside it are compressed as it is.
    has_times
        Write `<name>.meta.tsv[.zst]` with times and connections.

    Raises
    ------
    CaptureError
        The name ends otherwise, or a file cannot be made.
    """

    def __init__(self, path: str | Path, *, has_times: bool = True) -> None:
        path = Path(path)
        self._suffix = ".zst" if path.suffix == ".zst" else ""
        plain_name = path.name.removesuffix(self._suffix)
        if not plain_name.endswith(".jsonl"):
            raise CaptureError(f"{path}: the name of a capture ends in .jsonl or .jsonl.zst")
        self._base = path.with_name(plain_name.removesuffix(".jsonl"))
        self.path = path
        self.n_messages = 0
        self._files: list[IO[bytes]] = []
        self._rest: IO[bytes] | None = None
        self._messages = self._create(".jsonl")
        self._meta = self._create(".meta.tsv") if has_times else None
        if self._meta is not None:
            self._meta.write(META_HEADER)

    def write_message(self, payload: bytes, recv_ns: int = 0, connection: int = 0) -> None:
        """Append a message.

        Parameters
        ----------
        payload
            As received.
        recv_ns
            Wall clock at its reception, ns since the epoch; without `has_times` it is not kept.
        connection
            The number of its connection.

        Raises
        ------
        CaptureError
            The payload holds a newline and is not JSON.
        """
        if b"\n" in payload:
            payload = _on_one_line(payload)
        self._messages.write(payload + b"\n")
        if self._meta is not None:
            self._meta.write(b"%d\t%d\n" % (recv_ns, connection))
        self.n_messages += 1

    def write_answer(self, recv_ns: int, url: str, data: bytes, connection: int = 0) -> None:
        """Append a REST answer.

        Parameters
        ----------
        recv_ns
            Wall clock at its reception, ns since the epoch.
        url
            What was asked for; kept without what may be a secret.
        data
            The body, UTF-8.
        connection
            The connection that it belongs to.

        Raises
        ------
        CaptureError
            The body is not UTF-8.
        """
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise CaptureError(
                f"{self.path}: the answer of {shown_url(url)} is not UTF-8"
            ) from error
        if self._rest is None:
            self._rest = self._create(".rest.jsonl")
        answer = {"recv_ns": recv_ns, "connection": connection, "url": shown_url(url), "data": text}
        self._rest.write(json.dumps(answer).encode() + b"\n")

    def close(self) -> None:
        """Finish the files."""
        while self._files:
            self._files.pop().close()

    def __enter__(self) -> CaptureWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _create(self, ending: str) -> IO[bytes]:
        path = self._base.with_name(f"{self._base.name}{ending}{self._suffix}")
        try:
            file: IO[bytes] = path.open("wb")
        except OSError as error:
            self.close()
            raise CaptureError(f"{path}: {error.strerror}") from error
        if self._suffix:
            compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL, write_checksum=True)
            file = compressor.stream_writer(file, closefd=True)
        self._files.append(file)
        return file


def _on_one_line(payload: bytes) -> bytes:
    try:
        json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise CaptureError(
            "a message that is not JSON holds a newline and cannot be a line"
        ) from error
    return payload.replace(b"\n", b" ")
