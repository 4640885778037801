"""What every sink has: a worker that takes, writes and commits, and a spiller for when it cannot.

Rules of this file
------------------
- A sink is opened in the caller's thread, before any connection is made, so that what is wrong
  with it is said at once. From `start` on its worker alone touches the output.
- The worker sleeps on an event with a time limit, so a stop is seen at once and an idle sink costs
  one look at each ring per interval.
- A row counts as committed when a reader can see it. Until then the ring or the spill holds it.
- A sink fails alone. Whatever it raises, its output is closed, opened again and given the same
  rows: at once, then after 2, 4, 8 ... s (jitter, at most 60 s), until it takes them. After five
  failures in a row its circuit breaker opens, as an endpoint's does: that is said and counted.
- Where the worker hangs, fails for long, or a ring fills while it is busy, the spiller takes the
  rows out of the rings and into the spill. What is there goes in first, in order.
- What the output holds is decided by `seq`, and after a failure or a restart by the output itself.
- At the stop a worker that makes no progress is left behind; what it has not got is counted.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from functools import partial
from time import monotonic, sleep
from typing import Protocol

import pyarrow as pa

from tickwire._version import __version__
from tickwire.config import Context, SinkSettings
from tickwire.errors import SinkError
from tickwire.logs import get_logger
from tickwire.observe import Counter, Histogram, Metrics
from tickwire.schema import Table
from tickwire.sinks.retry import LOG_EVERY_S, RETRY_AT_STOP_S, DiskFullError, Retry
from tickwire.sinks.stalls import Stalls
from tickwire.store import Spill
from tickwire.supervise import Backoff, BreakerState, CircuitBreaker, Failures, reporter

# How long a write may take, or fail, before rows go to the spill; less where a ring is half full.
SPILL_AFTER_S = 5.0
BUSY_S = 0.5
SPILL_DEPTH = 0.5
SPILL_LOOK_S = 0.1
# How long a stop waits for a worker that makes no progress, and for the last rows to be spilled.
STALLED_S = 15.0
# The second try comes at once.
FIRST_BACKOFF_S = 2.0
LONGEST_BACKOFF_S = 60.0
SPILL_AT_STOP_S = 5.0
_log = get_logger("tickwire.sinks")


class BatchSource(Protocol):
    """What a sink needs of a ring's consumer."""

    @property
    def available(self) -> int:
        """Rows published and not yet taken."""

    @property
    def depth(self) -> float:
        """The share of the ring that is not committed."""

    def take(self, max_rows: int | None = None) -> pa.RecordBatch | None:
        """Copy what is there; None where there is nothing."""

    def commit(self) -> None:
        """Release what was taken."""

    def record(self, histogram: Histogram) -> None:
        """Record the age, since its read, of each row taken since the last call."""

    def close(self) -> None:
        """Detach from the ring."""


class _GaveUp(Exception):
    """The feed stops, and the sink still fails."""


