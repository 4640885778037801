"""Record batches to a DuckDB file.

Rules of this file
------------------
- One transaction per flush over all tables, so a reader sees all of a flush or nothing of it, and
  a commit that fails has written nothing and can be repeated.
- Tables, comments and the file's format are `tickwire.sinks.duckdb_file`'s; what a start reads
  back is `tickwire.sinks.duckdb_reading`'s; the open file, its memory and its checkpoints are
  `tickwire.sinks.duckdb_database`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from time import monotonic, sleep
from typing import Annotated, Literal

import duckdb
import pyarrow as pa
from pydantic import AfterValidator, Field

from tickwire.config import FileSinkSettings
from tickwire.config.values import Count, SinkName
from tickwire.failpoints import reach
from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.schema import Table
from tickwire.sinks import duckdb_replays as replays
from tickwire.sinks.duckdb_database import DatabaseSink, one_line
from tickwire.sinks.duckdb_file import (
    LEAST_VERSION,
    UTC,
    check_version,
    cover,
    prepare,
    quote_identifier,
)
from tickwire.sinks.duckdb_reading import newest_rows, read_held, rows_of
from tickwire.sinks.identity import Held
from tickwire.sinks.replays import Replayed
from tickwire.sinks.retry import DiskFullError, is_full

# A commit that has no memory because of readers.
MEMORY_TRIES = 20
MEMORY_RETRY_S = 0.05
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
    storage_version: Annotated[str, AfterValidator(check_version)] = LEAST_VERSION

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


class DuckDBSink(DatabaseSink):
    """Rows to the tables of a DuckDB file, one commit per flush."""

    def __init__(
        self,
        settings: DuckDBSettings,
        feed: str,
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__(settings, feed, metrics)
        self.interval_s = settings.flush_ms / 1000
        self._memory_retries = self.metrics.counter("sink_memory_retries")
        self._has_committed = False
        self._inserts: dict[str, _Insert] = {}

    def _prepare(self) -> None:
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

    def _close(self) -> None:
        self._inserts.clear()
        super()._close()

    def _read_held(self) -> Held:
        return read_held(self._writer, self.tables)

    def _begin_replay(self, replayed: Replayed) -> bool:
        return replays.begin(self._writer, replayed, self.tables)

    def _end_replay(self, replayed: Replayed) -> None:
        replays.end(self._writer, replayed.capture, self.tables)

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
                    sink=self.name, error=one_line(error),
                )  # fmt: skip
                sleep(MEMORY_RETRY_S)
        return self._commit(batches)

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
