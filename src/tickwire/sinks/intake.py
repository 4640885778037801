"""The rows of a sink between its rings and its output: with the worker, or in the spill.

Rules of this file
------------------
- Two threads take rows, the worker and the spiller; `lock` guards all that is here.
- A ring is free of rows when the output or the spill has them.
- What was spilled comes before what the rings hold.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping
from time import monotonic
from typing import Protocol

import pyarrow as pa

from tickwire.config import Context
from tickwire.errors import SinkError
from tickwire.failpoints import reach
from tickwire.logs import get_logger
from tickwire.observe import Histogram, Metrics
from tickwire.sinks.attempts import Attempts
from tickwire.sinks.retry import LOG_EVERY_S
from tickwire.store import Spill

_log = get_logger("tickwire.sinks")


class BatchSource(Protocol):
    """What a sink needs of a ring's consumer."""

    @property
    def available(self) -> int:
        """Rows published and not yet taken."""

    @property
    def depth(self) -> float:
        """The share of the ring that is not committed."""

    @property
    def holds(self) -> int:
        """The oldest row that the ring keeps, counted since the ring was made; -1 when closed."""

    def take(self, max_rows: int | None = None) -> pa.RecordBatch | None:
        """Copy what is there; None where there is nothing."""

    def commit(self) -> None:
        """Release what was taken."""

    def record(self, histogram: Histogram) -> None:
        """Record the age, since its read, of each row taken since the last call."""

    def close(self) -> None:
        """Detach from the ring."""


