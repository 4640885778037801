"""Segments: the rows of one table in files that only grow.

Rules of this file
------------------
- A segment is `<first seq>.segment`: eight bytes of magic, then records. A record is a head (its
  length, first and last seq, a CRC of all of these and of the rows) and the rows as an Arrow IPC
  stream of their own, with schema and dictionaries: each record is read without the others.
- A write that fails is taken back, so that the next record stands where it should. What a kill
  leaves of a record is cut off at the next opening; what a CRC refuses is set aside and counted.
- Where a head leads nowhere, the next whole record is looked for by its CRC: what is between is a
  record that cannot be read, and not the end of the segment. A last one that is as long as its head
  says was damaged and not torn: it is kept under another name too, and is in `lost`, at each
  opening until `forget_lost`.
- A record is handed to the operating system: it outlives the process. To outlive the machine's
  power it must be synced, which takes long: the descriptors to sync are given to the caller, who
  does that while others append.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from tickwire.errors import TickwireError
from tickwire.failpoints import reach
from tickwire.logs import get_logger

# The same sum at a fraction of the instructions, where `tickwire[fast]` is installed.
try:
    from zlib_ng.zlib_ng import crc32
except ImportError:
    from zlib import crc32

MAGIC = b"twseg01\n"
SUFFIX = ".segment"
DAMAGED = ".damaged"
HEAD = struct.Struct("<Qqq")  # bytes of rows, first seq, last seq
CRC = struct.Struct("<I")
HEAD_BYTES = HEAD.size + CRC.size
STREAM = b"\xff\xff\xff\xff"  # what Arrow IPC begins with
SEGMENT_BYTES = 64 << 20
FIRST_BYTES = 1 << 16  # of the memory in which rows are put together
MOST_BYTES = 4 << 20  # what is larger is not kept

_log = get_logger("tickwire.store")


class SegmentError(TickwireError):
    """A segment cannot be written or read."""


class Record(NamedTuple):
    """Where some rows are.

    Parameters
    ----------
    path
        The segment.
    offset
        Where the record begins.
    n_bytes
        With its head.
    first_seq, last_seq
        Of its rows.
    """

    path: Path
    offset: int
    n_bytes: int
    first_seq: int
    last_seq: int

    @property
    def n_rows(self) -> int:
        """How many rows, at most: `seq` grows by one while a feed runs."""
        return self.last_seq - self.first_seq + 1


class SegmentLog:
    """The segments of one table; one thread at a time.

    Parameters
    ----------
    folder
        Made where it is not there.
    segment_bytes
        A segment that has reached it is followed by another one.
    is_synced
        The caller syncs what `take_unsynced` gives.

    Attributes
    ----------
    records
        What it holds, oldest first.
    n_bytes
        Of all records.
    lost
        Damaged records behind the last whole one of a segment, when it was opened.

    Raises
    ------
    SegmentError
        The folder cannot be used.
    """

    def __init__(
        self, folder: Path, segment_bytes: int = SEGMENT_BYTES, *, is_synced: bool = False
    ) -> None:
        self.records: deque[Record] = deque()
        self.n_bytes = 0
        self.lost: list[Record] = []
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._file = -1
        self._path = folder
        self._end = 0
        self._memory = bytearray(FIRST_BYTES)
        self._is_synced = is_synced
        self._is_dirty = self._has_new_name = False
        self._sealed: dict[Path, int] = {}  # full, and not synced
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for path in sorted(folder.glob(f"*{SUFFIX}")):
                self._scan(path)
        except OSError as error:
            raise SegmentError(f"{folder}: cannot be used: {error.strerror}") from error

    def append(self, batch: pa.RecordBatch) -> None:
        """Write rows behind all others.

        Parameters
        ----------
        batch
            At least one row, with a column `seq` that grows.

        Raises
        ------
        SegmentError
            They could not be written; nothing of them is kept.
        """
        seqs = batch.column("seq")
        first, last = seqs[0].as_py(), seqs[-1].as_py()
        rows = self._encoded(batch)
        head = HEAD.pack(len(rows), first, last)
        head += CRC.pack(crc32(rows, crc32(head)))
        try:
            if self._file < 0 or self._end >= self._segment_bytes:
                self._begin(first)
            self._write((head, rows))
        except OSError as error:
            raise SegmentError(
                f"{self._folder}: cannot be written: {error.strerror or error}"
            ) from error
        n_bytes = len(head) + len(rows)
        self.records.append(Record(self._path, self._end, n_bytes, first, last))
        self._end += n_bytes
        self.n_bytes += n_bytes
        self._is_dirty = True
        if len(self._memory) > MOST_BYTES:
            self._memory = bytearray(FIRST_BYTES)

    def _encoded(self, batch: pa.RecordBatch) -> memoryview:
        """Give rows as a stream of their own, in memory that is used again and again."""
        while True:
            stream = pa.FixedSizeBufferWriter(pa.py_buffer(self._memory))
            try:
                with pa.ipc.new_stream(stream, batch.schema) as writer:
                    writer.write_batch(batch)
                return memoryview(self._memory)[: stream.tell()]
            except OSError:  # it does not fit
                self._memory = bytearray(max(2 * len(self._memory), batch.nbytes + FIRST_BYTES))

    def read(self, record: Record) -> pa.RecordBatch | None:
        """Give the rows of a record; None where they are damaged.

        Raises
        ------
        SegmentError
            The segment cannot be read.
        """
        try:
            with record.path.open("rb") as file:
                file.seek(record.offset)
                data = file.read(record.n_bytes)
        except OSError as error:
            raise SegmentError(f"{record.path}: cannot be read: {error.strerror}") from error
        if not _is_whole(data, record.n_bytes):
            return None
        with pa.ipc.open_stream(pa.py_buffer(data)[HEAD_BYTES:]) as reader:
            return reader.read_next_batch()

    def trim(self, last_seq: int) -> None:
        """Forget the records whose rows are all at or before `last_seq`."""
        while self.records and self.records[0].last_seq <= last_seq:
            self.drop_first()

    def set_aside(self, record: Record) -> None:
        """Keep the segment of a damaged record under another name, whatever becomes of it here."""
        try:
            os.link(record.path, record.path.with_suffix(DAMAGED))
        except FileExistsError:  # of another damaged record in it
            pass
        except OSError as error:
            _log.error("a damaged segment is not kept", segment=str(record.path), error=str(error))

    def drop_first(self) -> None:
        """Forget the oldest record; its segment goes with the last record in it."""
        record = self.records.popleft()
        self.n_bytes -= record.n_bytes
        if self.records and self.records[0].path == record.path:
            return
        if self._path == record.path:
            self._leave()
        elif record.path in self._sealed:
            os.close(self._sealed.pop(record.path))
        reach("segment")
        try:
            record.path.unlink(missing_ok=True)
        except OSError as error:  # the next start finds rows in it that the sink has
            path = str(record.path)
            _log.error("a segment cannot be deleted", segment=path, error=str(error))

    def take_unsynced(self) -> list[int]:
        """Give descriptors of files and folders to sync, and then to close.

        Raises
        ------
        OSError
            One cannot be opened: all are given by a later call.
        """
        found: list[int] = []
        try:
            if self._file >= 0 and self._is_dirty:
                found.append(os.dup(self._file))
            if (found or self._sealed) and self._has_new_name:
                found.append(os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        except OSError:
            for descriptor in found:
                os.close(descriptor)
            raise
        found[:0] = self._sealed.values()
        self._sealed.clear()
        if found:
            self._has_new_name = False
        self._is_dirty = False
        return found

    def close(self) -> None:
        """Let go of the files; an empty folder goes."""
        self._leave()
        for descriptor in self._sealed.values():
            os.close(descriptor)
        self._sealed.clear()
        with suppress(OSError):  # it has segments, for the next start
            self._folder.rmdir()

    def _begin(self, first_seq: int) -> None:
        if self._is_synced and self._file >= 0 and self._is_dirty:
            self._sealed[self._path] = self._file
            self._file = -1
        self._leave()
        path = self._folder / f"{first_seq:020}{SUFFIX}"
        self.lost = [each for each in self.lost if each.path != path]  # written over
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        self._path, self._end = path, 0
        self._has_new_name = True
        self._write((MAGIC,))
        self._end = len(MAGIC)

    def _leave(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._is_dirty = False
        self._path = self._folder

    def _write(self, parts: tuple[bytes | memoryview, ...]) -> None:
        """Write all parts at the end, or leave the file as it was."""
        # Deleted while open: what is written would be gone with it.
        if os.fstat(self._file).st_nlink == 0:
            self._leave()
            raise OSError(2, "the segment was deleted")
        try:
            at = self._end
            for part in parts:
                view = memoryview(part).cast("B")
                while view:
                    n_written = os.pwrite(self._file, view, at)
                    view = view[n_written:]
                    at += n_written
        except OSError:
            with suppress(OSError):  # half a record is then found by its CRC
                os.ftruncate(self._file, self._end)
            raise

    def _scan(self, path: Path) -> None:
        """Find the records of a segment that an earlier run has left; cut off what is torn."""
        end, before = 0, _first_of(path) - 1
        with path.open("r+b") as file:
            size = os.fstat(file.fileno()).st_size
            if size >= len(MAGIC):
                end = len(MAGIC)
                if file.read(end) != MAGIC:  # its records have sums of their own
                    _log.error("a segment has a wrong beginning", segment=str(path))
                for record in self._found(path, file.fileno(), size):
                    self.records.append(record)
                    self.n_bytes += record.n_bytes
                    end, before = record.offset + record.n_bytes, record.last_seq
            if end != size:
                if self._has_lost(path, file.fileno(), end, size, before):
                    return
                _log.warning("a torn record is cut off", segment=str(path), bytes=size - end)
                file.truncate(end)
        if end <= len(MAGIC):
            path.unlink()

    def _has_lost(self, path: Path, file: int, end: int, size: int, before: int) -> bool:
        """Whether a tail behind seq `before` is damaged: a kill leaves less than its head says."""
        head = os.pread(file, HEAD.size, end)
        n_rows_bytes, first, last = HEAD.unpack(head) if len(head) == HEAD.size else (size, 0, 0)
        if HEAD_BYTES + n_rows_bytes > size - end and 0 <= first <= last:
            return False
        path.with_suffix(DAMAGED).write_bytes(os.pread(file, size - end, end))
        if not before < first <= last < first + n_rows_bytes:  # the head is damaged too
            first = last = before + 1
        self.lost.append(Record(path, end, size - end, first, last))
        _log.error(
            "a damaged record ends a segment", segment=str(path), seqs=f"{first}..{last}"
        )  # fmt: skip
        return True

    def forget_lost(self) -> None:
        """Cut off what is in `lost`: a caller has said so."""
        lost, self.lost = self.lost, []
        held = {record.path for record in self.records}
        for each in lost:
            with suppress(OSError):  # the next opening finds it again
                if each.path in held:
                    os.truncate(each.path, each.offset)
                else:
                    each.path.unlink(missing_ok=True)

    @classmethod
    def _found(cls, path: Path, file: int, size: int) -> Iterator[Record]:
        """Give the records of a segment, and between them what cannot be read of it."""
        offset, before = len(MAGIC), _first_of(path) - 1
        while offset < size:
            record = cls._head(path, file, offset, size, before)
            if record is None:
                record = _next_whole(path, file, offset, size)
                if record is None:
                    return
                first = min(before + 1, record.first_seq)
                last = max(first, record.first_seq - 1)
                yield Record(path, offset, record.offset - offset, first, last)
            yield record
            offset, before = record.offset + record.n_bytes, record.last_seq

    @staticmethod
    def _head(path: Path, file: int, offset: int, size: int, before: int) -> Record | None:
        """Give the record whose head is at an offset, if it can be one behind seq `before`."""
        if offset + HEAD_BYTES > size:
            return None
        n_rows_bytes, first, last = HEAD.unpack(os.pread(file, HEAD.size, offset))
        n_bytes = HEAD_BYTES + n_rows_bytes
        stop = offset + n_bytes
        if stop > size or not 0 <= first <= last:
            return None
        # Only the last record can be torn. The others are checked when they are read; here, whether
        # another one follows, and whether the numbers grow: a record with a seq that is far too
        # high would never be trimmed, nor what is behind it.
        follower = os.pread(file, HEAD_BYTES + len(STREAM), stop)
        is_in_order = (
            before < first
            and len(follower) == HEAD_BYTES + len(STREAM)
            and follower.endswith(STREAM)
            and last < HEAD.unpack_from(follower)[1]
        )
        if not is_in_order and not _is_whole(os.pread(file, n_bytes, offset), n_bytes):
            return None
        return Record(path, offset, n_bytes, first, last)


def _first_of(path: Path) -> int:
    """Give the first seq of a segment, by its name."""
    return int(path.stem) if path.stem.isdecimal() else 0


def _next_whole(path: Path, file: int, offset: int, size: int) -> Record | None:
    """Give the first whole record behind an offset; None where there is none."""
    with mmap.mmap(file, size, access=mmap.ACCESS_READ) as data:
        at = offset + 1 + HEAD_BYTES
        while (at := data.find(STREAM, at)) >= 0:
            start = at - HEAD_BYTES
            n_rows_bytes, first, last = HEAD.unpack_from(data, start)
            n_bytes = HEAD_BYTES + n_rows_bytes
            is_head = n_bytes <= size - start and 0 <= first <= last
            if is_head and _is_whole(data[start : start + n_bytes], n_bytes):
                return Record(path, start, n_bytes, first, last)
            at += 1
    return None


def _is_whole(data: bytes, n_bytes: int) -> bool:
    if len(data) != n_bytes or n_bytes < HEAD_BYTES:
        return False
    (crc,) = CRC.unpack_from(data, HEAD.size)
    rows = memoryview(data)[HEAD_BYTES:]
    return bool(crc32(rows, crc32(data[: HEAD.size])) == crc)
