"""The consumer of one table whose items are rows: a view that is used again for each.

Rules of this file
------------------
- Rows are taken from the ring by batches, so `on_lag` and `maxsize` hold as for a consumer of
  batches. Those of the batch at hand are no longer in the ring.
- A row needs no `task_done`: `join` waits until every row has been taken.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, ClassVar, Literal

from tickwire.feed.consumers.row_queue import QueueEmpty, QueueShutDown, RowQueue
from tickwire.ring import Row


class RowConsumer(RowQueue):
    """An async iterator over the rows of one table, one by one.

    `async for` gives the same `Row` each time, which shows another row: it is valid until the next
    one is taken, and `row.copy()` stays. Its parameters and attributes are those of `RowQueue`.
    """

    _form: ClassVar[Literal["rows"]] = "rows"

    if TYPE_CHECKING:

        def __anext__(self) -> Awaitable[Row]: ...  # the compiled base has it

    def qsize(self) -> int:
        """Give the number of rows published and not yet taken."""
        return super().qsize() + self._n_left

    # By the class, because a column may have the name of a method.

    @property
    def _n_left(self) -> int:
        return int(Row.n_left.__get__(self._row))

    @property
    def _may_take(self) -> bool:
        return self._n_left > 0 or super()._may_take

    async def get(self) -> Row:
        """Wait for the next row.

        Returns
        -------
        Row
            Valid until the next one is taken.

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

    def get_nowait(self) -> Row:
        """Take the next row.

        Raises
        ------
        QueueEmpty
            There is none.
        QueueShutDown
            There will be none.
        """
        if Row.advance(self._row):
            self._wake_joiners()
            return self._row
        self._check_open()
        row: Row | None = self._take()
        if row is None:
            raise QueueEmpty
        return row

    def shutdown(self, immediate: bool = False) -> None:
        """End the consumer.

        Parameters
        ----------
        immediate
            False: the rows published until now can still be taken, then `get` raises
            `QueueShutDown`. True: it does so at once.
        """
        if immediate:
            Row.end(self._row)
        super().shutdown(immediate)
