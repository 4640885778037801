"""A feed's consumers: what programs take its rows with, by table."""

from __future__ import annotations

import weakref
from functools import partial
from typing import Any, Literal, TypeVar, overload

from tickwire.feed.consumer import BatchConsumer, LightConsumer
from tickwire.feed.row_queue import OnLag, RowQueue
from tickwire.feed.rows import RowConsumer
from tickwire.feed.view import FeedView

Kind = TypeVar("Kind", bound=RowQueue)


class FeedConsumers(FeedView):
    """The part of a `FeedHandler` that hands rows to programs."""

    _consumers: weakref.WeakSet[RowQueue]

    @overload
    def batches(
        self,
        table: str,
        *,
        on_lag: OnLag | None = None,
        name: str | None = None,
        maxsize: int | None = None,
        linger_ms: float = 0,
        max_rows: int | None = None,
        form: Literal["arrow"] = "arrow",
    ) -> BatchConsumer: ...

    @overload
    def batches(
        self,
        table: str,
        *,
        on_lag: OnLag | None = None,
        name: str | None = None,
        maxsize: int | None = None,
        linger_ms: float = 0,
        max_rows: int | None = None,
        form: Literal["light"],
    ) -> LightConsumer: ...

    def batches(
        self,
        table: str,
        *,
        on_lag: OnLag | None = None,
        name: str | None = None,
        maxsize: int | None = None,
        linger_ms: float = 0,
        max_rows: int | None = None,
        form: Literal["arrow", "light"] = "arrow",
    ) -> BatchConsumer:
        """Give a consumer of a table's rows, from the oldest that its ring holds.

        Parameters
        ----------
        table
            Its name.
        on_lag
            What a full ring does where this consumer lags: `block` stops the feed until it has
            taken rows, `drop` drops its oldest rows, `raise` does so and raises `ConsumerLagged`
            once. Left out: `block`, or `drop` where the feed's `overflow` is `drop_oldest`. No
            other consumer loses rows by it, and what is dropped is a row of `gaps`.
        name
            What the log, the metrics and the gaps call it; by default a number is part of it.
        maxsize
            So many rows may wait for it, fewer than the ring holds; `on_lag` says what happens
            then. A message or read that has more is not cut: where nothing waited before, all of
            it may wait.
        linger_ms
            How long the first row waits for others, so that a busy table wakes the program once for
            many rows: 5 costs a fraction of the CPU at thousands of messages a second. A read in
            its last quarter ends it. 0: a row wakes at once. `get_nowait` and a shutdown do not
            wait for it, nor does the feed where half of `maxsize` is reached or the ring is full.
        max_rows
            Of one batch; as many end a linger. Left out: as many as there are.
        form
            What the items are: `arrow`, a `pyarrow.RecordBatch`, or `light`, a `tickwire.Batch`,
            which costs about a fifth where it has one row, has its columns as numpy arrays and
            gives the RecordBatch when it is asked to.

        Raises
        ------
        KeyError
            Where no source feeds that table.
        ValueError
            Where there is no such choice of `on_lag`, `maxsize`, `linger_ms`, `max_rows` or `form`.
        RuntimeError
            Where the feed does not run.
        """
        kinds = {"arrow": BatchConsumer, "light": LightConsumer}
        if form not in kinds:
            raise ValueError(f"form is {form!r}: arrow or light")
        return self._attach(
            kinds[form], table, on_lag, name, maxsize, linger_ms=linger_ms, max_rows=max_rows
        )

    def rows(
        self,
        table: str,
        *,
        on_lag: OnLag | None = None,
        name: str | None = None,
        maxsize: int | None = None,
        linger_ms: float = 0,
    ) -> RowConsumer:
        """Give a consumer of a table's rows one by one, from the oldest that its ring holds.

        `async for row in feed.rows("trades")` gives a view with the columns as attributes, such as
        `row.price`: the same object for each row, valid until the next one; `row.copy()` stays.
        Nothing is made for a column that is not read.

        Parameters
        ----------
        table, on_lag, name, maxsize, linger_ms
            As of `batches`, and so are the errors.
        """
        return self._attach(RowConsumer, table, on_lag, name, maxsize, linger_ms=linger_ms)

    def _attach(
        self,
        kind: type[Kind],
        table: str,
        on_lag: OnLag | None,
        name: str | None,
        maxsize: int | None,
        **more: Any,
    ) -> Kind:
        """Make a consumer, and watch it."""
        pipeline = self._running().pipeline
        if table not in pipeline.rings:
            raise KeyError(f"no table {table!r}: one of {', '.join(pipeline.rings)}")
        lag = pipeline.lag
        name = lag.free_name(table) if name is None else name
        consumer = kind(
            pipeline.rings[table],
            pipeline.read_to_batch,
            on_lag=on_lag,
            name=name,
            maxsize=maxsize,
            on_loss=partial(lag.lost, table, name),
            **more,
        )
        lag.watch(table, name, consumer.rows, 0 if maxsize is None else consumer.maxsize)
        lag.watch_depth(table, name)
        self._consumers.add(consumer)
        return consumer
