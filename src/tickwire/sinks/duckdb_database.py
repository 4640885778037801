"""A sink's DuckDB file: how it is opened, its memory, its log and its other connections.

Rules of this file
------------------
- One connection writes. `cursor` gives other threads their own; another process cannot open the
  file while the feed runs.
- A commit is not a checkpoint. DuckDB's automatic one would stall a commit for up to seconds each
  16 MB, so its threshold is put out of reach and the sink checkpoints itself: when no rows came for
  a while, past `checkpoint_mb` of write-ahead log, and at stop. Commits wait for a checkpoint;
  where a ring fills meanwhile, its rows are spilled.
- Until a checkpoint DuckDB has the rows of the log in memory. So the log has to fit.
- Of each row group that was written DuckDB keeps a description while the file is open, which its
  limit does not count. So the file is closed and opened anew from time to time, after a checkpoint
  and while there is no reader: it then has none until they are needed.
- A file that was deleted or replaced is noticed after each commit, before its rows count; so is a
  write-ahead log that was deleted alone.
"""

from __future__ import annotations

import os
import threading
import weakref
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import duckdb

from tickwire.errors import SinkError
from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.sinks.base import Sink
from tickwire.sinks.duckdb_file import explain, newer_version
from tickwire.sinks.duckdb_log import settle_log
from tickwire.sinks.files import with_rows
from tickwire.sinks.retry import is_full

if TYPE_CHECKING:
    from tickwire.sinks.duckdb import DuckDBSettings

MIB = 1 << 20
# Without rows for this long the feed counts as quiet; below this much log a checkpoint can wait.
QUIET_S = 1.0
MEMORY_LOOK_S = 5.0
MEMORY = "SELECT sum(memory_usage_bytes) FROM duckdb_memory()"
QUIET_MIN_BYTES = 16 * MIB
# A checkpoint of so much log has helpers.
HELPED_BYTES = 64 * MIB
# What a byte of the log takes in memory, about.
LOG_IN_MEMORY = 1.5
# A log that does not fit has this part of the memory, and so has the cache after a checkpoint.
MEMORY_SHARES = 16
# What the description of a row group takes for each column, about, and the rows of a full one.
DESCRIBED_BYTES = 4096
GROUP_ROWS = 122_880
# After a checkpoint that another transaction prevented.
CHECKPOINT_PAUSE_S = 5.0
_log = get_logger("tickwire.sinks")


