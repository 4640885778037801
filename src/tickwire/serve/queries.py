"""Queries of a feed, in turns, within limits of rows and time.

Rules of this file
------------------
- Where something else ends a query, such as a commit that needs the memory, it interrupts the
  connection; here the error says whether the time was up.
- An interrupt counts only while DuckDB runs, so it is repeated until the query has ended. One call
  of a function is not interrupted: a stop waits `CLOSE_S` for it and no longer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

import pyarrow as pa

from tickwire.errors import TickwireError
from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.serve.requests import Limits, QueryError
from tickwire.serve.snapshot import Database, Snapshot, explained
from tickwire.serve.statements import QueryRefused, StatementCheck
from tickwire.wording import counted

if TYPE_CHECKING:  # a feed without such a sink pays for DuckDB with its first query
    import duckdb

AGAIN_S = 0.02
CLOSE_S = 5.0  # for queries to end once they are interrupted
_log = get_logger("tickwire.serve")


@dataclass(frozen=True, slots=True)
class OpenQuery:
    """A query that runs or waits.

    Parameters
    ----------
    sql
        The statement.
    since_s
        By the monotonic clock.
    """

    sql: str
    since_s: float


class Deadline:
    """Interrupts a connection when its time is up, until the query has ended.

    Parameters
    ----------
    connection
        Whose query.
    until_s
        By the monotonic clock.

    Attributes
    ----------
    is_over
        Whether the time was up.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, until_s: float) -> None:
        self.is_over = False
        self._connection = connection
        self._ended = threading.Event()
        self._until_s = until_s
        self._thread = threading.Thread(target=self._watch, name="query-deadline", daemon=True)

    def __enter__(self) -> Deadline:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def end(self) -> None:
        """Interrupt it now."""
        self.is_over = True
        self._until_s = 0.0
        self._connection.interrupt()

    def _watch(self) -> None:
        while not self._ended.wait(max(0.0, min(self._until_s - monotonic(), 1.0))):
            if monotonic() >= self._until_s:
                self.is_over = True
                self._connection.interrupt()
                if self._ended.wait(AGAIN_S):
                    return


class Queries:
    """Runs the queries of one feed.

    Parameters
    ----------
    database
        What they see.
    metrics
        Where they are counted.
    n_turns
        How many may run at a time.
    check
        Says what may run; by default one of its own.
    """

    def __init__(
        self,
        database: Database,
        metrics: Metrics | None = None,
        *,
        n_turns: int = 1,
        check: StatementCheck | None = None,
    ) -> None:
        metrics = metrics or Metrics()
        self._database = database
        self._check = check or StatementCheck({"utc"})
        self._turns = threading.Semaphore(n_turns)
        self._n_turns = n_turns
        self._open: dict[object, OpenQuery] = {}
        self._deadlines: set[Deadline] = set()
        self._is_closed = False
        self._n_queries = metrics.counter("queries")
        self._n_refused = metrics.counter("queries_refused")
        self._n_failed = metrics.counter("queries_failed")
        self._n_interrupted = metrics.counter("queries_interrupted")
        self._rows = metrics.counter("query_rows")
        self._time_ns = metrics.counter("query_seconds")
        metrics.watch("queries_open", lambda: len(self._open))

    @property
    def open_queries(self) -> list[OpenQuery]:
        """Those that run or wait, oldest first."""
        return list(self._open.values())

    def run(self, sql: str, limits: Limits, send: Callable[[pa.RecordBatch, bool], None]) -> int:
        """Run one query and hand its rows on; gives how many there were.

        Parameters
        ----------
        sql
            The statement.
        limits
            What it may take.
        send
            Called with an empty batch first, which shows the schema, then with the rows, and
            whether it is the first; may raise.

        Raises
        ------
        QueryRefused, QueryError
            It may not run, fails, or was ended: one line that says why.
        """
        began_s = monotonic()
        key = object()
        self._open[key] = OpenQuery(sql, began_s)
        self._n_queries.add()
        try:
            with self._my_turn(began_s + limits.seconds, limits):
                return self._run(sql, limits, began_s + limits.seconds, send)
        except QueryRefused:
            self._n_refused.add()
            raise
        except TickwireError:
            self._n_failed.add()
            raise
        finally:
            del self._open[key]
            self._time_ns.add(int((monotonic() - began_s) * 1e9))

    def count_refused(self) -> None:
        """Count a request that is no query, or one too many."""
        self._n_queries.add()
        self._n_refused.add()

    def close(self) -> None:
        """End the queries that run, let none begin, and wait for their connections to be closed.

        One that does not end within `CLOSE_S` is left behind.
        """
        self._is_closed = True
        n_ended, until_s = 0, monotonic() + CLOSE_S
        while n_ended < self._n_turns and monotonic() < until_s:
            if self._turns.acquire(timeout=AGAIN_S):
                n_ended += 1
                continue
            for deadline in list(self._deadlines):
                deadline.end()
        if n_ended < self._n_turns:
            _log.warning("queries do not end: the stop goes on", queries=self._n_turns - n_ended)
        self._turns.release(self._n_turns)  # those that wait for a turn end, too

    @contextmanager
    def _my_turn(self, until_s: float, limits: Limits) -> Iterator[None]:
        if not self._turns.acquire(timeout=max(0.0, until_s - monotonic())):
            raise QueryError(f"other queries took all of the {limits.seconds:g} s: try again")
        try:
            if self._is_closed:
                raise QueryError("the feed stops")
            yield
        finally:
            self._turns.release()

    def _run(
        self,
        sql: str,
        limits: Limits,
        until_s: float,
        send: Callable[[pa.RecordBatch, bool], None],
    ) -> int:
        n_rows = 0
        deadline = None
        import duckdb

        try:
            with (
                Snapshot(self._database, self._check, sql) as snapshot,
                Deadline(snapshot.connection, until_s) as deadline,
                self._interruptible(deadline),
            ):
                reader = snapshot.query(sql, is_checked=True)
                send(empty_batch(reader.schema), True)
                for batch in reader:
                    n_rows += batch.num_rows
                    self._rows.add(batch.num_rows)
                    if n_rows > limits.rows:
                        raise QueryError(
                            f"more than {counted(limits.rows, 'row')}: "
                            "ask for fewer, or set another limit"
                        )
                    send(batch, False)
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise self._ended(error, deadline, limits) from None
        return n_rows

    @contextmanager
    def _interruptible(self, deadline: Deadline) -> Iterator[None]:
        self._deadlines.add(deadline)
        try:
            yield
        finally:
            self._deadlines.discard(deadline)

    def _ended(self, error: Exception, deadline: Deadline | None, limits: Limits) -> TickwireError:
        """Give what is said of a query that did not end by itself."""
        import duckdb

        text = explained(error)
        if deadline is not None and deadline.is_over:
            self._n_interrupted.add()
            why = "the feed stops" if self._is_closed else f"it took more than {limits.seconds:g} s"
            return QueryError(f"the query was ended: {why}")
        if isinstance(error, duckdb.InterruptException) or "INTERRUPT" in text:
            self._n_interrupted.add()
            return QueryError("the query was ended: the feed needed the memory to commit its rows")
        return QueryError(text)


def empty_batch(schema: pa.Schema) -> pa.RecordBatch:
    """Give a batch without rows."""
    return pa.RecordBatch.from_arrays([pa.array([], f.type) for f in schema], schema=schema)
