"""The consumer of one table in the vocabulary of `asyncio.Queue`; its items are record batches.

Rules of this file
------------------
- Everything here runs in the loop's thread, which is the ring's writer too: between a look at the
  ring and the wish to be woken nothing can be published.
- The ring wakes a waiting consumer, once (`arm`); nothing happens here per message.
- From a publish to the body of an `async for` there is one hop of the loop and as little Python as
  can be: at a modest rate that is much of a row's latency. So `get` and `__anext__` give the same
  coroutine, which awaits the future that the publish sets.
- An abandoned consumer is collected and detached: the ring knows it only weakly.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from tickwire.errors import ConsumerLagged
from tickwire.ring import Consumer, Ring
from tickwire.wording import counted

if TYPE_CHECKING:
    from tickwire.observe import Histogram

QueueEmpty = asyncio.QueueEmpty

OnLag = Literal["block", "drop", "raise"]

if TYPE_CHECKING or not hasattr(asyncio, "QueueShutDown"):  # before Python 3.13

    class QueueShutDown(Exception):
        """The consumer is shut down and has nothing left."""

else:
    QueueShutDown = asyncio.QueueShutDown


class BatchConsumer:
    """An async iterator over the rows of one table, from the oldest that its ring holds.

    Parameters
    ----------
    ring
        Where the rows are.
    latency
        Gets the time from read to `get` of every row.
    on_lag
        What happens where the ring is full because this consumer lags: `block` stops the feed,
        `drop` drops its oldest rows, `raise` does so and raises `ConsumerLagged` once at the next
        `get`. None: what the feed's `overflow` says.
    name
        What the log, the metrics and the gaps call it.

    Attributes
    ----------
    name
        As given.
    rows
        What reads the ring.
    """

    def __init__(
        self,
        ring: Ring,
        latency: Histogram | None = None,
        *,
        on_lag: OnLag | None = None,
        name: str = "batches",
    ) -> None:
        if on_lag not in (None, "block", "drop", "raise"):
            raise ValueError(f"on_lag is {on_lag!r}: block, drop or raise")
        self.name = name
        self._ring = ring
        self.rows = self._rows = Consumer(ring, on_lag="drop" if on_lag == "raise" else on_lag)
        self._raises = on_lag == "raise"
        self._n_dropped = 0  # which were raised
        self._latency = latency
        self._getters: deque[asyncio.Future[None]] = deque()
        self._joiners: deque[asyncio.Future[None]] = deque()
        self._armed = False
        self._unfinished = 0
        self._left: int | None = None  # rows still to give once it is shut down
        self._detached = False
        self._wake = _waker(weakref.ref(self))

    def __repr__(self) -> str:
        state = "ended" if self._detached else f"{counted(self.qsize(), 'row')} to take"
        return f"<BatchConsumer of {self._ring.table.name}: {state}>"

    def __aiter__(self) -> BatchConsumer:
        return self

    def __anext__(self) -> Coroutine[Any, Any, pa.RecordBatch]:
        return self._next(StopAsyncIteration)

    def __enter__(self) -> BatchConsumer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> BatchConsumer:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_detached") and not self._detached:
            self._rows.close()

    @property
    def maxsize(self) -> int:
        """Rows that the ring can hold."""
        return int(self._ring.capacity)

    def qsize(self) -> int:
        """Give the number of rows published and not yet taken."""
        if self._detached:
            return 0
        available = int(self._rows.available)
        return available if self._left is None else min(available, self._left)

    def empty(self) -> bool:
        """Whether there is no row to take."""
        return self.qsize() == 0

    def full(self) -> bool:
        """Whether as many rows wait as the ring can hold."""
        return self.qsize() >= self.maxsize

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

    async def wait(self) -> int:
        """Wait until there are rows to take, as for a lease.

        Returns
        -------
        int
            How many; 0 where there will be none any more.
        """
        while not self._detached:
            n_rows = self.qsize()
            if n_rows:
                return n_rows
            if self._left is not None:
                self._detach()
                break
            await self._wait_for_publish()
        return 0

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

    def task_done(self) -> None:
        """Say that a batch from `get` has been dealt with.

        Raises
        ------
        ValueError
            More often than there were batches.
        """
        if self._unfinished <= 0:
            raise ValueError("task_done() called too many times")
        self._unfinished -= 1
        self._wake_joiners()

    async def join(self) -> None:
        """Wait until every row has been taken and every batch dealt with."""
        while self._unfinished or not self.empty():
            waiter = asyncio.get_running_loop().create_future()
            self._joiners.append(waiter)
            try:
                await waiter
            finally:
                if waiter in self._joiners:
                    self._joiners.remove(waiter)

    def shutdown(self, immediate: bool = False) -> None:
        """End the consumer.

        Parameters
        ----------
        immediate
            False: the rows published until now can still be taken, then `get` raises
            `QueueShutDown`. True: it does so at once.
        """
        if self._left is None:
            self._left = self.qsize()
        if immediate or self._left == 0:
            self._detach()
        for getter in self._getters:
            if not getter.done():
                getter.set_result(None)
        self._getters.clear()
        self._wake_joiners()

    def close(self) -> None:
        """Detach from the ring; what was not taken is given up."""
        self.shutdown(immediate=True)

    def _check_open(self) -> None:
        if self._detached:
            raise QueueShutDown
        if self._left == 0:
            self._detach()
            raise QueueShutDown

    def _take(self) -> pa.RecordBatch | None:
        """Take all rows there are, None where there is none; only where it is open."""
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
        return batch

    def _check_lag(self) -> None:
        n_dropped = self._rows.n_dropped
        if n_dropped > self._n_dropped:
            n_rows, self._n_dropped = n_dropped - self._n_dropped, n_dropped
            raise ConsumerLagged(self.name, self._ring.table.name, n_rows)

    def _note_taken(self, n_rows: int) -> None:
        if self._left is not None:
            self._left -= n_rows
            if self._left <= 0:
                self._detach()
        elif self._getters:
            self._arm()

    def _detach(self) -> None:
        if not self._detached:
            self._detached = True
            self._rows.close()

    async def _next(self, end: type[Exception]) -> pa.RecordBatch:
        """Wait for rows and take all there are; raises `end` when there will be none."""
        while not self._detached:
            if self._left != 0:
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

    async def _wait_for_publish(self) -> None:
        getter = asyncio.get_running_loop().create_future()
        self._getters.append(getter)
        self._arm()
        try:
            await getter
        except BaseException:
            self._give_up(getter)
            raise
        if self._getters:  # the rows stay: another waiter may take them
            self._wake_getter()

    def _give_up(self, getter: asyncio.Future[None]) -> None:
        getter.cancel()
        if getter in self._getters:
            self._getters.remove(getter)
        if not self.empty():  # it was woken, and the rows are there for another one
            self._wake_getter()

    def _arm(self) -> None:
        if not self._armed and not self._detached:
            self._armed = True
            self._ring.arm(self._wake)

    def _wake_getter(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                break

    def _wake_joiners(self) -> None:
        if self._unfinished or not self.empty():
            return
        for waiter in self._joiners:
            if not waiter.done():
                waiter.set_result(None)
        self._joiners.clear()


def _waker(consumer: weakref.ref[BatchConsumer]) -> Callable[[], None]:
    """Make what the ring calls: it must not keep the consumer alive."""

    def wake() -> None:
        waiting = consumer()
        if waiting is not None:
            waiting._armed = False
            waiting._wake_getter()

    return wake
