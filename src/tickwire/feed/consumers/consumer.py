"""The consumers of one table whose items are batches: Arrow's own, or light ones.

Batches that a program has put are given before the ring's rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pyarrow as pa

from tickwire.feed.consumers.row_queue import QueueEmpty, QueueFull, QueueShutDown, RowQueue
from tickwire.ring import Batch


class BatchConsumer(RowQueue):
    """An async iterator over the rows of one table, from the oldest that its ring holds.

    Its parameters and attributes are those of `RowQueue`.
    """

    _items: ClassVar[Any] = pa.RecordBatch
    _items_name: ClassVar[str] = "pyarrow.RecordBatch"

    async def get(self) -> pa.RecordBatch:
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
        try:
            return await anext(self)
        except StopAsyncIteration:
            raise QueueShutDown from None

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
        if not isinstance(batch, self._items):
            raise TypeError(f"put a {self._items_name}, not {type(batch).__name__}")
        if self._detached or self._left is not None:
            raise QueueShutDown
        waiting = self.qsize()
        if waiting and waiting + batch.num_rows > self._maxsize:
            raise QueueFull
        self._put.append(batch)
        self._getters.wake_one()

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
            self._getters.note_taken()
            self._note_taken(n_rows)
            self.task_done()

    def _take_put(self) -> pa.RecordBatch:
        """Take what a program has put."""
        self._unfinished += 1
        batch = self._put.popleft()
        if self._putters:
            self._wake_putters()
        return batch


class LightConsumer(BatchConsumer):
    """The same with light batches: an item costs little to make where it has few rows.

    What is leased is a pyarrow.RecordBatch here too.
    """

    _form: ClassVar[Literal["light"]] = "light"
    _items: ClassVar[Any] = Batch
    _items_name: ClassVar[str] = "tickwire.Batch"

    if TYPE_CHECKING:  # the compiled base has it all

        def __anext__(self) -> Awaitable[Batch]: ...
        async def get(self) -> Batch: ...  # noqa: D102 - as above
        def get_nowait(self) -> Batch: ...  # noqa: D102 - as above
