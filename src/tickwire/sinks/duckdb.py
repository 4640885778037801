"""Record batches to a DuckDB file.

Rules of this file
------------------
- One connection writes. `cursor` gives other threads their own; another process cannot open the
  file while the feed runs.
- One transaction per flush over all tables, so a reader sees all of a flush or nothing of it, and
  a commit that fails has written nothing and can be repeated.
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
- Tables, comments and the file's format are `tickwire.sinks.duckdb_file`'s; what a start reads
  back is `tickwire.sinks.duckdb_reading`'s.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Annotated, Literal

import duckdb
import pyarrow as pa
from pydantic import AfterValidator, Field

from tickwire.config import FileSinkSettings
from tickwire.config.values import Count, SinkName
from tickwire.errors import SinkError
from tickwire.failpoints import reach
from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.schema import Table
from tickwire.sinks import duckdb_replays as replays
from tickwire.sinks.base import Sink
from tickwire.sinks.duckdb_file import (
    UTC,
    check_version,
    cover,
    explain,
    newer_version,
    prepare,
    quote_identifier,
)
from tickwire.sinks.duckdb_log import settle_log
from tickwire.sinks.duckdb_reading import newest_rows, read_held, rows_of
from tickwire.sinks.files import with_rows
from tickwire.sinks.identity import Held
from tickwire.sinks.replays import Replayed
from tickwire.sinks.retry import DiskFullError, is_full

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
# A commit that has no memory because of readers.
MEMORY_TRIES = 20
MEMORY_RETRY_S = 0.05
# After a checkpoint that another transaction prevented.
CHECKPOINT_PAUSE_S = 5.0
_log = get_logger("tickwire.sinks")


class DuckDBSettings(FileSinkSettings):
    """`[[sink]] type = "duckdb"`: tables of a DuckDB file.

    Parameters
    ----------
    name
        Unique among the feed's sinks; by default its type.
    path
        The file.
    tables
        Those to write; all where left out.
    flush_ms
        A commit starts at least this often.
    checkpoint_mb
        Size of the write-ahead log past which it is checkpointed when the feed is quiet.
    memory_mb
        Memory that DuckDB may use. A log of `checkpoint_mb` takes about 1.5 times as much; where
        that does not fit, the log is checkpointed at a sixteenth of `memory_mb`.
    storage_version
        The oldest DuckDB that shall open the file, such as `v1.4.0`; `latest` is the version that
        is installed. Counts when the file is made.
    """

    type: Literal["duckdb"] = "duckdb"
    name: SinkName = "duckdb"
    flush_ms: Count = 50
    checkpoint_mb: Count = 1024
    memory_mb: Annotated[int, Field(ge=32)] = 2048
    storage_version: Annotated[str, AfterValidator(check_version)] = "v1.4.0"

    def make_sink(
        self,
        feed: str,
        metrics: Metrics | None = None,
    ) -> DuckDBSink:
        """Make the sink, not yet open."""
        return DuckDBSink(self, feed, metrics)


class _Insert:
    """How batches of one table are inserted.

    Most flushes are small, so the fixed cost of a statement counts. Measured for 50 trades, on the
    statement alone: a relation from `from_arrow` 860 us, a replacement scan of a record batch 610,
    of a table (which DuckDB knows sooner) 540, without the optimizer, which has nothing to do here,
    370, and without parsing it anew 300. DuckDB decodes dictionaries as fast as pyarrow does.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, table: Table) -> None:
        schema = table.arrow_schema
        columns = ", ".join(quote_identifier(name) for name in schema.names)
        (self._statement,) = connection.extract_statements(
            f"INSERT INTO main.{quote_identifier(table.name)} ({columns}) "  # noqa: S608 - quoted
            f"SELECT {columns} FROM tickwire_rows_"
        )
        self._names = schema.names
        # A time with a zone would be cast through the session's time zone; the same 64 bits
        # without the zone are UTC, and the change of type copies nothing.
        self._times = [i for i, field in enumerate(schema) if pa.types.is_timestamp(field.type)]

    def __call__(self, connection: duckdb.DuckDBPyConnection, batch: pa.RecordBatch) -> None:
        columns = batch.columns
        for i in self._times:
            columns[i] = columns[i].view(pa.timestamp("ns"))
        tickwire_rows_ = pa.Table.from_arrays(  # noqa: F841 - the statement finds it by name
            columns, names=self._names
        )
        connection.execute(self._statement)


