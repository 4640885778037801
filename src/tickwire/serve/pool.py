"""A bounded pool of read cursors, for programs in the feed's own process: `feed.duckdb(n=10)`.

Rules of this file
------------------
- `with` takes a cursor in a thread, `async with` on the event loop, where statements are awaited
  and run in threads.
- Each statement has a snapshot of its own, so that a cursor which is held keeps no transaction
  open. It may be whatever a query of another process may be.
"""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from time import monotonic

import pyarrow as pa

from tickwire.serve.queries import Queries
from tickwire.serve.requests import Limits, QueryError
from tickwire.supervise import in_thread

LOOK_S = 0.005


class ReadCursor:
    """A cursor in a thread."""

    def __init__(self, queries: Queries, limits: Limits) -> None:
        self._queries = queries
        self._limits = limits

    def query(self, sql: str) -> pa.Table:
        """Run a SELECT over committed rows and those in rings.

        Raises
        ------
        QueryRefused
            It may not run.
        QueryError
            It fails, took too long, or gives too many rows.
        """
        batches: list[pa.RecordBatch] = []
        self._queries.run(sql, self._limits, lambda batch, is_first: batches.append(batch))
        return pa.Table.from_batches(batches)


class AsyncReadCursor:
    """A cursor on the event loop."""

    def __init__(self, cursor: ReadCursor) -> None:
        self._cursor = cursor

    async def query(self, sql: str) -> pa.Table:
        """Run a SELECT in a thread; errors are those of `ReadCursor.query`.

        A caller that is cancelled lets it go on until its limit of time.
        """
        return await in_thread(partial(self._cursor.query, sql))


class ReadPool:
    """At most `n` read cursors at a time; made by `feed.duckdb`.

    Parameters
    ----------
    queries
        Of this pool, with as many turns.
    n
        How many cursors there may be.
    limits
        Of each statement; also how long a caller waits for a cursor.
    """

    def __init__(self, queries: Queries, n: int, limits: Limits) -> None:
        self._cursor = ReadCursor(queries, limits)
        self._limits = limits
        self._free = threading.Semaphore(n)

    def __enter__(self) -> ReadCursor:
        if not self._free.acquire(timeout=self._limits.seconds):
            raise QueryError(f"no cursor was free in {self._limits.seconds:g} s")
        return self._cursor

    def __exit__(self, *error: object) -> None:
        self._free.release()

    async def __aenter__(self) -> AsyncReadCursor:
        until_s = monotonic() + self._limits.seconds
        while not self._free.acquire(blocking=False):
            if monotonic() >= until_s:
                raise QueryError(f"no cursor was free in {self._limits.seconds:g} s")
            await asyncio.sleep(LOOK_S)
        return AsyncReadCursor(self._cursor)

    async def __aexit__(self, *error: object) -> None:
        self._free.release()