class DatabaseSink(Sink):
    """A sink whose rows go to a DuckDB file.

    Attributes
    ----------
    stalls
        Checkpoints, during which nothing is committed.
    """

    def __init__(
        self,
        settings: DuckDBSettings,
        feed: str,
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__(settings, feed, metrics)
        self._failed_checkpoints = self.metrics.counter("sink_failed_checkpoints")
        self._set_aside = self.metrics.counter("sink_files_set_aside")
        self._memory = self.metrics.gauge("duckdb_memory_bytes")
        self._memory_due_s = 0.0
        self._file_id: tuple[int, int] | None = None
        # Absolute: DuckDB takes a name such as `md:x` or `http:...` for another kind of database,
        # and fetches an extension for it from the network.
        self._path = Path(settings.path).absolute()
        self._storage_version = settings.storage_version
        self._most_memory_mb = settings.memory_mb
        self._automatic_mb = 4 * settings.checkpoint_mb
        self._log_path = f"{self._path}.wal"
        self._logged_bytes = 0
        self._checkpoint_bytes = self._most_log_mb(settings.checkpoint_mb) * MIB
        self._checkpoint_after_s = 0.0
        self._last_rows_s = monotonic()
        self._new_rows: Counter[str] = Counter()  # by table, since the last checkpoint
        self._described_bytes = 0  # by row groups, since the file was opened
        # Cursors are made from the first connection, which runs nothing, under the lock.
        self._cursor_lock = threading.RLock()
        self._cursors: weakref.WeakSet[duckdb.DuckDBPyConnection] = weakref.WeakSet()
        self._database: duckdb.DuckDBPyConnection | None = None
        self._writer: duckdb.DuckDBPyConnection  # the worker's alone

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Make a connection to the same database, for one other thread.

        It keeps the file locked until it is closed, also past the end of the sink. What it runs is
        interrupted where a commit has no memory otherwise.

        Raises
        ------
        SinkError
            The sink is not open.
        """
        with self._cursor_lock:
            if self._database is None:
                raise SinkError(f"sink {self.name}: {self._path} is not open")
            cursor = self._database.cursor()
            self._cursors.add(cursor)
            return cursor

    def _open(self) -> None:
        if not self._is_claimed:
            try:
                if settle_log(self._path, self.name, self._memory_mb()):
                    self._set_aside.add()
            except OSError as error:
                raise SinkError(f"sink {self.name}: {self._log_path}: {error.strerror}") from error
        try:
            self._database = duckdb.connect(
                os.fspath(self._path),
                config={
                    "storage_compatibility_version": self._storage_version,
                    # No query may have one fetched from the network by naming it.
                    "autoinstall_known_extensions": "false",
                },
            )
            self._writer = self._database.cursor()
            self._configure()
            self._prepare()
            self._check_file()
        except duckdb.Error as error:
            self._close()
            raise SinkError(f"sink {self.name}: {explain(error, self._path)}") from error
        except SinkError as error:
            self._close()
            raise SinkError(f"sink {self.name}: {self._path}: {error}") from error

    def _configure(self) -> None:
        """Set what the database may use, and what it shall not do by itself."""
        newer = newer_version(self._writer, self._storage_version)
        if newer is not None:
            _log.warning(
                "storage_version_kept",
                sink=self.name,
                file=str(self._path),
                storage_version=newer,
                asked=self._storage_version,
            )
        # Out of reach, yet there: DuckDB's own checkpoint is the last resort where other
        # connections prevent the sink's own.
        self._writer.execute(f"SET checkpoint_threshold = '{self._automatic_mb}MiB'")
        # Of a checkpoint that takes long, on the program's standard output.
        self._writer.execute("SET enable_progress_bar = false")
        self._writer.execute(f"SET memory_limit = '{self._memory_mb()}MiB'")
        # What does not fit in memory, of a log or of a query, shall not fill the disk.
        self._writer.execute(f"SET max_temp_directory_size = '{2 * self._automatic_mb}MiB'")
        # Each checkpoint begins a row group. DuckDB would write three that are not full anew as
        # two: many times as long, with all of their rows in memory, and holes in the file.
        self._writer.execute("SET max_vacuum_tasks = 0")
        self._set_threads(1)

    @abstractmethod
    def _prepare(self) -> None:
        """Claim and prepare a file that was just opened; an error closes it again."""

    def _memory_mb(self) -> int:
        """Give how much memory DuckDB may use: as configured, but not most of the machine's.

        Its own limit is 80 % of the machine's memory, and what it has written stays cached up to
        that: a feed would grow with its file.
        """
        n_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return min(self._most_memory_mb, max(32, n_bytes * 8 // 10 // MIB))

    def _most_log_mb(self, checkpoint_mb: int) -> int:
        """Give the size of the log past which it is checkpointed: as configured, where that fits.

        Until a checkpoint DuckDB keeps in memory what is in the log. Where all of it does not fit,
        it would be written to temporary files, and memory would swing between full and empty.
        """
        memory_mb = self._memory_mb()
        if checkpoint_mb * LOG_IN_MEMORY <= memory_mb:
            return checkpoint_mb
        return min(checkpoint_mb, memory_mb // MEMORY_SHARES)

    def _set_threads(self, n_threads: int) -> None:
        """Set how many threads DuckDB uses.

        Inserts are small: a second thread costs more than it brings, and the feed needs it.
        """
        self._writer.execute(f"SET threads = {n_threads}")

    def _interrupt_readers(self) -> bool:
        """End what runs on cursors; False where there are none."""
        with self._cursor_lock:
            cursors = list(self._cursors)
        for cursor in cursors:
            with suppress(duckdb.Error):  # it is closed
                cursor.interrupt()
        return bool(cursors)

    def _check_file(self) -> None:
        """See that what was committed can be found by the file's name."""
        try:
            stat = os.stat(self._path)  # noqa: PTH116 - thrice as fast, on each flush
        except FileNotFoundError:
            raise SinkError(f"{self._path} was deleted{with_rows(self.last_committed)}") from None
        if self._file_id is None:
            self._file_id = (stat.st_ino, stat.st_dev)
        elif self._file_id != (stat.st_ino, stat.st_dev):
            raise SinkError(f"{self._path} was replaced{with_rows(self.last_committed)}")

    def _check_log(self) -> None:
        """See that the log of what was just committed is there, unless DuckDB has checkpointed it.

        What a deleted log held is written into the file when that is closed.
        """
        before, self._logged_bytes = self._logged_bytes, self._log_bytes()
        if not self._logged_bytes and before < self._automatic_mb * MIB // 2:
            raise SinkError(f"{self._log_path} was deleted")

    @contextmanager
    def _reader(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection of a thread that is not the worker's, for a moment."""
        reader = self.cursor()
        try:
            yield reader
        except duckdb.Error as error:
            raise SinkError(f"sink {self.name}: {self._path}: {one_line(error)}") from error
        finally:
            reader.close()
            with self._cursor_lock:  # a traceback may keep it for longer
                self._cursors.discard(reader)

    def _housekeeping(self, n_rows: int) -> None:
        now_s = monotonic()
        if now_s >= self._memory_due_s and not self.puts_off:
            self._memory_due_s = now_s + MEMORY_LOOK_S
            found = self._writer.execute(MEMORY).fetchone()
            self._memory.set(int(found[0] or 0) if found is not None else 0)
        if now_s < self._checkpoint_after_s:
            return
        n_bytes = self._log_bytes()
        if self.puts_off and n_bytes < 2 * self._checkpoint_bytes:
            return
        is_quiet = not n_rows and now_s - self._last_rows_s >= QUIET_S
        if n_bytes >= self._checkpoint_bytes or (is_quiet and n_bytes >= QUIET_MIN_BYTES):
            self._checkpoint()
            self._forget_row_groups()

    def _log_bytes(self) -> int:
        try:
            return os.stat(self._log_path).st_size  # noqa: PTH116 - thrice as fast, on each flush
        except FileNotFoundError:
            return 0

    def _checkpoint(self) -> None:
        """Move the log into the file; a ring that fills meanwhile is spilled."""
        began_s = monotonic()
        # Nothing commits meanwhile, so every processor may help to end one that takes long. Each
        # helper is a new thread, which leaves some MB behind in an arena of malloc's.
        has_helpers = self._log_bytes() >= HELPED_BYTES
        if has_helpers:
            self._set_threads(os.cpu_count() or 1)
        try:
            self._writer.execute("CHECKPOINT")
        except duckdb.Error as error:
            # Another connection's transaction prevented it, or the disk is full: it is tried again,
            # and the rows are safe in the log.
            if not isinstance(error, duckdb.TransactionException) and not is_full(error):
                raise
            self._failed_checkpoints.add()
            _log.warning(
                "a checkpoint failed: it is tried again", sink=self.name, error=one_line(error)
            )
            self._checkpoint_after_s = monotonic() + CHECKPOINT_PAUSE_S
        finally:
            self.stalls.add(monotonic() - began_s)
            if has_helpers:
                self._set_threads(1)
        self._shrink_cache()
        self._progress += 1

    def _shrink_cache(self) -> None:
        """Let go of blocks that were written: they are cached up to the limit, for no reader."""
        with self._cursor_lock:
            if self._cursors:  # they may need the cache, and the memory just now
                return
        memory_mb = self._memory_mb()
        with suppress(duckdb.OutOfMemoryException):  # it cannot be so small: then it stays
            self._writer.execute(f"SET memory_limit = '{memory_mb // MEMORY_SHARES}MiB'")
        self._writer.execute(f"SET memory_limit = '{memory_mb}MiB'")

    def _forget_row_groups(self) -> None:
        """Open the file anew where what DuckDB keeps of its row groups has become much."""
        if self._log_bytes():  # the checkpoint has failed
            return
        for table, n_rows in self._new_rows.items():
            n_groups = -(-n_rows // GROUP_ROWS)
            n_columns = len(self.tables[table].arrow_schema)
            self._described_bytes += DESCRIBED_BYTES * n_columns * n_groups
        self._new_rows.clear()
        if self._described_bytes < self._memory_mb() * MIB // MEMORY_SHARES:
            return
        with self._cursor_lock:  # who wants to read now waits until it is open again
            if not self._cursors:
                began_s = monotonic()
                self._check_file()  # an open file outlives its name, a closed one does not
                file_id = self._file_id
                self._close()
                self._file_id = file_id  # the same file, or an error
                self._open()
                self.stalls.add(monotonic() - began_s)

    def _finish(self) -> None:
        self._checkpoint()

    def _close(self) -> None:
        self._file_id = None
        self._logged_bytes = self._described_bytes = 0
        with self._cursor_lock:
            database, self._database = self._database, None
        if database is not None:
            self._interrupt_readers()
            with suppress(duckdb.Error):  # after a failure that is logged
                self._writer.close()
            with suppress(duckdb.Error):
                database.close()


def one_line(error: Exception) -> str:
    """Give an error's text as one line."""
    return " ".join(str(error).split())
