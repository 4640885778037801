"""Messages as they came, to a folder of recordings: `<path>/<feed>-<start>.recording.arrows`.

Rules of this file
------------------
- It takes no table. The loop puts messages into memory of its own (`capture.Recorder`), and the
  worker writes what is there, a few times a second or as soon as a block is full.
- The loop never waits for it: what does not fit while it is late, fails, or waits for a full disk,
  is dropped, counted, logged, and a row of the recording.
- Two writers of one folder are an error: it is locked.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Annotated, ClassVar, Literal

import pyarrow as pa
from pydantic import AfterValidator, Field

from tickwire.capture.recorder import Recorder
from tickwire.capture.recording_writer import SUFFIX, RecordingWriter
from tickwire.clock import wall_ns
from tickwire.config import FileSinkSettings
from tickwire.config.values import Count, Seconds, SinkName
from tickwire.errors import SinkError
from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.sinks.base import Sink
from tickwire.sinks.files import DurableFile, make_folder, path_segment, start_mark, sync_folder

MIB = 1 << 20
LOOK_S = 0.05
ENOUGH_BYTES = MIB  # are written before `flush_ms` is over
LOG_EVERY_S = 60.0
FORMAT = "1"

_log = get_logger("tickwire.sinks")


def _is_power_of_two(mib: int) -> int:
    if mib & (mib - 1):
        raise ValueError("should be a power of two")
    return mib


class RawSettings(FileSinkSettings):
    """`[[sink]] type = "raw"`: every message as it came, in files that `tickwire replay` plays.

    Parameters
    ----------
    name
        Unique among the feed's sinks; by default its type.
    path
        The folder.
    flush_ms
        What came is written at least this often: what a kill costs.
    rotate_mb
        A file that has so many MiB is followed by another one.
    rotate_s
        A file that is so old is followed by another one.
    fsync_s
        How often a file is synced to the disk: a loss of the machine's power costs at most that. 0:
        when it is closed.
    memory_mb
        Memory where messages wait for the writer: a power of two. What does not fit is dropped,
        counted, and a row of the recording.
    level
        How hard zstd compresses: a higher level takes less disk and more CPU.
    """

    takes_tables: ClassVar[bool] = False

    type: Literal["raw"] = "raw"
    name: SinkName = "raw"
    flush_ms: Count = 250
    rotate_mb: Count = 256
    rotate_s: Seconds = 3600.0
    fsync_s: Annotated[float, Field(ge=0)] = 1.0
    memory_mb: Annotated[int, Field(ge=1, le=4096), AfterValidator(_is_power_of_two)] = 64
    level: Annotated[int, Field(ge=1, le=19)] = 1

    def make_sink(self, feed: str, metrics: Metrics | None = None) -> RawSink:
        """Make the sink, not yet open."""
        return RawSink(self, feed, metrics)


class RawSink(Sink):
    """Messages to files of a recording."""

    recorder: Recorder

    def __init__(self, settings: RawSettings, feed: str, metrics: Metrics | None = None) -> None:
        super().__init__(settings.model_copy(update={"tables": ()}), feed, metrics)
        self.interval_s = min(LOOK_S, settings.flush_ms / 1000)
        self.recorder = Recorder(settings.memory_mb * MIB)
        self._raw = settings
        self._root = Path(settings.path)
        self._run_id = f"{start_mark(wall_ns())}-{secrets.token_hex(4)}"
        self._writer: RecordingWriter | None = None
        self._lock = -1
        self._written_s = 0.0
        self._n_files = 0
        self._n_dropped_seen = 0
        self._n_bytes_seen = 0  # of the present writer
        self._logged_s = float("-inf")
        buffer = self.recorder.buffer
        self._n_bytes = self.metrics.counter("recorded_file_bytes")
        self.metrics.watch("recorded_messages", lambda: buffer.n_messages)
        self.metrics.watch("recorded_message_bytes", lambda: buffer.n_message_bytes)
        self.metrics.watch("recording_dropped_messages", lambda: buffer.n_dropped_messages)
        self.metrics.watch("recording_dropped_bytes", lambda: buffer.n_dropped_bytes)
        self.metrics.watch("recording_waiting_rows", lambda: buffer.waiting)

    @property
    def rows_left(self) -> dict[str, int]:
        """Rows of the recording that it has not got, after the stop."""
        waiting = self.recorder.buffer.waiting if self._is_stopped else 0
        return {"recording": waiting} if waiting else {}

    def _open(self) -> None:
        try:
            make_folder(self._root, self.name)
            self._take_lock()
            self._writer = RecordingWriter(
                self.recorder,
                self._create,
                self._metadata(),
                rotate_bytes=self._raw.rotate_mb * MIB,
                rotate_s=self._raw.rotate_s,
                sync_s=self._raw.fsync_s,
                level=self._raw.level,
            )
            self._writer.open(wall_ns())
            if self.recorder.buffer.waiting:  # after a failure: the output works if it takes them
                self._write_rows(self._writer)
            self._note_written()
        except BaseException as error:
            self._close()
            if not isinstance(error, OSError):
                raise
            raise SinkError(
                f"sink {self.name}: cannot write to {self._root}: {error.strerror}"
            ) from error

    def _take_lock(self) -> None:
        self._lock = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SinkError(
                f"sink {self.name}: {self._root}: another process records there"
            ) from None

    def _create(self, now_ns: int) -> DurableFile:
        name = f"{path_segment(self.feed)}-{start_mark(now_ns)}"
        path = self._root / f"{name}{SUFFIX}"
        self._n_files += 1
        if path.exists():  # the clock has stood still, or went back
            path = self._root / f"{name}.{self._n_files}{SUFFIX}"
        file = DurableFile(path, self.retry)
        sync_folder(self._root)
        return file

    def _metadata(self) -> dict[str, str]:
        return {
            **self.origin,
            "tickwire.recording": FORMAT,
            "tickwire.run": self._run_id,
            "tickwire.sources": json.dumps(self.sources),
            "tickwire.connections": json.dumps(self.connections),
        }

    def _write(self, batches: Mapping[str, pa.RecordBatch]) -> None:
        """Write no rows: it takes no tables."""

    def _housekeeping(self, n_rows: int) -> None:
        buffer = self.recorder.buffer
        waiting = buffer.waiting
        is_due = monotonic() - self._written_s >= self._raw.flush_ms / 1000
        is_due = is_due or buffer.waiting_bytes >= ENOUGH_BYTES
        if self._writer is not None and waiting and is_due:
            self._write_rows(self._writer)
        if self._writer is not None:
            self._writer.sync(is_due=False)
        self._report_drops()

    def _write_rows(self, writer: RecordingWriter) -> None:
        while writer.write_block():
            # After each one: a stop waits for what makes progress, and more may come meanwhile.
            self._progress += 1
            self._attempts.succeeded()
            self._note_commit()
            self._note_written()
            writer.sync(is_due=False)
        self._written_s = monotonic()

    def _note_written(self) -> None:
        if self._writer is not None:
            self._n_bytes.add(self._writer.n_bytes - self._n_bytes_seen)
            self._n_bytes_seen = self._writer.n_bytes

    def _report_drops(self) -> None:
        n_dropped = self.recorder.buffer.n_dropped_messages
        if n_dropped == self._n_dropped_seen or monotonic() - self._logged_s < LOG_EVERY_S:
            return
        self._logged_s = monotonic()
        _log.warning(
            "the recording does not keep up: messages are not recorded, rows go on",
            sink=self.name,
            messages=n_dropped - self._n_dropped_seen,
            total=n_dropped,
            error=self.error,
        )
        self._n_dropped_seen = n_dropped

    def _finish(self) -> None:
        self._logged_s = float("-inf")
        self._report_drops()
        if self._writer is not None:
            self._write_rows(self._writer)
            self.recorder.buffer.end()  # its row fits now, where memory was full
            self._write_rows(self._writer)
            self._writer.finish()
            self._note_written()

    def _close(self) -> None:
        if self._writer is not None:
            with suppress(OSError):  # what had to be on disk was synced
                self._writer.close()
            self._writer = None
            self._n_bytes_seen = 0
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
