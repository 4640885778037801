"""Writes a recording: rows out of the loop's memory, as blocks, into files that rotate.

Rules of this file
------------------
- One thread at a time. What is written is released; what a failed write had goes into the
  next file, whole.
- The files of a run have one id and count their rows through, so that a reader knows a row that was
  written twice, and one that is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Protocol

import pyarrow as pa

from tickwire.capture.blocks import END, SCHEMA, BlockEncoder
from tickwire.capture.recorder import Kind, Recorder
from tickwire.failpoints import reach

SUFFIX = ".recording.arrows"
BLOCK_BYTES = 4 << 20  # of payloads
KINDS = pa.array([kind.name.lower() for kind in Kind])
ANSWERS = (Kind.ANSWER, Kind.BACKFILL)


class OutputFile(Protocol):
    """A file that only grows."""

    def write(self, data: bytes | memoryview, /) -> int:
        """Write all of it."""

    def sync(self) -> None:
        """Make it durable."""

    def check(self) -> None:
        """Raise where it is not there any more."""

    def close(self) -> None:
        """Close it."""


class RecordingWriter:
    """Writes what a recorder has.

    Parameters
    ----------
    recorder
        Where rows come from.
    create
        Makes a new file, given the time of its first row in ns.
    metadata
        For the schema of each file; `tickwire.run` is the id of the run.
    rotate_bytes, rotate_s
        A file that has so many bytes, or is so old, is followed by another one.
    sync_s
        How often the file is synced; 0: when it is closed.
    level
        Of zstd.

    Attributes
    ----------
    n_rows, n_bytes, n_blocks, n_files, n_syncs
        Written, and done.
    """

    def __init__(
        self,
        recorder: Recorder,
        create: Callable[[int], OutputFile],
        metadata: dict[str, str],
        *,
        rotate_bytes: int,
        rotate_s: float,
        sync_s: float,
        level: int = 1,
    ) -> None:
        self.n_rows = self.n_bytes = self.n_blocks = self.n_files = self.n_syncs = 0
        self._recorder = recorder
        self._create = create
        self._encoder = BlockEncoder(metadata, level)
        self._rotate_bytes = rotate_bytes
        self._rotate_s = rotate_s
        self._sync_s = sync_s
        self._file: OutputFile | None = None
        self._file_bytes = 0
        self._began_s = self._synced_s = 0.0
        self._is_dirty = False

    def open(self, now_ns: int) -> None:
        """Begin a file."""
        self._file = self._create(now_ns)
        self._file_bytes = 0
        self._began_s = self._synced_s = monotonic()
        self.n_files += 1
        self._write(self._encoder.schema_block())

    def write(self) -> int:
        """Write all that waits; gives the rows. They stay in memory until they are written."""
        n_rows = 0
        while n := self.write_block():
            n_rows += n
        return n_rows

    def write_block(self) -> int:
        """Write the oldest rows as a block; gives how many, 0 where none waits."""
        taken = self._recorder.buffer.take(BLOCK_BYTES)
        if taken is None:
            return 0
        first_row, n = taken[:2]
        batch, bounds, singles = self._batch(*taken[1:])
        self._rotate(bounds[0])
        self._write(self._encoder.block(batch, first_row, *bounds))
        for origin in singles:
            self._recorder.forget(origin)
        self._recorder.buffer.release(n)
        self.n_blocks += 1
        self.n_rows += n
        return int(n)

    def sync(self, *, is_due: bool = True) -> None:
        """Make durable what is written, where that is due."""
        if self._file is None or not self._is_dirty:
            return
        if is_due or (self._sync_s and monotonic() - self._synced_s >= self._sync_s):
            self._file.check()
            self._file.sync()
            self._synced_s = monotonic()
            self._is_dirty = False
            self.n_syncs += 1

    def finish(self) -> None:
        """Close the file with its end mark, durably."""
        if self._file is not None:
            self._write([END])
            self.sync()
            self.close()

    def close(self) -> None:
        """Let go of the file, as it is."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _rotate(self, now_ns: int) -> None:
        is_old = monotonic() - self._began_s >= self._rotate_s
        if self._file is not None and (is_old or self._file_bytes >= self._rotate_bytes):
            self.finish()
            reach("recording")
        if self._file is None:
            self.open(now_ns)

    def _write(self, pieces: list[bytes | memoryview]) -> None:
        if self._file is None:
            raise ValueError("no file is open")
        for piece in pieces:
            self._file.write(piece)
            reach("block")
            self._file_bytes += len(piece)
            self.n_bytes += len(piece)
        self._is_dirty = True

    def _batch(
        self,
        n: int,
        recv_ns: memoryview,
        mono_ns: memoryview,
        read: memoryview,
        conn: memoryview,
        origin: memoryview,
        kind: memoryview,
        opcode: memoryview,
        offsets: bytes,
        payloads: memoryview,
    ) -> tuple[pa.RecordBatch, tuple[int, int], list[int]]:
        """Make a record batch; texts are copied, all else is lent."""
        times = _lent(pa.int64(), n, recv_ns)
        kinds = _lent(pa.int8(), n, kind)
        codes = _lent(pa.int32(), n, origin).dictionary_encode()
        numbers = codes.dictionary.to_pylist()
        origins = [self._recorder.origin_of(number) for number in numbers]
        sources = pa.array([each.source for each in origins], pa.int16())
        venues = pa.array([each.venue for each in origins], pa.utf8())
        endpoints = pa.array([each.endpoint for each in origins], pa.utf8())
        payload = pa.Array.from_buffers(
            pa.binary(), n, [None, pa.py_buffer(offsets), pa.py_buffer(payloads)]
        )
        batch = pa.RecordBatch.from_arrays(
            [
                times.view(SCHEMA.field("ts_recv").type),
                _lent(pa.int64(), n, mono_ns),
                KINDS.take(kinds),
                sources.take(codes.indices),
                venues.take(codes.indices),
                _lent(pa.int32(), n, conn),
                endpoints.take(codes.indices),
                _lent(pa.int64(), n, read),
                _lent(pa.int8(), n, opcode),
                payload,
            ],
            schema=self._encoder.schema,
        )
        times_ns = times.view(pa.int64()).to_numpy()
        singles = [number for number, each in zip(numbers, origins, strict=True) if each.is_single]
        return batch, (int(times_ns.min()), int(times_ns.max())), singles


def _lent(kind: pa.DataType, n: int, column: memoryview) -> pa.Array:
    return pa.Array.from_buffers(kind, n, [None, pa.py_buffer(column)])
