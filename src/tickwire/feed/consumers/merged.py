"""One ordered stream of batches over several tables.

Rules of this file
------------------
- `Merge` decides and knows neither loop nor clock: rows go out in the order of `ts_recv`, of equal
  times in the order of the tables, and of one table in that of the ring.
- A row goes out once a row has come that is later by `within`, or once it has waited as long. What
  then comes with an earlier time than the last one that went out is late: it goes out at once, and
  is counted.
- What waits is bounded: rows past `max_rows` stay in the rings. Then tables are taken by turns, the
  one that is furthest behind first, and no row goes out that is later than what was taken of it.
- Batches are slices of those that were taken: nothing is copied.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tickwire.feed.consumers.consumer import BatchConsumer
from tickwire.feed.consumers.row_queue import QueueEmpty, QueueShutDown
from tickwire.supervise import cancel_all, spawn

Times = NDArray[np.int64]


@dataclass(slots=True)
class _Chunk:
    """What is left of a batch: `rows` of it, whose times are `ts`."""

    table: int
    batch: pa.RecordBatch
    taken_s: float
    ts: Times
    rows: Times


class Merge:
    """Puts the rows of several tables in one order.

    Parameters
    ----------
    tables
        Their names; those named first go first where times are equal.
    within_s
        How much later than others a row may come.

    Attributes
    ----------
    n_rows
        Rows that wait.
    n_late
        Rows of each table that came too late for their place.
    """

    def __init__(self, tables: Sequence[str], within_s: float) -> None:
        self._tables = tuple(tables)
        self._within_s = within_s
        self._within_ns = round(within_s * 1e9)
        self._chunks: list[_Chunk] = []
        self._newest_ns = self._given_ns = np.iinfo(np.int64).min
        self.n_rows = 0
        self.n_late = dict.fromkeys(self._tables, 0)
        self._taken_ns = dict.fromkeys(self._tables, self._newest_ns)

    def taken_ns(self, table: str) -> int:
        """Give the latest time of a table that was taken."""
        return self._taken_ns[table]

    def waits(self, table: str) -> bool:
        """Whether a row of the table waits."""
        number = self._tables.index(table)
        return any(chunk.table == number for chunk in self._chunks)

    def add(self, table: str, batch: pa.RecordBatch, now_s: float) -> int:
        """Take a batch of a table, and say how many of its rows are late.

        Parameters
        ----------
        table
            One of the tables.
        batch
            At least one row.
        now_s
            By any clock that does not go back.
        """
        ts = batch.column("ts_recv").cast(pa.int64()).to_numpy()
        rows = np.arange(len(ts))
        self._chunks.append(_Chunk(self._tables.index(table), batch, now_s, ts, rows))
        self._chunks.sort(key=lambda chunk: chunk.table)  # stable: each table's stay in order
        self._taken_ns[table] = max(self._taken_ns[table], int(ts.max()))
        self._newest_ns = max(self._newest_ns, self._taken_ns[table])
        n_late = int((ts < self._given_ns).sum())
        self.n_late[table] += n_late
        self.n_rows += len(ts)
        return n_late

    def due_s(self) -> float | None:
        """When the row goes out that has waited longest; None where none waits."""
        return min((chunk.taken_s + self._within_s for chunk in self._chunks), default=None)

    def take(
        self, now_s: float, *, behind: str | None = None, is_end: bool = False
    ) -> list[tuple[str, pa.RecordBatch]]:
        """Give what is due, in its order; at the end, all there is.

        Parameters
        ----------
        now_s
            As of `add`.
        behind
            The table of which the least was taken, among those that have more rows in their rings.
        is_end
            No row comes any more.
        """
        if not self._chunks:
            return []
        most_ns = self._newest_ns if behind is None else self._taken_ns[behind]
        until_ns = most_ns - (0 if is_end else self._within_ns)
        for chunk in self._chunks:
            if chunk.taken_s + self._within_s <= now_s:
                until_ns = max(until_ns, min(int(chunk.ts.max()), most_ns))
        until_ns = max(until_ns, self._given_ns)
        due = [chunk.ts <= until_ns for chunk in self._chunks]
        sizes = [int(each.sum()) for each in due]
        if not sum(sizes):
            return []
        pairs = list(zip(self._chunks, due, strict=True))
        times = np.concatenate([chunk.ts[which] for chunk, which in pairs])
        rows = np.concatenate([chunk.rows[which] for chunk, which in pairs])
        origins = np.repeat(np.arange(len(self._chunks)), sizes)
        order = np.argsort(times, kind="stable")
        given = self._slices(origins[order], rows[order])
        self._given_ns = max(self._given_ns, int(times.max()))
        self.n_rows -= len(order)
        for chunk, which in pairs:
            chunk.ts, chunk.rows = chunk.ts[~which], chunk.rows[~which]
        self._chunks = [chunk for chunk in self._chunks if len(chunk.rows)]
        return given

    def clear(self) -> None:
        """Drop what waits."""
        self._chunks.clear()
        self.n_rows = 0

    def _slices(self, origins: Times, rows: Times) -> list[tuple[str, pa.RecordBatch]]:
        """Cut batches where another one goes on, or a row is not the next one."""
        is_cut = (np.diff(origins) != 0) | (np.diff(rows) != 1)
        starts = np.concatenate([[0], np.flatnonzero(is_cut) + 1, [len(rows)]]).tolist()
        found = []
        for start, stop in pairwise(starts):
            chunk = self._chunks[int(origins[start])]
            batch = chunk.batch.slice(int(rows[start]), stop - start)
            found.append((self._tables[chunk.table], batch))
        return found


class MergedBatches:
    """An async iterator over tables and batches; made by `FeedHandler.merged`.

    Parameters
    ----------
    consumers
        By table.
    within_s
        As of `Merge`.
    max_rows
        So many rows may wait here; more stay in the rings.
    batch_rows
        Rows of a consumer's batch at most; a batch of each table may wait.
    on_late
        Called with a table and how many of its rows came too late.
    """

    def __init__(
        self,
        consumers: Mapping[str, BatchConsumer],
        within_s: float,
        max_rows: int,
        batch_rows: int,
        on_late: Callable[[str, int], object],
    ) -> None:
        self._consumers = dict(consumers)
        self._merge = Merge(tuple(consumers), within_s)
        self._batch_rows = batch_rows
        self._shared_rows = max_rows - batch_rows * len(self._consumers)
        self._on_late = on_late
        self._ready: deque[tuple[str, pa.RecordBatch]] = deque()

    @property
    def late_rows(self) -> dict[str, int]:
        """Rows of each table that were given behind later ones."""
        return dict(self._merge.n_late)

    @property
    def waiting_rows(self) -> int:
        """Rows that were taken from the rings and not given yet."""
        return self._merge.n_rows + sum(len(batch) for _, batch in self._ready)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[str, pa.RecordBatch]:
        while not self._ready:
            behind = self._take()
            is_end = not self._consumers
            self._ready += self._merge.take(time.monotonic(), behind=behind, is_end=is_end)
            if self._ready:
                break
            if is_end:
                raise StopAsyncIteration
            await self._wait(behind)
        return self._ready.popleft()

    def _take(self) -> str | None:
        """Take what is published; gives the table furthest behind where more may not wait."""
        left = list(self._consumers)
        while left:
            table = min(left, key=self._merge.taken_ns)
            consumer = self._consumers[table]
            if not consumer.empty() and not self._has_room(table):
                return table
            try:
                batch = consumer.get_nowait()
            except QueueEmpty:
                left.remove(table)
                continue
            except QueueShutDown:
                left.remove(table)
                del self._consumers[table]
                continue
            consumer.task_done()
            if n_late := self._merge.add(table, batch, time.monotonic()):
                self._on_late(table, n_late)
        return None

    def _has_room(self, table: str) -> bool:
        """Whether one more batch of a table may wait; there is always room for its only one."""
        return self._merge.n_rows + self._batch_rows <= self._shared_rows or not (
            self._merge.waits(table)
        )

    async def _wait(self, behind: str | None) -> None:
        """Wait for rows, or until one that waits is due."""
        due_s = self._merge.due_s()
        timeout_s = None if due_s is None else max(due_s - time.monotonic(), 0)
        if behind is not None:
            await asyncio.sleep(timeout_s or 0)
            return
        waits = [
            spawn(f"merged {table}", consumer.wait()) for table, consumer in self._consumers.items()
        ]
        try:
            await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel_all(waits)

    def close(self) -> None:
        """Detach from the feed; what waits here is dropped."""
        for consumer in self._consumers.values():
            consumer.close()
        self._consumers.clear()
        self._ready.clear()
        self._merge.clear()
