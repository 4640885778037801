"""The rows of one table on their way to a consumer, in the vocabulary of `asyncio.Queue`.

Rules of this file
------------------
- Everything here runs in the loop's thread, which is the ring's writer too: between a look at the
  ring and the wish to be woken nothing can be published.
- The ring wakes a waiting consumer, once (`arm`); nothing happens here per message.
- `maxsize` bounds what waits for this consumer alone. Where it blocks, the ring's writer keeps to
  the bound; else what is too old is dropped here, when rows are taken.
- An abandoned consumer is collected and detached: the ring knows it only weakly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import pyarrow as pa

from tickwire.errors import ConsumerLagged
from tickwire.feed._taking import Taking, next_without_lookup
from tickwire.net._wakes import Waiter
from tickwire.ring import Consumer, Loss, Ring
from tickwire.wording import counted

if TYPE_CHECKING:
    from tickwire.observe import Histogram

QueueEmpty = asyncio.QueueEmpty
QueueFull = asyncio.QueueFull

OnLag = Literal["block", "drop", "raise"]
MAX_LINGER_MS = 60_000

if TYPE_CHECKING or not hasattr(asyncio, "QueueShutDown"):  # before Python 3.13

    class QueueShutDown(Exception):
        """The consumer is shut down and has nothing left."""

else:
    QueueShutDown = asyncio.QueueShutDown


class RowQueue(Taking):
    """What every consumer of a table has, in whatever form it takes the rows.

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
    maxsize
        So many rows may wait for it; None: as many as the ring holds. What `on_lag` says of a full
        ring then holds from there on.
    on_loss
        Called with the rows that were dropped at `maxsize`.
    linger_ms
        From the first row to the wake-up of who waits, so that it wakes once for all rows that came
        meanwhile; 0: at once.
    max_rows
        Of one batch; as many end a linger. None: as many as there are.

    Attributes
    ----------
    name
        As given.
    rows
        What reads the ring.
    """

    _form: ClassVar[Literal["arrow", "light", "rows"]] = "arrow"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        next_without_lookup(cls)

    def __init__(
        self,
        ring: Ring,
        latency: Histogram | None = None,
        *,
        on_lag: OnLag | None = None,
        name: str = "batches",
        maxsize: int | None = None,
        on_loss: Callable[[Loss], None] | None = None,
        linger_ms: float = 0,
        max_rows: int | None = None,
    ) -> None:
        if on_lag not in (None, "block", "drop", "raise"):
            raise ValueError(f"on_lag is {on_lag!r}: block, drop or raise")
        if maxsize is not None and maxsize < 1:
            raise ValueError(f"maxsize is {maxsize}: at least 1 row")
        if not 0 <= linger_ms <= MAX_LINGER_MS:
            raise ValueError(f"linger_ms is {linger_ms}: 0 to {MAX_LINGER_MS:,}")
        if max_rows is not None and max_rows < 1:
            raise ValueError(f"max_rows is {max_rows}: at least 1 row")
        capacity = int(ring.capacity)
        self._maxsize = capacity if maxsize is None else min(maxsize, capacity)
        blocks = on_lag == "block" or (on_lag is None and not ring.drops_oldest)
        self._drops_past = 0 if maxsize is None or blocks else self._maxsize
        self._raises = on_lag == "raise"
        rows = Consumer(
            ring,
            on_lag="drop" if on_lag == "raise" else on_lag,
            max_lag=self._maxsize if maxsize is not None and blocks else 0,
        )
        # Who lingers must not be who lags: half of what may wait wakes it.
        enough_rows = max(self._maxsize // 2, 1)
        super().__init__(
            rows,
            form=self._form,
            linger_s=linger_ms / 1e3,
            enough_rows=enough_rows if max_rows is None else min(max_rows, enough_rows),
            max_rows=max_rows,
            checks=self._raises or self._drops_past > 0,
        )
        self.name = name
        self._ring = ring
        self._rows = rows
        ring.renew_limits()
        self._on_loss = on_loss
        self._n_lost = 0  # at `maxsize`
        self._n_dropped = 0  # which were raised
        self._latency = latency

    def __repr__(self) -> str:
        state = "ended" if self._detached else f"{counted(self.qsize(), 'row')} to take"
        return f"<{type(self).__name__} of {self._ring.table.name}: {state}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_rows") and not self._detached:
            self._rows.close()

    @property
    def maxsize(self) -> int:
        """Rows that may wait."""
        return self._maxsize

    def qsize(self) -> int:
        """Give the number of rows published, or put, and not yet taken."""
        n_put = sum(batch.num_rows for batch in self._put) if self._put else 0
        if self._detached:
            return n_put
        available = int(self._rows.available)
        return n_put + (available if self._left is None else min(available, self._left))

    def empty(self) -> bool:
        """Whether there is no row to take."""
        return self.qsize() == 0

    def full(self) -> bool:
        """Whether as many rows wait as may."""
        return self.qsize() >= self.maxsize

    async def wait(self) -> int:
        """Wait until there are rows to take, as for a lease.

        Returns
        -------
        int
            How many; 0 where there will be none any more.
        """
        while not self._detached:
            n_rows = self.qsize()
            if n_rows and self._may_take:
                return n_rows
            if self._left is not None:
                self._detach()
                break
            await self._wait_for_publish()
        return self.qsize()

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
            self._left = 0 if self._detached else int(self._rows.available)
        if immediate:
            self._put.clear()
        if immediate or (self._left == 0 and not self._put):
            self._detach()
        self._wake_putters()
        self._getters.stop()
        self._getters.wake_all()
        self._wake_joiners()

    def close(self) -> None:
        """Detach from the ring; what was not taken is given up."""
        self.shutdown(immediate=True)

    def _check_open(self) -> None:
        if self._put:
            return
        if self._detached:
            raise QueueShutDown
        if self._left == 0:
            self._detach()
            raise QueueShutDown

    def _before_take(self) -> None:
        """Drop what is too old, and raise what was lost."""
        self._drop_excess()
        if self._raises:
            self._check_lag()

    def _drop_excess(self) -> None:
        """Drop the oldest rows where more wait than may, and this consumer does not block."""
        if not self._drops_past:
            return
        while (excess := int(self._rows.available) - self._drops_past) > 0:
            batch = self._rows.take(excess)
            if batch is None:
                return
            times = batch.column("ts_recv").cast(pa.int64())
            self._n_lost += batch.num_rows
            if self._left is not None:
                self._left -= batch.num_rows
            if self._on_loss is not None:
                first, last = times[0].as_py(), times[-1].as_py()
                self._on_loss(Loss(batch.num_rows, first, last))

    def _check_lag(self) -> None:
        n_dropped = self._rows.n_dropped + self._n_lost
        if n_dropped > self._n_dropped:
            n_rows, self._n_dropped = n_dropped - self._n_dropped, n_dropped
            raise ConsumerLagged(self.name, self._ring.table.name, n_rows)

    def _note_taken(self, n_rows: int) -> None:
        if self._left is not None:
            self._left -= n_rows
            if self._left <= 0:
                self._detach()
        elif self._getters:
            self._wake_another()

    @property
    def _may_take(self) -> bool:
        """Whether what there is may be taken now, linger or not."""
        return bool(self._put) or self._left is not None or self._getters.may_take

    def _wake_another(self) -> None:
        """Let another getter have what is left, or else the next rows."""
        if not self.empty() and self._may_take:
            self._getters.wake_one()
        else:
            self._getters.arm()

    def _detach(self) -> None:
        if not self._detached:
            self._detached = True
            self._rows.close()

    async def _wait_for_publish(self) -> None:
        getter = self._getters.wait()
        try:
            await getter
        except BaseException:
            self._give_up(getter)
            raise
        if self._getters:  # the rows stay: another waiter may take them
            self._getters.wake_one()

    def _give_up(self, getter: Waiter) -> None:
        self._getters.forget(getter)
        # Where it was woken, the rows are there for another one.
        if self._getters and not self.empty() and self._may_take:
            self._getters.wake_one()

    def _wake_putters(self) -> None:
        for putter in self._putters:
            if not putter.done():
                putter.set_result(None)

    def _wake_joiners(self) -> None:
        if self._unfinished or not self.empty():
            return
        for waiter in self._joiners:
            if not waiter.done():
                waiter.set_result(None)
        self._joiners.clear()