class Intake:
    """What a sink has taken, where it waits, and what of it the rings still hold.

    Parameters
    ----------
    name
        The sink's.
    metrics
        The sink's.
    attempts
        How the output does.

    Attributes
    ----------
    sources
        A consumer for each table.
    spill
        Where rows wait that the output does not take.
    lock
        Guards the sources and the spill.
    in_flight
        Rows that are out of the ring, and not in the spill.
    is_waited_for
        After the end: whether the rings still hold rows that the sink has not got.
    n_seen, n_released
        Rows by table: taken or recovered; out of the ring, as the output or the spill has them.
    """

    def __init__(self, name: str, metrics: Metrics, attempts: Attempts) -> None:
        self.sources: dict[str, BatchSource] = {}
        self.spill = Spill(None, ())
        self.lock = threading.Lock()
        self.in_flight: dict[str, pa.RecordBatch] = {}
        self.is_waited_for = False
        self.n_seen: dict[str, int] = {}
        self.n_released: dict[str, int] = {}
        self._name = name
        self._attempts = attempts
        self._n_taken: dict[str, int] = {}
        self._unreleased: set[str] = set()  # tables of which the rings hold rows that were taken
        self._spilled = metrics.counter("sink_spilled_rows")
        self._syncs = metrics.counter("spill_syncs")
        self._sync_ns = metrics.counter("spill_sync_seconds")
        self._spill_logged_s = float("-inf")
        self._spill_error_logged_s = float("-inf")
        self._sync_logged_s = float("-inf")
        metrics.watch("sink_spill_bytes", lambda: self.spill.n_bytes)
        metrics.watch("spill_damaged_records", lambda: self.spill.n_damaged)

    def open(self, tables: Iterable[str]) -> None:
        """Begin to count the rows of tables."""
        for table in tables:
            self.n_seen[table] = self._n_taken[table] = self.n_released[table] = 0

    def start(self, sources: Mapping[str, BatchSource], spill: Spill) -> None:
        """Take rows from here on; those of an earlier run come first."""
        self.sources = dict(sources)
        self.spill = spill
        for table in self.n_seen:
            self.n_seen[table] = spill.recovered_rows(table)

    def close(self, *, is_hung: bool) -> None:
        """Count what the rings still hold as rows that the sink has not got, and let go of them.

        Parameters
        ----------
        is_hung
            A thread may still use the rings and the spill: they stay open.
        """
        self.is_waited_for = bool(self._unreleased)
        for table, source in self.sources.items():
            n_left = source.available
            self.n_seen[table] += n_left
            self.is_waited_for = self.is_waited_for or n_left > 0
            if not is_hung:
                source.close()
        if not is_hung:
            self.spill.close()

    def available(self, table: str) -> int:
        """Give the rows of a table that its ring holds, not yet taken."""
        source = self.sources.get(table)
        return 0 if source is None else source.available

    def take(self) -> dict[str, pa.RecordBatch]:
        """Take what the rings hold: a batch of each table that has rows."""
        batches = {}
        for table, source in self.sources.items():
            batch = source.take() if source.available else None
            if batch is not None and batch.num_rows:
                batches[table] = batch
                self.n_seen[table] += batch.num_rows
                self._n_taken[table] += batch.num_rows
                self._unreleased.add(table)
        return batches

    def keep(self, batches: Mapping[str, pa.RecordBatch]) -> None:
        """Let a spill on disk hold the rows until the output does; the ring is free of them."""
        if self.spill.is_durable:
            if self.spill.is_full or not self.spill.flush():
                self._log_spill_error()
                return  # the ring holds them, and the worker has the output commit at once
            for table, batch in batches.items():
                self.spill.append(table, batch, is_read=True)
            reach("spilled")
        self.in_flight = {}
        self.release()

    def release(self) -> None:
        """Let the rings go of all that was taken, where the output has it, or the spill's disk."""
        if not self.spill.is_safe:
            return
        for table in self._unreleased:
            self.sources[table].commit()
            self.n_released[table] = self._n_taken[table]
        self._unreleased.clear()

    def keep_in_flight(self) -> None:
        """Put what is in flight into the spill, as read."""
        for table, batch in self.in_flight.items():
            self.spill.append(table, batch, is_read=True)
        self.in_flight = {}

    def spill_rows(self) -> None:
        """Take all rows out of the rings; first those that the worker is writing."""
        is_idle = not any(source.available for source in self.sources.values())
        if is_idle and not self.in_flight and self.spill.is_safe:
            return
        if self.spill.is_full:
            self._log_spill_error()
            return
        for table, batch in self.in_flight.items():
            self.spill.append(table, batch, is_read=True)
            self._spilled.add(batch.num_rows)
        self.in_flight = {}
        if not self.spill.flush():
            self._log_spill_error()
            return
        self._log_spill()
        while not self.spill.is_full and (batches := self.take()):
            for table, batch in batches.items():
                self.spill.append(table, batch)
                self._spilled.add(batch.num_rows)
        self.release()

    def sync(self) -> None:
        """Sync the spill to its disk, without the lock: others append meanwhile."""
        with self.lock:
            descriptors, error = self.spill.take_unsynced()
        began_s = monotonic()
        for descriptor in descriptors:  # one that fails keeps no other from its disk
            try:
                os.fsync(descriptor)
            except OSError as raised:
                error = raised
            finally:
                os.close(descriptor)
        if descriptors:
            self._syncs.add()
            self._sync_ns.add(int((monotonic() - began_s) * 1e9))
        if error is not None:
            self._log_sync_error(error)

    def _log_spill(self) -> None:
        if monotonic() - self._spill_logged_s >= LOG_EVERY_S:
            self._spill_logged_s = monotonic()
            _log.warning(
                "a sink does not keep up: rows are spilled",
                sink=self._name,
                to=str(self.spill.folder or "memory"),
                error=self._attempts.trouble,
            )

    def _log_sync_error(self, error: OSError) -> None:
        is_logged = monotonic() - self._sync_logged_s >= LOG_EVERY_S
        if is_logged:
            self._sync_logged_s = monotonic()
        self._attempts.failures.report(
            SinkError(f"sink {self._name}: its spill cannot be synced: {error.strerror}"),
            Context.SINK, "a spill cannot be synced: a loss of power may cost its rows",
            part=f"{self._name} spill", log=_log, quiet=not is_logged,
            sink=self._name, error=error.strerror,
        )  # fmt: skip

    def _log_spill_error(self) -> None:
        is_logged = monotonic() - self._spill_error_logged_s >= LOG_EVERY_S
        if is_logged:
            self._spill_error_logged_s = monotonic()
        why = self.spill.error or f"it is full: {self.spill.n_bytes:,} bytes"
        self._attempts.failures.report(
            SinkError(f"sink {self._name}: its rows cannot be spilled: {why}"), Context.SINK,
            "rows cannot be spilled: they stay in the ring",
            part=f"{self._name} spill", log=_log, quiet=not is_logged,
            sink=self._name, why=why, error="",
        )  # fmt: skip


def last_seq(batch: pa.RecordBatch) -> int:
    """Give the seq of the last row."""
    return int(batch.column("seq")[-1].as_py())


def rows_after(batch: pa.RecordBatch, position: int) -> pa.RecordBatch:
    """Give the rows with a seq greater than `position`."""
    seqs = batch.column("seq").to_numpy()
    return batch.slice(int(seqs.searchsorted(position, side="right")))
