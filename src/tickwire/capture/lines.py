"""Files of lines, plain or zstd, read in blocks so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from tickwire.errors import CaptureError

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
BLOCK_BYTES = 1 << 20
# Twice over what the parser lets through; without a bound, a file without newlines would be
# gathered in memory whole.
MAX_LINE_BYTES = 64 << 20


class LineFile:
    """The lines of a file, without their ends.

    Parameters
    ----------
    path
        Compressed if it ends in `.zst`.

    Attributes
    ----------
    n_bytes
        Size of the file as it is stored.
    n_bytes_read
        How many of them the last iteration has read.

    Raises
    ------
    CaptureError
        It is not there, cannot be read, or is not zstd though its name says so.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.n_bytes_read = 0
        self._is_compressed = path.suffix == ".zst"
        try:
            with path.open("rb") as file:
                magic = file.read(len(ZSTD_MAGIC))
            self.n_bytes = path.stat().st_size
        except OSError as error:
            raise CaptureError(f"{path}: {error.strerror}") from error
        if self._is_compressed and not is_zstd(magic):
            raise CaptureError(f"{path}: not zstd, though its name ends in .zst")

    def blocks(self) -> Iterator[list[bytes]]:
        """Give the lines from the start, as many at a time as a block holds.

        Yields
        ------
        list of bytes
            Whole lines without their newline. A last line without one counts.

        Raises
        ------
        CaptureError
            The file cannot be read to its end, or has a line that is too long.
        """
        n_lines = 0
        rest = b""
        try:
            # pyarrow's stream tells a truncated file from one that ends; python-zstandard's reader
            # takes both for the end.
            with self._raw() as raw, self._opened(raw) as stream:
                # Its `read` loses the memory of a block that it fails to read (pyarrow 26).
                while block := stream.read_buffer(BLOCK_BYTES).to_pybytes():
                    self.n_bytes_read = raw.tell()
                    lines = block.split(b"\n")
                    if len(lines) > 1:
                        lines[0] = rest + lines[0]
                        rest = lines.pop()
                        n_lines += len(lines)
                        yield lines
                    else:
                        rest += block
                        self._check_length(rest, n_lines)
                self.n_bytes_read = self.n_bytes
        except OSError as error:
            what = " ".join(str(error).split())
            raise CaptureError(f"{self.path}: after line {n_lines}: {what}") from error
        if rest:
            yield [rest]

    def _raw(self) -> pa.NativeFile:
        return pa.OSFile(str(self.path))

    def _opened(self, raw: pa.NativeFile) -> pa.NativeFile:
        return pa.CompressedInputStream(raw, "zstd") if self._is_compressed else raw

    def _check_length(self, line: bytes, n_lines: int) -> None:
        if len(line) > MAX_LINE_BYTES:
            raise CaptureError(
                f"{self.path}: line {n_lines + 1} is longer than {MAX_LINE_BYTES} bytes"
            )


def is_zstd(start: bytes) -> bool:
    """Whether a file that begins with these four bytes is zstd: a frame, or one to be skipped."""
    is_skippable = start[1:] == b"\x2a\x4d\x18" and start[0] >> 4 == 5
    return start == ZSTD_MAGIC or is_skippable
