"""What every sink has: a worker thread that takes, writes, commits and drains.

Rules of this file
------------------
- A sink is opened in the caller's thread, before any connection is made, so that what is wrong
  with it is said at once. From `start` to the end of `stop` its worker alone touches the output.
- The worker sleeps on an event with a time limit, so a stop is seen at once and an idle sink costs
  one look at each ring per interval.
- A row counts as committed when a reader can see it.
- The first error that cannot be waited out ends the worker: it is kept in `failed`, the consumers
  are closed so that nothing blocks on them, and `on_failure` is called once, in the worker.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import Protocol

import pyarrow as pa

from tickwire._version import __version__
from tickwire.config import SinkSettings
from tickwire.errors import SinkError
from tickwire.observe import Counter, Histogram, Metrics
from tickwire.schema import Table
from tickwire.sinks.retry import Retry


class BatchSource(Protocol):
    """What a sink needs of a ring's consumer."""

    @property
    def available(self) -> int:
        """Rows published and not yet taken."""

    def take(self, max_rows: int | None = None) -> pa.RecordBatch | None:
        """Copy and release what is there; None where there is nothing."""

    def record(self, histogram: Histogram) -> None:
        """Record the age, since its read, of each row taken since the last call."""

    def close(self) -> None:
        """Detach from the ring."""


class Stalls:
    """Times at which a sink could not take rows: how many, how long together, the longest.

    Parameters
    ----------
    metrics
        The sink's.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._count = metrics.counter("sink_stalls")
        self._total_ns = metrics.counter("sink_stall_seconds")
        self._longest_ns = metrics.gauge("sink_longest_stall_seconds")

    def add(self, seconds: float) -> None:
        """Count one stall."""
        self._count.add()
        self._total_ns.add(int(seconds * 1e9))
        self._longest_ns.raise_to(int(seconds * 1e9))

    @property
    def count(self) -> int:
        """How many."""
        return self._count.value

    @property
    def total_s(self) -> float:
        """How long together."""
        return self._total_ns.value / 1e9

    @property
    def max_s(self) -> float:
        """How long the longest took."""
        return self._longest_ns.value / 1e9


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
    on_failure
        Called once, in the worker's thread, when the sink fails while running.

    Attributes
    ----------
    tables
        The tables it takes, by name, once it is open.
    origin
        Where its rows come from: tickwire's version, the feed and its venues, for the metadata of
        what it writes.
    latency
        From the read that brought a row to its commit, in ns.
    stalls
        Times at which maintenance kept it from taking rows.
    failed
        The error that ended it.
    """

    # How often the worker looks at the rings, in seconds; a subclass sets it from its settings.
    interval_s = 0.2

    def __init__(
        self,
        settings: SinkSettings,
        feed: str,
        metrics: Metrics | None = None,
        on_failure: Callable[[Sink], None] | None = None,
    ) -> None:
        self.settings = settings
        self.name = settings.name
        self.feed = feed
        self.metrics = (metrics or Metrics()).labelled(sink=self.name)
        self.latency = self.metrics.histogram("read_to_commit_seconds")
        self.on_failure = on_failure
        self.tables: dict[str, Table] = {}
        self.origin: dict[str, str] = {}
        self.stalls = Stalls(self.metrics)
        self.failed: SinkError | None = None
        self._sources: dict[str, BatchSource] = {}
        self._n_committed: dict[str, Counter] = {}
        self._stopping = threading.Event()
        self._drains = True
        self._thread: threading.Thread | None = None
        self._is_open = False
        self.retry = retry = Retry(self._stopping, self.name)
        self.metrics.watch("sink_retries", lambda: retry.n_retries)
        self.metrics.watch("sink_retry_wait_seconds", lambda: int(retry.waited_s * 1e9))

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
        self._n_committed = {
            name: self.metrics.counter("committed_rows", table=name) for name in self.tables
        }
        self.origin = {
            "tickwire.version": __version__,
            "tickwire.feed": self.feed,
            "tickwire.venues": ",".join(dict.fromkeys(venues)),
        }
        self._open()
        self._is_open = True

    def start(self, sources: Mapping[str, BatchSource]) -> None:
        """Begin to write, in a thread of its own.

        Parameters
        ----------
        sources
            A consumer for each of `tables`; the sink closes them at its end.
        """
        self._sources = dict(sources)
        self._thread = threading.Thread(target=self._run, name=f"sink-{self.name}", daemon=True)
        self._thread.start()

    def stop(self, drain: bool = True) -> None:
        """End the worker and close the output; returns when that is done.

        Parameters
        ----------
        drain
            True: first write everything that the rings hold (their writer must have stopped);
            False: only what was taken already.
        """
        self._drains = drain
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        elif self._is_open:
            self._close_output()

    @property
    def rows_committed(self) -> dict[str, int]:
        """Rows that readers can see, by table."""
        return {table: counter.value for table, counter in self._n_committed.items()}

    @property
    def n_retries(self) -> int:
        """How often a write was tried again because the disk was full."""
        return self.retry.n_retries

    @abstractmethod
    def _open(self) -> None:
        """Open the output for `tables`; raises SinkError."""

    @abstractmethod
    def _write(self, batches: Mapping[str, pa.RecordBatch]) -> None:
        """Write the rows; calls `_count_committed` for those that readers can now see."""

    @abstractmethod
    def _finish(self) -> None:
        """Commit what is left; nothing comes after it."""

    @abstractmethod
    def _close(self) -> None:
        """Let go of the output; after a failure too, so it must not raise."""

    def _housekeeping(self, n_rows: int) -> None:  # noqa: B027 - most sinks need none
        """Maintenance after each look at the rings, which brought `n_rows`."""

    def schema_of(self, table: Table) -> pa.Schema:
        """Give the schema of a table's files: units at its fields, `origin` as its metadata."""
        return table.arrow_schema.with_metadata(self.origin)

    def _count_committed(self, table: str, n_rows: int) -> None:
        self._n_committed[table].add(n_rows)

    def _record_latency(self, tables: Iterable[str]) -> None:
        for table in tables:
            self._sources[table].record(self.latency)

    def _run(self) -> None:
        try:
            self._loop()
        except Exception as error:  # the worker's edge: no caller could see the error
            self._fail(error)
        finally:
            for source in self._sources.values():
                source.close()
            self._close_output()

    def _loop(self) -> None:
        while not self._stopping.is_set():
            began_s = monotonic()
            self._housekeeping(self._flush())
            self._stopping.wait(max(0.0, began_s + self.interval_s - monotonic()))
        if self._drains:
            while self._flush():
                pass
        self._finish()

    def _flush(self) -> int:
        """Take and write what the rings hold; returns the number of rows."""
        batches = self._take()
        if batches:
            self._write(batches)
        return sum(batch.num_rows for batch in batches.values())

    def _take(self) -> dict[str, pa.RecordBatch]:
        """Take what the rings hold: a batch of each table that has rows."""
        batches = {}
        for table, source in self._sources.items():
            batch = source.take() if source.available else None
            if batch is not None and batch.num_rows:
                batches[table] = batch
        return batches

    def _fail(self, error: Exception) -> None:
        if isinstance(error, SinkError):
            text = str(error)
        else:
            text = " ".join(f"{type(error).__name__}: {error}".split())
        prefix = f"sink {self.name}: "
        self.failed = SinkError(prefix + text.removeprefix(prefix))
        self.failed.__cause__ = error
        if self.on_failure is not None:
            self.on_failure(self)

    def _close_output(self) -> None:
        if self._is_open:
            self._is_open = False
            self._close()
