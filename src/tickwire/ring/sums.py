"""Checksums of the rows of a ring that sinks have taken, in a file beside the ring's.

Rules of this file
------------------
- A range is summed by the sink that takes it first, in its own thread, before it commits: until
  then the rows stay where they are. Nothing is done where a row is written.
- The file has the last `RANGES` ranges, each with a checksum of its own, and is as long from the
  start on. A range counts only as long as the ring holds all of its rows.
- A short range is joined with the next one, so that a start has few of them to sum and the file has
  all rows of a large ring; where its rows have changed since, it stays as it is.
- A disk that fails costs checksums and no row; that is logged once.
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote
from weakref import finalize
from zlib import crc32

import numpy as np
import pyarrow as pa

from tickwire.logs import get_logger
from tickwire.ring._consumer import Consumer
from tickwire.ring.cells import HEADER, WORDS_AT, WORDS_PER_LINE, Stored, columns_of, sum_of
from tickwire.ring.files import RingFiles, allocate, ring_file

RANGES = 8192
SHORT_ROWS = 256  # a range of fewer is joined with the next one
_ENTRY, _CRC = struct.Struct("<qqI"), struct.Struct("<I")  # first and last seq, CRC of the cells
_ENTRY_BYTES = _ENTRY.size + _CRC.size
_SKIPPED = 2  # which word of the header counts the positions that have no row, twice
_log = get_logger("tickwire.ring")


class Summed(NamedTuple):
    """A range of rows and its checksum."""

    first_seq: int
    last_seq: int
    crc: int


class RangeSums:
    """Writes the checksums of one table's ring.

    Parameters
    ----------
    files
        Of this start.
    table
        Its ring is there.

    Raises
    ------
    OSError
        The disk is full, or fails.
    """

    def __init__(self, files: RingFiles, table: str) -> None:
        block, self._columns = columns_of(files.folder / ring_file(table))
        self._seq_base = int(block[:WORDS_AT].view(HEADER)[0]["seq_base"])
        self._words = block[WORDS_AT:][: 64 * WORDS_PER_LINE].view("<i8")
        self._path = files.folder / sums_file(table)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        finalize(self, os.close, self._file)
        allocate(self._file, RANGES * _ENTRY_BYTES)
        self._lock = threading.Lock()
        self._through = self._seq_base - 1
        self._n = 0
        self._last = (0, 0, 0, 0)  # of the last range: first seq, positions from and to, sum
        self._has_failed = False

    def note(self, first_seq: int, last_seq: int) -> None:
        """Sum the rows of a range that no sink has taken before; it is not committed."""
        with self._lock:
            first = max(first_seq, self._through + 1)
            if first > last_seq:
                return
            self._through = last_seq
            skipped = int(self._words[_SKIPPED * WORDS_PER_LINE]) >> 1
            start = first - self._seq_base + skipped
            stop = start + last_seq - first + 1
            if self._is_joined(start):
                first, start = self._last[:2]
                self._n -= 1
            total = sum_of(self._columns, start, stop)
            self._last = first, start, stop, total
            entry = _ENTRY.pack(first, last_seq, total)
            at = self._n % RANGES * _ENTRY_BYTES
            self._n += 1
            try:
                os.pwrite(self._file, entry + _CRC.pack(crc32(entry)), at)
            except OSError as error:
                if not self._has_failed:
                    self._has_failed = True
                    _log.error(
                        "checksums of a ring's rows are not written",
                        file=str(self._path), error=error.strerror,
                    )  # fmt: skip

    def _is_joined(self, at: int) -> bool:
        """Whether rows from a position on go into the last range."""
        _, start, stop, total = self._last
        if stop != at or not 0 < stop - start < SHORT_ROWS:
            return False
        return sum_of(self._columns, start, stop) == total  # else its change would be lost


class SummedConsumer:
    """A sink's consumer that sums what it takes; what it has is what `BatchSource` asks for."""

    def __init__(self, consumer: Consumer, sums: RangeSums) -> None:
        self._consumer = consumer
        self._sums = sums
        self.commit = consumer.commit
        self.record = consumer.record
        self.close = consumer.close

    @property
    def available(self) -> int:
        """Rows published and not yet taken."""
        return self._consumer.available

    @property
    def depth(self) -> float:
        """The share of the ring that is not committed."""
        return self._consumer.depth

    @property
    def holds(self) -> int:
        """The oldest row that the ring keeps for it."""
        return self._consumer.holds

    def take(self, max_rows: int | None = None) -> pa.RecordBatch | None:
        """Copy what is there; None where there is nothing."""
        batch = self._consumer.take(max_rows)
        if batch is not None and batch.num_rows:
            seqs = batch.column("seq")
            self._sums.note(seqs[0].as_py(), seqs[-1].as_py())
        return batch


def sums_file(table: str) -> str:
    """Give the name of the file of a ring's checksums."""
    return f"{quote(table, safe='')}.sums"


def read_sums(folder: Path, table: str) -> list[Summed]:
    """Give the checksums of a ring's ranges, in order of their rows, but for damaged ones."""
    try:
        data = (folder / sums_file(table)).read_bytes()
    except OSError:  # of a version without
        return []
    n = len(data) // _ENTRY_BYTES
    entries = np.frombuffer(data, np.uint8, n * _ENTRY_BYTES).reshape(n, _ENTRY_BYTES)
    found = []
    # Most places were never written. They are no ranges: of zeros the checksum is not zero.
    for i in np.flatnonzero(entries.any(axis=1)).tolist():
        at = i * _ENTRY_BYTES
        entry = data[at : at + _ENTRY.size]
        if _CRC.unpack_from(data, at + _ENTRY.size)[0] == crc32(entry):
            found.append(Summed(*_ENTRY.unpack(entry)))
    return sorted(found)


def damaged_ranges(
    sums: list[Summed], columns: Mapping[str, Stored], first_seq: int, stop_seq: int, start: int
) -> list[tuple[int, int]]:
    """Give the ranges of seq whose rows have changed since they were summed, joined.

    Parameters
    ----------
    sums
        Of the ring.
    columns
        Its columns.
    first_seq, stop_seq
        The oldest row that it holds, and behind the newest.
    start
        The position of the oldest.
    """
    found: list[tuple[int, int]] = []
    for each in sums:
        if not first_seq <= each.first_seq <= each.last_seq < stop_seq:
            continue
        at = start + each.first_seq - first_seq
        if sum_of(columns, at, at + each.last_seq - each.first_seq + 1) != each.crc:
            if found and found[-1][1] == each.first_seq - 1:
                found[-1] = found[-1][0], each.last_seq
            else:
                found.append((each.first_seq, each.last_seq))
    return found