class Sink(ABC):
    """Rows of one or more tables on their way to one output.

    Parameters
    ----------
    settings
        The `[[sink]]` of the configuration.
    feed
        The feed's name, which marks its files.
    metrics
        What it counts by; by default a registry of its own.

    Attributes
    ----------
    tables
        The tables it takes, by name, once it is open.
    origin
        Where its rows come from: tickwire's version, the feed and its venues, for the metadata of
        what it writes.
    failures
        Where failures are reported; a feed gives its own.
    latency
        From the read that brought a row to its commit, in ns.
    stalls
        Times at which maintenance kept it from taking rows.
    error
        Why it fails at the moment; empty where it works.
    failed
        After the stop: what it has not got, and why.
    breaker_state
        Of its circuit breaker.
    is_hung
        After the stop: its worker is still in a call that does not return.
    """

    # How often the worker looks at the rings, in seconds; a subclass sets it from its settings.
    interval_s = 0.2
    # Whether rows wait in the sink for longer than a write: then the spill holds them meanwhile.
    holds_rows = False

    def __init__(self, settings: SinkSettings, feed: str, metrics: Metrics | None = None) -> None:
        self.settings = settings
        self.name = settings.name
        self.feed = feed
        self.metrics = (metrics or Metrics()).labelled(sink=self.name)
        self.failures = Failures(metrics=self.metrics)
        self.latency = self.metrics.histogram("read_to_commit_seconds")
        self.tables: dict[str, Table] = {}
        self.origin: dict[str, str] = {}
        self.stalls = Stalls(self.metrics)
        self.error = ""
        self.failed: SinkError | None = None
        self.is_hung = False
        self._sources: dict[str, BatchSource] = {}
        self._spill = Spill(None, ())
        self._n_committed: dict[str, Counter] = {}
        self._n_seen: dict[str, int] = {}  # taken or recovered
        self._n_taken: dict[str, int] = {}
        self._n_released: dict[str, int] = {}
        self._unreleased: set[str] = set()  # tables of which the rings hold rows that were taken
        self._positions: dict[str, int] = {}  # the last seq that the output holds, as far as known
        self._unsure: set[str] = set()  # tables of which the output itself must be asked
        # Guards what the two threads share: the sources, the spill and the fields below.
        self._lock = threading.Lock()
        self._in_flight: dict[str, pa.RecordBatch] = {}  # out of the ring, and not in the spill
        self._busy_since_s: float | None = None
        self._progress = 0
        self._n_failures = 0  # in a row
        self._backoff = Backoff(
            FIRST_BACKOFF_S, LONGEST_BACKOFF_S, at_once=1, at_once_s=0.0, jitter=0.25
        )
        self.breaker_state = BreakerState.CLOSED
        self._report_change = reporter(self.metrics, _log, "sink")
        # The worker's alone: to look at one may change it.
        self._breaker = CircuitBreaker(f"sink {self.name}", self._on_breaker)
        self._logged_s = float("-inf")
        self._spill_logged_s = float("-inf")
        self._spill_error_logged_s = float("-inf")
        self._gives_up_s: float | None = None
        self._stopping = threading.Event()
        self._spiller_ends = threading.Event()
        self._drains = True
        self._thread: threading.Thread | None = None
        self._spiller: threading.Thread | None = None
        self._is_open = False
        self._is_stopped = False
        self.retry = Retry(self._stopping, self.name)
        self._watch_metrics()

    def _watch_metrics(self) -> None:
        metrics = self.metrics
        self._failures = metrics.counter("sink_failures")
        metrics.watch("sink_failing", lambda: bool(self.trouble))
        self._spilled = metrics.counter("sink_spilled_rows")
        for state in BreakerState:
            metrics.watch("breakers", partial(self._is_breaker, state), state=state.value)
        metrics.watch("breakers_open", lambda: self.breaker_state is BreakerState.OPEN)
        metrics.watch("sink_retries", lambda: self.n_retries)
        metrics.watch("sink_retry_wait_seconds", lambda: int(self.retry.waited_s * 1e9))
        metrics.watch("sink_spill_bytes", lambda: self._spill.n_bytes)

    def open(self, tables: Iterable[Table], venues: Iterable[str] = ()) -> None:
        """Make the output ready; to be called before any connection is made.

        Parameters
        ----------
        tables
            Every table of the feed; the sink picks those it was configured for.
        venues
            The names of the feed's venues.

        Raises
        ------
        SinkError
            It cannot be written: one line that says why.
        """
        known = {table.name: table for table in tables}
        wanted = known if self.settings.tables is None else self.settings.tables
        missing = [name for name in wanted if name not in known]
        if missing:
            raise SinkError(f"sink {self.name}: the feed has no table {missing[0]!r}")
        self.tables = {name: known[name] for name in wanted}
        for name in self.tables:
            self._n_committed[name] = self.metrics.counter("committed_rows", table=name)
            self._n_seen[name] = self._n_taken[name] = self._n_released[name] = 0
        self.origin = {
            "tickwire.version": __version__,
            "tickwire.feed": self.feed,
            "tickwire.venues": ",".join(dict.fromkeys(venues)),
        }
        self._open()
        self._is_open = True

    def start(self, sources: Mapping[str, BatchSource], spill: Spill | None = None) -> None:
        """Begin to write, in a thread of its own.

        Parameters
        ----------
        sources
            A consumer for each of `tables`, which commits; the sink closes them at its end.
        spill
            Where rows go that the sink does not take; by default 256 MiB of memory.
        """
        self._sources = dict(sources)
        self._spill = Spill(None, self.tables) if spill is None else spill
        for table in self.tables:
            self._n_seen[table] = self._spill.recovered_rows(table)
            if self._n_seen[table]:
                self._unsure.add(table)
            self.metrics.watch("sink_rows_left", partial(self._left, table), table=table)
        self._thread = threading.Thread(target=self._run, name=f"sink-{self.name}", daemon=True)
        self._spiller = threading.Thread(
            target=self._run_spiller, name=f"spill-{self.name}", daemon=True
        )
        self._thread.start()
        self._spiller.start()

    def stop(self, drain: bool = True) -> None:
        """End the worker and close the output; returns when that is done, or cannot be.

        A worker that makes no progress for `STALLED_S` is left behind.

        Parameters
        ----------
        drain
            True: first write everything that the rings and the spill hold (the rings' writer must
            have stopped); False: only what was taken already.
        """
        self._drains = drain
        self._stopping.set()
        if self._thread is None:
            if self._is_open:
                self._close_output()
            return
        if self._is_stopped:
            return
        self._is_stopped = True
        self._wait_for_worker(self._thread)
        self._spiller_ends.set()
        if self._spiller is not None:
            self._spiller.join(SPILL_AT_STOP_S)
            self.is_hung = self.is_hung or self._spiller.is_alive()
        for table, source in self._sources.items():
            self._n_seen[table] += source.available
            if not self.is_hung:
                source.close()
        if not self.is_hung:
            self._spill.close()
        left = self.rows_left
        if self._drains and left:
            self.failed = SinkError(self._describe(left))
            _log.error("a sink has not got all rows", sink=self.name, why=str(self.failed))

    def request_stop(self) -> None:
        """Let the worker write what there is, and end."""
        self._stopping.set()

    def abort(self, until_s: float) -> None:
        """Wait for the worker until a time, and spill what it has not got: the process ends.

        Parameters
        ----------
        until_s
            By the monotonic clock.
        """
        if self._thread is None:
            return
        self._thread.join(max(0.0, until_s - monotonic()))
        if self._thread.is_alive() and self._spill.is_durable:
            if self._lock.acquire(timeout=SPILL_LOOK_S):
                self._spill_rows()  # the lock is kept: nothing may come behind these rows
            else:
                _log.error("rows cannot be spilled: the spill is busy", sink=self.name)

    def _wait_for_worker(self, thread: threading.Thread) -> None:
        progress, since_s = self._progress, monotonic()
        thread.join(SPILL_LOOK_S)
        while thread.is_alive():
            if self._progress != progress:
                progress, since_s = self._progress, monotonic()
            elif monotonic() - since_s >= STALLED_S:
                self.is_hung = True
                return
            thread.join(SPILL_LOOK_S)

    def _describe(self, left: Mapping[str, int]) -> str:
        rows = ", ".join(f"{n:,} rows of {table}" for table, n in left.items())
        why = self.error or ("a call to its output does not return" if self.is_hung else "")
        where = ""
        if self._spill.is_durable and self._spill.n_bytes:
            where = f" (they wait in {self._spill.folder} for the next start)"
        return f"sink {self.name} has not got {rows}{where}" + (f": {why}" if why else "")

    @property
    def trouble(self) -> str:
        """Why rows do not reach the output at the moment; empty where they do."""
        since_s = self._busy_since_s
        busy_s = 0.0 if since_s is None else monotonic() - since_s
        if not self.error and busy_s >= SPILL_AFTER_S:
            return f"a write has not returned for {busy_s:.0f} s"
        return self.error

    def _is_breaker(self, state: BreakerState) -> bool:
        return self.breaker_state is state

    @property
    def stuck(self) -> str:
        """Why neither the output nor the spill takes rows; empty where one of them does."""
        spill = self._spill.error or ("the spill is full" if self._spill.is_full else "")
        trouble = self.trouble
        return f"{trouble}; {spill}" if trouble and spill else ""

    @property
    def rows_committed(self) -> dict[str, int]:
        """Rows that readers can see, by table."""
        return {table: counter.value for table, counter in self._n_committed.items()}

    @property
    def rows_safe(self) -> dict[str, int]:
        """Rows of this run that outlive the process: committed, or in a spill on disk."""
        return dict(self._n_released) if self._spill.is_durable else self.rows_committed

    @property
    def rows_left(self) -> dict[str, int]:
        """Rows that it has not got, by table, where there are any."""
        return {table: left for table in self.tables if (left := self._left(table)) > 0}

    @property
    def n_retries(self) -> int:
        """How often a write was tried again."""
        return self.retry.n_retries + self._failures.value

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

    def schema_of(self, table: Table) -> pa.Schema:
        """Give the schema of a table's files: units at its fields, `origin` as its metadata."""
        return table.arrow_schema.with_metadata(self.origin)

    def _note_committed(self, table: str, batch: pa.RecordBatch) -> None:
        """Note that readers can see all rows of a batch."""
        self._n_committed[table].add(batch.num_rows)
        self._positions[table] = last_seq(batch)
        self._progress += 1

    def _count_committed(self, table: str, n_rows: int) -> None:
        self._n_committed[table].add(n_rows)
        self._progress += 1

    def _record_latency(self, tables: Iterable[str]) -> None:
        for table in tables:
            self._sources[table].record(self.latency)

    def _left(self, table: str) -> int:
        source = self._sources.get(table)
        n_waiting = 0 if source is None or self._is_stopped else source.available
        return self._n_seen[table] + n_waiting - self._n_committed[table].value

    # The worker.

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                began_s = monotonic()
                self._maintain(self._step())
                if not self._spill.has_unread:
                    self._stopping.wait(max(0.0, began_s + self.interval_s - monotonic()))
            self._end()
        except _GaveUp:
            pass
        except Exception as error:  # the worker's edge: no caller could see the error
            self._note_failure(error)
        finally:
            self._close_output()

    def _step(self) -> int:
        """Take what comes next and write it; returns the number of rows."""
        batches = self._next()
        if batches or not self._is_open:
            self._deliver(batches)
        self._note_idle()
        n_rows = 0
        for batch in batches.values():
            n_rows += batch.num_rows
        return n_rows

    def _next(self) -> dict[str, pa.RecordBatch]:
        """Take what was spilled, or where nothing was, what the rings hold."""
        self._note_busy()
        with self._lock:
            if self._spill.has_unread:
                return self._spill.next()
            self._in_flight = batches = self._take()
            if self.holds_rows:
                self._keep(batches)
            return batches

    def _take(self) -> dict[str, pa.RecordBatch]:
        """Take what the rings hold: a batch of each table that has rows."""
        batches = {}
        for table, source in self._sources.items():
            batch = source.take() if source.available else None
            if batch is not None and batch.num_rows:
                batches[table] = batch
                self._n_seen[table] += batch.num_rows
                self._n_taken[table] += batch.num_rows
                self._unreleased.add(table)
        return batches

    def _keep(self, batches: Mapping[str, pa.RecordBatch]) -> None:
        """Let a spill on disk hold the rows until the output does; the ring is free of them."""
        if self._spill.is_durable:
            if self._spill.is_full or not self._spill.flush():
                self._log_spill_error()
                return  # the ring holds them, and `_deliver` has the output commit at once
            for table, batch in batches.items():
                self._spill.append(table, batch, is_read=True)
        self._in_flight = {}
        self._release()

    def _release(self) -> None:
        """Let the rings go of all that was taken: the output has it, or the spill."""
        for table in self._unreleased:
            self._sources[table].commit()
            self._n_released[table] = self._n_taken[table]
        self._unreleased.clear()

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
                if self.holds_rows and self._in_flight:
                    self._finish()
                break
            except Exception as error:  # any error of an output: the others go on
                self._note_failure(error)
                self._wait_to_retry(error)
                if self._begin_again():
                    return
        self._note_success()
        with self._lock:
            self._in_flight = {}
            self._trim()
            self._release()

    def _trim(self) -> None:
        """Let the spill forget what the output holds."""
        if not self._spill.is_empty:
            self._spill.trim(self._safe_positions())

    def _safe_positions(self) -> dict[str, int]:
        """Give, by table, the last seq up to which the output holds all rows."""
        return self._positions

    def _ensure_open(self) -> None:
        if not self._is_open:
            self._open()
            self._is_open = True
            self._unsure.update(self.tables)

    def _begin_again(self) -> bool:
        """After a failure: whether rows must come from the spill once more."""
        if not (self.holds_rows and self._spill.is_durable):
            return False
        with self._lock:
            for table, batch in self._in_flight.items():
                self._spill.append(table, batch, is_read=True)
            self._in_flight = {}
            self._spill.rewind()
        return True

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

    def _note_held(self, table: str, n_rows: int) -> None:
        """Note that the output has rows that an earlier run, or a write that failed, had put in."""
        with self._lock:
            if self._spill.is_recovered(table):
                self._n_seen[table] -= n_rows
            else:
                self._n_committed[table].add(n_rows)

    def _note_busy(self) -> None:
        """Note that the output is in use; where it fails, it has been since the first failure."""
        if self._busy_since_s is None:
            self._busy_since_s = monotonic()

    def _note_idle(self) -> None:
        if not self._n_failures:
            self._busy_since_s = None

    def _maintain(self, n_rows: int) -> None:
        self._note_busy()
        try:
            self._housekeeping(n_rows)
        except Exception as error:  # as in `_deliver`
            self._note_failure(error)
            self._wait_to_retry(error)
            self._begin_again()
        else:
            if not self._spill.is_empty:
                with self._lock:
                    self._trim()
        self._note_idle()

    def _end(self) -> None:
        """Drain, and commit what is left."""
        while True:
            if self._drains:
                while self._step() or self._spill.has_unread:
                    pass
            try:
                self._ensure_open()
                self._finish()
                break
            except Exception as error:  # as in `_deliver`
                self._note_failure(error)
                self._wait_to_retry(error)
                self._begin_again()
        self._note_success()
        with self._lock:
            self._trim()

    # Failures.

    def _note_failure(self, error: Exception) -> None:
        self._n_failures += 1
        self._failures.add()
        self._breaker.failed()
        text = str(error) if isinstance(error, SinkError) else f"{type(error).__name__}: {error}"
        self.error = " ".join(text.removeprefix(f"sink {self.name}: ").split())
        is_logged = self._n_failures == 1 or monotonic() - self._logged_s >= LOG_EVERY_S
        if is_logged:
            self._logged_s = monotonic()
        self.failures.report(
            error, Context.SINK, "a sink fails: its rows wait, the others go on",
            part=self.name, log=_log, quiet=not is_logged,
            sink=self.name, error=self.error, failures=self._n_failures,
        )  # fmt: skip
        self._close_output()

    def _note_success(self) -> None:
        if self._n_failures:
            _log.info("the sink works again", sink=self.name, failures=self._n_failures)
            self._n_failures = 0
            self.error = ""
            self._breaker.reached()
            self._breaker.healthy()

    def _on_breaker(self, breaker: CircuitBreaker, state: BreakerState) -> None:
        self.breaker_state = state
        self._report_change(breaker, state)

    def _wait_to_retry(self, error: Exception) -> None:
        if not self._stopping.is_set():
            delay_s = self._backoff.delay_s(self._n_failures)
            self._stopping.wait(max(delay_s, self._breaker.wait_s()))
            self._breaker.try_acquire()
            return
        if self._gives_up_s is None:
            self._gives_up_s = monotonic() + RETRY_AT_STOP_S
        elif monotonic() >= self._gives_up_s:
            raise _GaveUp
        if isinstance(error, DiskFullError):
            raise _GaveUp
        sleep(min(SPILL_LOOK_S, self._backoff.delay_s(self._n_failures)))

    def _close_output(self) -> None:
        if self._is_open:
            self._is_open = False
            self._close()

    # The spiller.

    def _run_spiller(self) -> None:
        look_s = SPILL_LOOK_S
        while not self._spiller_ends.wait(look_s):
            # A worker that was not busy is not for `BUSY_S`, and not in need of anything before.
            is_idle = self._busy_since_s is None and not self._spill.has_unread
            look_s = max(SPILL_LOOK_S, BUSY_S / 2) if is_idle else SPILL_LOOK_S
            if is_idle:
                continue
            with self._lock:
                if self._must_spill():
                    self._spill_rows()
        if self._drains and self._spill.is_durable:
            with self._lock:
                self._spill_rows()

    def _must_spill(self) -> bool:
        since_s = self._busy_since_s  # the worker writes it
        busy_s = 0.0 if since_s is None else monotonic() - since_s
        if busy_s >= SPILL_AFTER_S:
            return True
        if busy_s < BUSY_S and not self._spill.has_unread:
            return False
        return any(source.depth >= SPILL_DEPTH for source in self._sources.values())

    def _spill_rows(self) -> None:
        """Take all rows out of the rings; first those that the worker is writing."""
        if not any(source.available for source in self._sources.values()) and not self._in_flight:
            return
        if self._spill.is_full:
            self._log_spill_error()
            return
        for table, batch in self._in_flight.items():
            self._spill.append(table, batch, is_read=True)
            self._spilled.add(batch.num_rows)
        self._in_flight = {}
        if not self._spill.flush():
            self._log_spill_error()
            return
        self._log_spill()
        while not self._spill.is_full and (batches := self._take()):
            for table, batch in batches.items():
                self._spill.append(table, batch)
                self._spilled.add(batch.num_rows)
        self._release()

    def _log_spill(self) -> None:
        if monotonic() - self._spill_logged_s >= LOG_EVERY_S:
            self._spill_logged_s = monotonic()
            _log.warning(
                "a sink does not keep up: rows are spilled",
                sink=self.name,
                to=str(self._spill.folder or "memory"),
                error=self.trouble,
            )

    def _log_spill_error(self) -> None:
        is_logged = monotonic() - self._spill_error_logged_s >= LOG_EVERY_S
        if is_logged:
            self._spill_error_logged_s = monotonic()
        why = self._spill.error or f"it is full: {self._spill.n_bytes:,} bytes"
        self.failures.report(
            SinkError(f"sink {self.name}: its rows cannot be spilled: {why}"), Context.SINK,
            "rows cannot be spilled: they stay in the ring",
            part=f"{self.name} spill", log=_log, quiet=not is_logged,
            sink=self.name, why=why, error="",
        )  # fmt: skip


def last_seq(batch: pa.RecordBatch) -> int:
    """Give the seq of the last row."""
    return int(batch.column("seq")[-1].as_py())


def rows_after(batch: pa.RecordBatch, position: int) -> pa.RecordBatch:
    """Give the rows with a seq greater than `position`."""
    seqs = batch.column("seq").to_numpy()
    return batch.slice(int(seqs.searchsorted(position, side="right")))