class DuckDBSink(Sink):
    """Rows to the tables of a DuckDB file, one commit per flush.

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
        self.interval_s = settings.flush_ms / 1000
        self._failed_checkpoints = self.metrics.counter("sink_failed_checkpoints")
        self._set_aside = self.metrics.counter("sink_files_set_aside")
        self._memory = self.metrics.gauge("duckdb_memory_bytes")
        self._memory_retries = self.metrics.counter("sink_memory_retries")
        self._memory_due_s = 0.0
        self._has_committed = False
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
        self._inserts: dict[str, _Insert] = {}
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
            self._claim()
            self._writer.begin()
            for table in self.tables.values():
                prepare(self._writer, table, self.origin)
            self._writer.execute(UTC)
            cover(self._writer, self.name)
            self._writer.commit()
            for table in self.tables.values():
                self._inserts[table.name] = _Insert(self._writer, table)
            self._writer.execute("PRAGMA disable_optimizer")  # of this connection alone
            self._check_file()
        except duckdb.Error as error:
            self._close()
            raise SinkError(f"sink {self.name}: {explain(error, self._path)}") from error
        except SinkError as error:
            self._close()
            raise SinkError(f"sink {self.name}: {self._path}: {error}") from error

    def _read_held(self) -> Held:
        return read_held(self._writer, self.tables)

    def _begin_replay(self, replayed: Replayed) -> bool:
        return replays.begin(self._writer, replayed, self.tables)

    def _end_replay(self, replayed: Replayed) -> None:
        replays.end(self._writer, replayed.capture)

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

    def _write(self, batches: Mapping[str, pa.RecordBatch]) -> None:
        self.retry.attempt(lambda: self._commit_first(batches))
        self._check_file()
        self._check_log()
        self._note_commit()
        for table, batch in batches.items():
            self._note_committed(table, batch)
        self._record_latency(batches)
        self._last_rows_s = monotonic()
        if not self._has_committed:
            self._has_committed = True
            self._memory_due_s = 0.0

    def _commit_first(self, batches: Mapping[str, pa.RecordBatch]) -> None:
        """Commit; where readers have taken the memory, end what they run and try again."""
        for _ in range(MEMORY_TRIES):
            try:
                return self._commit(batches)
            except duckdb.OutOfMemoryException as error:
                if not self._interrupt_readers():
                    raise
                self._memory_retries.add()
                _log.warning(
                    "a commit had no memory: queries are ended, and it is tried again",
                    sink=self.name, error=_one_line(error),
                )  # fmt: skip
                sleep(MEMORY_RETRY_S)
        return self._commit(batches)

    def _interrupt_readers(self) -> bool:
        """End what runs on cursors; False where there are none."""
        with self._cursor_lock:
            cursors = list(self._cursors)
        for cursor in cursors:
            with suppress(duckdb.Error):  # it is closed
                cursor.interrupt()
        return bool(cursors)

    def _commit(self, batches: Mapping[str, pa.RecordBatch]) -> None:
        """All of the batches in one transaction, or nothing."""
        writer = self._writer
        writer.begin()
        try:
            for table, batch in batches.items():
                self._inserts[table](writer, batch)
            if self.replayed is not None:
                replays.note(writer, self.replayed.capture, batches)
            reach("commit")
            writer.commit()
            reach("committed")
            self._new_rows.update({table: batch.num_rows for table, batch in batches.items()})
        except duckdb.Error as error:
            with suppress(duckdb.Error):  # a commit that failed has rolled back already
                writer.rollback()
            if is_full(error):
                raise DiskFullError(str(error)) from error
            raise

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

    def _held(self, table: str, batch: pa.RecordBatch) -> int | None:
        seqs = batch.column("seq")
        tickwire_rows_ = pa.table(  # noqa: F841 - the statement finds it by name
            {"seq": seqs, "ts_recv": batch.column("ts_recv").view(pa.timestamp("ns"))}
        )
        # A file may have rows of another feed with the same numbers, and not with the same times.
        row = self._writer.execute(
            f"SELECT max(held.seq) FROM main.{quote_identifier(table)} held "  # noqa: S608 - quoted
            "JOIN tickwire_rows_ USING (seq, ts_recv) WHERE held.seq BETWEEN ? AND ?",
            [seqs[0].as_py(), seqs[-1].as_py()],
        ).fetchone()
        return None if row is None or row[0] is None else int(row[0])

    def newest_rows(
        self, table: str, columns: Sequence[str], n_rows: int
    ) -> Iterator[pa.RecordBatch]:
        """Read back the rows that were put in last."""
        with self._reader() as reader:
            rows = newest_rows(reader, table, columns, n_rows)
        yield from reversed(rows.to_batches())

    def rows_of(
        self, table: str, columns: Sequence[str], symbols: Sequence[str], n_rows: int
    ) -> pa.RecordBatch | None:
        """Read back the newest rows of some symbols, within `READ_BACK_S`."""
        with self._reader() as reader:
            return rows_of(reader, table, columns, symbols, n_rows)

    @contextmanager
    def _reader(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection of a thread that is not the worker's, for a moment."""
        reader = self.cursor()
        try:
            yield reader
        except duckdb.Error as error:
            raise SinkError(f"sink {self.name}: {self._path}: {_one_line(error)}") from error
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
                "a checkpoint failed: it is tried again", sink=self.name, error=_one_line(error)
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
        self._inserts.clear()
        with self._cursor_lock:
            database, self._database = self._database, None
        if database is not None:
            self._interrupt_readers()
            with suppress(duckdb.Error):  # after a failure that is logged
                self._writer.close()
            with suppress(duckdb.Error):
                database.close()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
