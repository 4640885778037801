"""The worker of a sink: takes rows, writes them and commits, until the output has all of them.

Rules of this file
------------------
- The worker's thread alone touches the output, from its opening on: a file system that hangs keeps
  no other part. Where a caller still waits for the first opening, it gets the error; later it is a
  failure as any other.
- The worker sleeps on an event with a time limit, so a stop is seen at once and an idle sink costs
  one look at each ring per interval.
- A row counts as committed when a reader can see it. Until then the ring or the spill holds it.
- A sink fails alone. Whatever it raises, its output is closed, opened again and given the same
  rows: at once, then after 2, 4, 8 ... s (jitter, at most 60 s), until it takes them. After five
  failures in a row its circuit breaker opens, as an endpoint's does: that is said and counted.
- What the output holds is decided by `seq`, and after a failure or a restart by the output itself.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import Future, InvalidStateError
from time import monotonic

import pyarrow as pa

from tickwire.logs import get_logger
from tickwire.observe import Counter, Metrics
from tickwire.schema import Table
from tickwire.sinks.attempts import Attempts, GaveUp
from tickwire.sinks.intake import Intake, last_seq, rows_after
from tickwire.sinks.retry import Retry

_log = get_logger("tickwire.sinks")


class Worker(ABC):
    """What a sink does in its thread, and what an output must be able to do for it.

    Parameters
    ----------
    name
        The sink's.
    metrics
        The sink's.

    Attributes
    ----------
    name
        As given.
    tables
        The tables it takes, by name, once it is prepared.
    retry
        Repeats writes where the disk is full.
    puts_off
        Maintenance waits where it can: rows come first. A feed sets it.
    opened
        Settled by the first opening of the output; who cancels it lets the worker go on alone.
    """

    # How often the worker looks at the rings, in seconds; a subclass sets it from its settings.
    interval_s = 0.2
    # Whether rows wait in the sink for longer than a write: then the spill holds them meanwhile.
    holds_rows = False

    def __init__(self, name: str, metrics: Metrics) -> None:
        self.name = name
        self.tables: dict[str, Table] = {}
        self.puts_off = False
        self.opened: Future[None] = Future()
        self._on_open: list[Callable[[], object]] = []
        self._stopping = threading.Event()
        self._begun = threading.Event()  # or stopped before
        self._is_started = False
        self.retry = Retry(self._stopping, name)
        self._attempts = Attempts(name, metrics, self._stopping)
        self._intake = Intake(name, metrics, self._attempts)
        self._commits = metrics.counter("sink_commits")
        self._n_committed: dict[str, Counter] = {}
        self._positions: dict[str, int] = {}  # the last seq that the output holds, as far as known
        self._unsure: set[str] = set()  # tables of which the output itself must be asked
        self._progress = 0
        self._drains = True
        self._is_open = False

    # What a sink of one kind does.

    @abstractmethod
    def _open(self) -> None:
        """Open the output for `tables`, also again after `_close`; raises SinkError."""

    @abstractmethod
    def _write(self, batches: Mapping[str, pa.RecordBatch]) -> None:
        """Write the rows; calls `_note_committed` for those that readers can now see."""

    @abstractmethod
    def _finish(self) -> None:
        """Commit what is left; nothing comes after it."""

    @abstractmethod
    def _close(self) -> None:
        """Let go of the output; after a failure too, so it must not raise."""

    def _held(self, table: str, batch: pa.RecordBatch) -> int | None:
        """Give the greatest seq of `batch` that the output holds; rows go in in order."""
        return None

    def _housekeeping(self, n_rows: int) -> None:  # noqa: B027 - most sinks need none
        """Maintenance after each look at the rings, which brought `n_rows`."""

    def _has_all(self) -> None:  # noqa: B027 - for a sink that notes it
        """All that the feed had is in the output, at its end."""

    def _safe_positions(self) -> dict[str, int]:
        """Give, by table, the last seq up to which the output holds all rows."""
        return self._positions

    def _missing(self, table: str, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Give the rows that the output lacks: all, unless after a failure or a start."""
        if table not in self._unsure:
            return batch
        position = self._positions.get(table)
        if position is not None:
            batch = rows_after(batch, position)
        if batch.num_rows:
            held = self._held(table, batch)
            if held is not None:
                held = min(held, last_seq(batch))
                rest = rows_after(batch, held)
                self._note_held(table, batch.num_rows - rest.num_rows)
                self._positions[table] = held
                batch = rest
            if batch.num_rows:
                self._unsure.discard(table)
        return batch

    def _note_commit(self) -> None:
        """Count a commit, of whatever tables."""
        self._commits.add()

    def _note_committed(self, table: str, batch: pa.RecordBatch) -> None:
        """Note that readers can see all rows of a batch."""
        self._n_committed[table].add(batch.num_rows)
        self._positions[table] = last_seq(batch)
        self._progress += 1

    def _count_committed(self, table: str, n_rows: int) -> None:
        self._n_committed[table].add(n_rows)
        self._progress += 1

    # The thread.

    def _run(self) -> None:
        try:
            if not self._open_first():
                return
            self._begun.wait()
            if not self._is_started:
                return
            while not self._stopping.is_set():
                began_s = monotonic()
                self._maintain(self._step())
                if not self._intake.spill.has_unread:
                    self._stopping.wait(max(0.0, began_s + self.interval_s - monotonic()))
            self._end()
        except GaveUp:
            pass
        except Exception as error:  # the worker's edge: no caller could see the error
            self._failed(error)
        finally:
            self._close_output()

    def _open_first(self) -> bool:
        """Open the output; False where it failed and a caller knows."""
        began_s = monotonic()
        self._attempts.busy()
        try:
            self._open_output()
        except Exception as error:  # as in `_deliver`
            try:
                self.opened.set_exception(error)
            except InvalidStateError:  # no caller waits any more
                self._failed(error)
                self._attempts.wait(error)
            else:
                return False
        else:
            try:
                self.opened.set_result(None)
            except InvalidStateError:
                seconds = round(monotonic() - began_s, 1)
                _log.info("the output of a sink is open", sink=self.name, seconds=seconds)
        self._attempts.idle()
        return True

    def _step(self) -> int:
        """Take what comes next and write it; returns the number of rows."""
        batches = self._next()
        if batches or not self._is_open:
            self._deliver(batches)
        self._attempts.idle()
        n_rows = 0
        for batch in batches.values():
            n_rows += batch.num_rows
        return n_rows

    def _next(self) -> dict[str, pa.RecordBatch]:
        """Take what was spilled, or where nothing was, what the rings hold."""
        self._attempts.busy()
        with self._intake.lock:
            if self._intake.spill.has_unread:
                return self._intake.spill.next()
            self._intake.in_flight = batches = self._intake.take()
            if self.holds_rows:
                self._intake.keep(batches)
            return batches

    def _deliver(self, batches: dict[str, pa.RecordBatch]) -> None:
        """Write rows until the output has taken them."""
        while True:
            try:
                self._ensure_open()
                rest = batches
                if self._unsure:
                    rest = {table: self._missing(table, batch) for table, batch in batches.items()}
                    rest = {table: batch for table, batch in rest.items() if batch.num_rows}
                if rest:
                    self._write(rest)
                    for table, batch in rest.items():
                        self._positions[table] = last_seq(batch)
                if self.holds_rows and self._intake.in_flight:
                    self._finish()
                break
            except Exception as error:  # any error of an output: the others go on
                self._failed(error)
                self._attempts.wait(error)
                if self._begin_again():
                    return
        self._attempts.succeeded()
        with self._intake.lock:
            self._intake.in_flight = {}
            self._trim()
            self._intake.release()

    def _trim(self) -> None:
        """Let the spill forget what the output holds."""
        if not self._intake.spill.is_empty:
            self._intake.spill.trim(self._safe_positions())

    def _ensure_open(self) -> None:
        if not self._is_open:
            self._open_output()
            self._unsure.update(self.tables)

    def _open_output(self) -> None:
        self._open()
        with self._intake.lock:
            self._is_open = True
            callbacks, self._on_open = self._on_open, []
        for callback in callbacks:
            callback()

    def _begin_again(self) -> bool:
        """After a failure: whether rows must come from the spill once more."""
        if not (self.holds_rows and self._intake.spill.is_durable):
            return False
        with self._intake.lock:
            self._intake.keep_in_flight()
            self._intake.spill.rewind()
        return True

    def _note_held(self, table: str, n_rows: int) -> None:
        """Note that the output has rows that an earlier run, or a write that failed, had put in."""
        with self._intake.lock:
            if self._intake.spill.is_recovered(table):
                self._intake.n_seen[table] -= n_rows
            else:
                self._n_committed[table].add(n_rows)

    def _maintain(self, n_rows: int) -> None:
        self._attempts.busy()
        try:
            self._housekeeping(n_rows)
        except Exception as error:  # as in `_deliver`
            self._failed(error)
            self._attempts.wait(error)
            self._begin_again()
        else:
            if not self._intake.spill.is_empty:
                with self._intake.lock:
                    self._trim()
                    self._intake.release()
        self._attempts.idle()

    def _end(self) -> None:
        """Drain, and commit what is left."""
        while True:
            if self._drains:
                while self._step() or self._intake.spill.has_unread:
                    pass
            try:
                self._ensure_open()
                self._finish()
                if self._drains:
                    self._has_all()
                break
            except Exception as error:  # as in `_deliver`
                self._failed(error)
                self._attempts.wait(error)
                self._begin_again()
        self._attempts.succeeded()
        with self._intake.lock:
            self._trim()
            self._intake.release()

    def _failed(self, error: Exception) -> None:
        self._attempts.failed(error)
        self._close_output()

    def _close_output(self) -> None:
        if self._is_open:
            self._is_open = False
            self._close()
