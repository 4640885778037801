"""The consumer of one table whose items are record batches.

Rules of this file
------------------
- From a publish to the body of an `async for` there is one hop of the loop and as little Python as
  can be: at a modest rate that is much of a row's latency. So `get` and `__anext__` give the same
  coroutine, which awaits the future that the publish sets.
- Batches that a program has put are given before the ring's rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from tickwire.feed.row_queue import QueueEmpty, QueueFull, QueueShutDown, RowQueue


class BatchConsumer(RowQueue):
    """An async iterator over the rows of one table, from the oldest that its ring holds.

    Its parameters and attributes are those of `RowQueue`.
    """

    def __aiter__(self) -> BatchConsumer:
        return self

    def __anext__(self) -> Coroutine[Any, Any, pa.RecordBatch]:
        return self._next(StopAsyncIteration)

    def get(self) -> Coroutine[Any, Any, pa.RecordBatch]:
        """Wait for rows and take all there are; the batch owns its memory.

        Returns
        -------
        pyarrow.RecordBatch
            At least one row, in the order of `seq`.

        Raises
        ------
        QueueShutDown
            The consumer or its feed has ended and every row has been given.
        ConsumerLagged
            With `on_lag="raise"`: rows were dropped before the next one; `get` goes on behind them.
        """
        return self._next(QueueShutDown)

    def put_nowait(self, batch: pa.RecordBatch) -> None:
        """Let this consumer have a batch of the program's own, before what the ring holds.

        Raises
        ------
        QueueFull
            Its rows are more than may wait, beside those that do.
        QueueShutDown
            The consumer is shut down.
        TypeError
            It is no record batch.
        """
        if not isinstance(batch, pa.RecordBatch):
            raise TypeError(f"put a pyarrow.RecordBatch, not {type(batch).__name__}")
        if self._detached or self._left is not None:
            raise QueueShutDown
        waiting = self.qsize()
        if waiting and waiting + batch.num_rows > self._maxsize:
            raise QueueFull
        self._put.append(batch)
        self._wake_getter()

    async def put(self, batch: pa.RecordBatch) -> None:
        """Put a batch as `put_nowait` does, once there is room for its rows."""
        while True:
            try:
                return self.put_nowait(batch)
            except QueueFull:
                putter = asyncio.get_running_loop().create_future()
                self._putters.append(putter)
                try:
                    await putter
                finally:
                    if putter in self._putters:
                        self._putters.remove(putter)

    def get_nowait(self) -> pa.RecordBatch:
        """Take all rows there are.

        Raises
        ------
        QueueEmpty
            There is none.
        QueueShutDown
            There will be none.
        """
        self._check_open()
        batch = self._take()
        if batch is None:
            raise QueueEmpty
        return batch

    @contextmanager
    def lease(self) -> Iterator[pa.RecordBatch]:
        """Borrow rows: numbers, times and codes without a copy, valid inside the block.

        A range that wraps around the ring comes as two leases. A lease needs no `task_done`.

        Raises
        ------
        QueueEmpty
            There is no row.
        QueueShutDown
            There will be none.
        """
        self._check_open()
        if self._put:
            self._unfinished += 1
            try:
                yield self._put.popleft()
            finally:
                self._wake_putters()
                self.task_done()
            return
        self._drop_excess()
        if self._raises:
            self._check_lag()
        before_wrap = self._rows.rows_to_wrap
        most = before_wrap if self._left is None else min(before_wrap, self._left)
        batches = self._rows.lease(most)
        if not batches:
            raise QueueEmpty
        batch = batches.pop()
        n_rows = batch.num_rows
        if self._latency is not None:
            self._rows.record(self._latency)
        self._unfinished += 1
        try:
            yield batch
        finally:
            del batch
            self._rows.release()
            self._note_taken(n_rows)
            self.task_done()

    def _take(self) -> pa.RecordBatch | None:
        """Take all rows there are, None where there is none; only where it is open."""
        if self._put:
            self._unfinished += 1
            batch = self._put.popleft()
            if self._putters:
                self._wake_putters()
            return batch
        if self._left == 0:
            return None
        if self._drops_past:
            self._drop_excess()
        if self._raises:
            self._check_lag()
        batch = self._rows.take(self._left)
        if batch is None:
            return None
        if self._latency is not None:
            self._rows.record(self._latency)
        self._unfinished += 1
        if self._left is not None or self._getters:
            self._note_taken(batch.num_rows)
        if self._putters:
            self._wake_putters()
        return batch

    async def _next(self, end: type[Exception]) -> pa.RecordBatch:
        """Wait for rows and take all there are; raises `end` when there will be none."""
        while self._put or not self._detached:
            if self._put or self._left != 0:
                batch = self._take()
                if batch is not None:
                    return batch
            if self._left is not None:
                self._detach()
                break
            getter = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            if not self._armed:
                self._arm()
            try:
                await getter
            except BaseException:
                self._give_up(getter)
                raise
        raise end
