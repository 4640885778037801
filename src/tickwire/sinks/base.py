"""What every sink has: a face for the feed, a worker, and a spiller for when it cannot.

Rules of this file
------------------
- A sink is opened by its worker before any connection is made, so that what is wrong with it is
  said at once. The caller decides how long it waits; rows that come first are spilled.
- Where the worker hangs, fails for long, or a ring fills while it is busy, the spiller takes the
  rows out of the rings and into the spill. What is there goes in first, in order.
- At the stop a worker that makes no progress is left behind; what it has not got is counted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from time import monotonic
from typing import Any

import pyarrow as pa

from tickwire._version import __version__
from tickwire.capture import Recorder
from tickwire.config import SinkSettings
from tickwire.errors import SinkError, TickwireError
from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.schema import Table
from tickwire.sinks.identity import FEED_KEY, ID_KEY, Held, Identity, claim
from tickwire.sinks.intake import BatchSource
from tickwire.sinks.replays import Replayed
from tickwire.sinks.spiller import Spiller
from tickwire.sinks.stalls import Stalls
from tickwire.sinks.worker import Worker
from tickwire.store import DamagedRows, Spill
from tickwire.supervise import BreakerState, Failures

# How long a stop waits for a worker that makes no progress, and for the last rows to be spilled.
STALLED_S = 15.0
SPILL_AT_STOP_S = 5.0
LOOK_S = 0.1
_log = get_logger("tickwire.sinks")


class Sink(Worker):
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
    origin
        Where its rows come from: tickwire's version, the feed and its venues, for the metadata of
        what it writes.
    latency
        From the read that brought a row to its commit, in ns.
    stalls
        Times at which maintenance kept it from taking rows.
    identity
        Who the feed is; None: it keeps no state, and goes on behind whatever is there.
    held, adopted
        What the output held when it was opened first, and the id that was adopted then.
    replayed, has_replay
        The capture that the feed replays; and whether the output has all of it: then the sink is to
        be left out.
    failed
        After the stop: what it has not got, and why.
    is_hung
        After the stop: its worker is still in a call that does not return.
    recorder
        Where the feed puts down its messages for this sink; None where it takes tables.
    sources, connections
        How the feed's sources are configured, and the streams of each of their connections, for a
        sink that keeps it.
    """

    recorder: Recorder | None = None

    def __init__(self, settings: SinkSettings, feed: str, metrics: Metrics | None = None) -> None:
        self.settings = settings
        self.feed = feed
        self.metrics = (metrics or Metrics()).labelled(sink=settings.name)
        super().__init__(settings.name, self.metrics)
        self.latency = self.metrics.histogram("read_to_commit_seconds")
        self.origin: dict[str, str] = {}
        self.sources: list[dict[str, Any]] = []
        self.connections: list[list[list[list[str]]]] = []
        self.stalls = Stalls(self.metrics)
        self.identity: Identity | None = None
        self.held = Held()
        self.adopted = ""
        self.replayed: Replayed | None = None
        self.has_replay = False
        self._is_claimed = False
        self.failed: SinkError | None = None
        self.is_hung = False
        self._thread: threading.Thread | None = None
        self._spiller = Spiller(self.name, self._intake, self._attempts)
        self._is_stopped = False
        self.metrics.watch("sink_retries", lambda: self.n_retries)
        self.metrics.watch("sink_retry_wait_seconds", lambda: int(self.retry.waited_s * 1e9))

    def open(self, tables: Iterable[Table], venues: Iterable[str] = ()) -> None:
        """Make the output ready, and wait until it is: `prepare`, then `begin_open`.

        Raises
        ------
        SinkError
            It cannot be written: one line that says why.
        """
        self.prepare(tables, venues)
        self.begin_open()
        self.opened.result()

    def prepare(self, tables: Iterable[Table], venues: Iterable[str] = ()) -> None:
        """Learn what is to be written; touches no output.

        Parameters
        ----------
        tables
            Every table of the feed; the sink picks those it was configured for.
        venues
            The names of the feed's venues.

        Raises
        ------
        SinkError
            There is no such table.
        """
        known = {table.name: table for table in tables}
        wanted = known if self.settings.tables is None else self.settings.tables
        missing = [name for name in wanted if name not in known]
        if missing:
            raise SinkError(f"sink {self.name}: the feed has no table {missing[0]!r}")
        self.tables = {name: known[name] for name in wanted}
        for name in self.tables:
            self._n_committed[name] = self.metrics.counter("committed_rows", table=name)
        self._intake.open(self.tables)
        self.origin = {
            "tickwire.version": __version__,
            FEED_KEY: self.feed,
            "tickwire.venues": ",".join(dict.fromkeys(venues)),
        }
        if self.identity is not None:
            self.origin[ID_KEY] = self.identity.feed_id

    def begin_open(self) -> None:
        """Let the worker open the output: `opened` is settled by that.

        A caller that does not wait any longer cancels `opened`. Then the worker goes on alone, an
        error is a failure as any other, and rows are spilled meanwhile.
        """
        self._thread = threading.Thread(target=self._run, name=f"sink-{self.name}", daemon=True)
        self._thread.start()

    def when_open(self, callback: Callable[[], object]) -> None:
        """Call a function once the output is open: at once, or in the worker's thread."""
        with self._intake.lock:
            if not self._is_open:
                self._on_open.append(callback)
                return
        callback()

    def start(self, sources: Mapping[str, BatchSource], spill: Spill | None = None) -> None:
        """Begin to write, once the output is open.

        Parameters
        ----------
        sources
            A consumer for each of `tables`, which commits; the sink closes them at its end.
        spill
            Where rows go that the sink does not take; by default 256 MiB of memory.
        """
        self._intake.start(sources, Spill(None, self.tables) if spill is None else spill)
        for table in self.tables:
            if self._intake.n_seen[table]:
                self._unsure.add(table)
            self.metrics.watch("sink_rows_left", partial(self._left, table), table=table)
        self._is_started = True
        self._begun.set()
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
        self.request_stop()
        if self._thread is None or self._is_stopped:
            return
        self._is_stopped = True
        self._wait_for_worker(self._thread)
        if not self._is_started:
            return
        is_spilled = self._spiller.stop(SPILL_AT_STOP_S, spills_last=self._drains)
        self.is_hung = self.is_hung or not is_spilled
        self._intake.close(is_hung=self.is_hung)
        left = self.rows_left
        if self._drains and left:
            self.failed = SinkError(self._describe(left))
            _log.error("a sink has not got all rows", sink=self.name, why=str(self.failed))

    def request_stop(self) -> None:
        """Let the worker write what there is, and end."""
        self._stopping.set()
        self._begun.set()

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
        if self._thread.is_alive() and self._intake.spill.is_durable:
            if self._intake.lock.acquire(timeout=LOOK_S):
                self._intake.spill_rows()  # the lock is kept: nothing may come behind these rows
            else:
                _log.error("rows cannot be spilled: the spill is busy", sink=self.name)

    def _wait_for_worker(self, thread: threading.Thread) -> None:
        progress, since_s = self._progress, monotonic()
        thread.join(LOOK_S)
        while thread.is_alive():
            if self._progress != progress:
                progress, since_s = self._progress, monotonic()
            elif monotonic() - since_s >= STALLED_S:
                self.is_hung = True
                return
            thread.join(LOOK_S)

    def _describe(self, left: Mapping[str, int]) -> str:
        rows = ", ".join(f"{n:,} rows of {table}" for table, n in left.items())
        why = self.error or ("a call to its output does not return" if self.is_hung else "")
        where = ""
        if self._intake.spill.is_durable and self._intake.spill.n_bytes:
            where = f" (they wait in {self._intake.spill.folder} for the next start)"
        return f"sink {self.name} has not got {rows}{where}" + (f": {why}" if why else "")

    @property
    def failures(self) -> Failures:
        """Where failures are reported; a feed gives its own."""
        return self._attempts.failures

    @failures.setter
    def failures(self, failures: Failures) -> None:
        self._attempts.failures = failures

    @property
    def error(self) -> str:
        """Why it fails at the moment; empty where it works."""
        return self._attempts.error

    @property
    def breaker_state(self) -> BreakerState:
        """Of its circuit breaker."""
        return self._attempts.breaker_state

    @property
    def trouble(self) -> str:
        """Why rows do not reach the output at the moment; empty where they do."""
        return self._attempts.trouble

    @property
    def stuck(self) -> str:
        """Why neither the output nor the spill takes rows; empty where one of them does."""
        spill = self._intake.spill.error or (
            "the spill is full" if self._intake.spill.is_full else ""
        )
        trouble = self.trouble
        return f"{trouble}; {spill}" if trouble and spill else ""

    @property
    def rows_committed(self) -> dict[str, int]:
        """Rows that readers can see, by table."""
        return {table: counter.value for table, counter in self._n_committed.items()}

    @property
    def last_committed(self) -> dict[str, int]:
        """The last seq of each table that readers can see; of outputs that hold no rows back."""
        return {} if self.holds_rows else dict(self._positions)

    @property
    def rows_safe(self) -> dict[str, int]:
        """Rows of this run that outlive the process: committed, or in a spill on disk."""
        return (
            dict(self._intake.n_released) if self._intake.spill.is_durable else self.rows_committed
        )

    def rows_in_memory(self, table: str) -> list[pa.RecordBatch]:
        """Give the rows of a table that have left its ring and go with the process, in order."""
        return self._intake.spill.in_memory(table)

    def take_damaged(self) -> list[DamagedRows]:
        """Give rows of the spill that could not be read and were passed over, each once."""
        if not self._intake.spill.has_damage:
            return []
        with self._intake.lock:
            return self._intake.spill.take_damaged()

    def kept_from(self, table: str) -> int:
        """Give the oldest row that a table's ring keeps for it, counted since the ring was made.

        What is older is in the output or in the spill; -1 where the sink does not run.
        """
        source = self._intake.sources.get(table)
        return -1 if source is None else source.holds

    def spilled_rows(self, table: str, most_bytes: int, timeout_s: float) -> list[pa.RecordBatch]:
        """Give the rows of a table in its spill, in order; the output may have some of them.

        Raises
        ------
        SinkError
            They are more than `most_bytes`, or the spill is busy for `timeout_s`.
        """
        if not self._intake.lock.acquire(timeout=timeout_s):
            raise SinkError(f"sink {self.name}: its spill does not answer")
        try:
            n_bytes = self._intake.spill.n_bytes
            readers = self._intake.spill.readers(table)
        finally:
            self._intake.lock.release()
        if n_bytes > most_bytes:
            raise SinkError(
                f"sink {self.name} is behind: {n_bytes:,} bytes of rows wait for it, "
                f"and a query reads at most {most_bytes:,}"
            )
        found = []
        for read in readers:
            try:
                batch = read()
            except TickwireError as error:
                if isinstance(error.__cause__, FileNotFoundError):
                    continue  # the output has its rows by now
                raise
            if batch is not None:
                found.append(batch)
        return found

    @property
    def is_waited_for(self) -> bool:
        """After the stop: whether the rings still hold rows that it has not got."""
        return self._intake.is_waited_for

    @property
    def rows_left(self) -> dict[str, int]:
        """Rows that it has not got, by table, where there are any."""
        return {table: left for table in self.tables if (left := self._left(table)) > 0}

    @property
    def n_retries(self) -> int:
        """How often a write was tried again."""
        return self.retry.n_retries + self._attempts.n_total

    def schema_of(self, table: Table) -> pa.Schema:
        """Give the schema of a table's files: units at its fields, `origin` as its metadata."""
        return table.arrow_schema.with_metadata(self.origin)

    def newest_rows(
        self, table: str, columns: Sequence[str], n_rows: int
    ) -> Iterator[pa.RecordBatch]:
        """Read back what the output holds, the newest batch first.

        To be called once it is open, and before `start`; in a thread, as its disk may be slow.

        Parameters
        ----------
        table
            One of `tables`.
        columns
            Those that are needed; of dictionaries the values may come as plain text.
        n_rows
            So many at most, and what a batch has beyond them.
        """
        return iter(())

    def rows_of(
        self, table: str, columns: Sequence[str], symbols: Sequence[str], n_rows: int
    ) -> pa.RecordBatch | None:
        """Read back the newest rows of some symbols, oldest first, where that can be had quickly.

        Parameters
        ----------
        table, columns
            As for `newest_rows`.
        symbols
            Whose.
        n_rows
            Of each, at most.
        """
        return None

    def _claim(self) -> None:
        """Make sure, at the first opening, that the feed may go on behind what the output holds.

        Raises
        ------
        SinkError
            It has rows of another feed.
        """
        if self._is_claimed:
            return
        if self.replayed is not None:
            self.has_replay = self._begin_replay(self.replayed)
        held = self._read_held()
        if self.identity is None:
            if held.feed_id:
                self.origin[ID_KEY] = held.feed_id
        else:
            self.adopted = claim(
                held, self.identity, feed=self.feed, sink=self.name, target=self.settings.target
            )
        self.held = held
        self._is_claimed = True

    def has_rows(self, table: str) -> bool | None:
        """Whether the output had rows of a table when it was opened; None: that is not known."""
        return table in self.held.next_numbers if self._is_claimed else None

    def _read_held(self) -> Held:
        """Find out what the output holds; called by the worker."""
        return Held()

    def _begin_replay(self, replayed: Replayed) -> bool:
        """Make the output ready for a replay; True where it has all of it. Called by the worker."""
        return False

    def _end_replay(self, replayed: Replayed) -> None:
        """Note that the output has all of a replay. Called by the worker, behind `_finish`."""

    def _has_all(self) -> None:
        if self.replayed is not None and self.replayed.is_whole:
            self._end_replay(self.replayed)

    def _record_latency(self, tables: Iterable[str]) -> None:
        for table in tables:
            self._intake.sources[table].record(self.latency)

    def _left(self, table: str) -> int:
        n_waiting = 0 if self._is_stopped else self._intake.available(table)
        return self._intake.n_seen[table] + n_waiting - self._n_committed[table].value
