"""Captures: their files, read line by line, and the REST answers beside them.

Rules of this file
------------------
- A capture is never held in memory; every connection that plays it reads it anew.
- Files are read in the event loop's thread: a chunk is decompressed in well under a millisecond.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from urllib.parse import parse_qs, urlsplit

import zstandard

from tickwire.errors import CaptureError


class Capture:
    """A capture on disk.

    Parameters
    ----------
    path
        `<name>.jsonl` or `<name>.jsonl.zst`; `<name>.meta.tsv[.zst]` and `<name>.rest.jsonl[.zst]`
        beside it are used where they exist.

    Raises
    ------
    CaptureError
        Where the file cannot be read.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        name = self.path.name.removesuffix(".zst")
        if not name.endswith(".jsonl"):
            raise CaptureError(f"{path}: a capture is a .jsonl or a .jsonl.zst file")
        self._base = name.removesuffix(".jsonl")
        try:
            with _open(self.path) as file:
                file.readline()
        except (OSError, zstandard.ZstdError) as error:
            raise CaptureError(f"{path}: {error}") from error
        self._meta = self._beside(".meta.tsv")
        self._rest = self._read_rest()

    @property
    def has_times(self) -> bool:
        """Whether a meta file gives the messages' times."""
        return self._meta is not None

    def lines(self) -> Iterator[tuple[int, int, bytes]]:
        """Every message: receive time in ns (0 without a meta file), connection, text."""
        with _open(self.path) as file:
            if self._meta is None:
                for line in file:
                    yield 0, 0, line.rstrip(b"\r\n")
                return
            with _open(self._meta) as meta:
                rows = (row for row in meta if not row.startswith(b"#"))
                for line in file:
                    row = next(rows, None)
                    if row is None:
                        raise CaptureError(f"{self._meta}: has fewer lines than {self.path.name}")
                    recv_ns, _, connection = row.partition(b"\t")
                    yield int(recv_ns), int(connection or 0), line.rstrip(b"\r\n")

    def connection_numbers(self) -> list[int]:
        """List the connections that the capture was recorded on."""
        if self._meta is None:
            return [0]
        with _open(self._meta) as meta:
            numbers = {row.partition(b"\t")[2] for row in meta if not row.startswith(b"#")}
        return sorted({int(number or 0) for number in numbers}) or [0]

    def rest(self, path: str, symbol: str, nth: int) -> str | None:
        """Return the nth REST answer for this path and symbol, or the last there is."""
        answers = self._rest.get((path, symbol))
        return answers[min(nth, len(answers) - 1)] if answers else None

    def _beside(self, ending: str) -> Path | None:
        for candidate in (self._base + ending, self._base + ending + ".zst"):
            if self.path.with_name(candidate).exists():
                return self.path.with_name(candidate)
        return None

    def _read_rest(self) -> dict[tuple[str, str], list[str]]:
        answers: dict[tuple[str, str], list[str]] = {}
        file_path = self._beside(".rest.jsonl")
        if file_path is None:
            return answers
        with _open(file_path) as file:
            for line in file:
                record = json.loads(line)
                url = urlsplit(record["url"])
                symbol = parse_qs(url.query).get("symbol", [""])[0]
                # Old captures asked /api/v1/depth of the website; the API has had v3 since.
                path = url.path.replace("/api/v1/", "/api/v3/")
                answers.setdefault((path, symbol), []).append(record["data"])
        return answers


def _open(path: Path) -> IO[bytes]:
    file = path.open("rb")
    if path.suffix != ".zst":
        return file
    reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    return io.BufferedReader(reader, buffer_size=1 << 18)
