"""A feed's consumers: what programs take its rows with, by table."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from functools import partial
from typing import Any, Literal, TypeVar, overload

from tickwire.feed.consumers.consumer import BatchConsumer, LightConsumer
from tickwire.feed.consumers.merged import MergedBatches
from tickwire.feed.consumers.row_queue import OnLag, RowQueue
from tickwire.feed.consumers.rows import RowConsumer
from tickwire.feed.view import FeedView

MAX_WITHIN_MS = 60_000

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

    def merged(
        self,
        tables: Iterable[str],
        *,
        by: Literal["ts_recv"] = "ts_recv",
        within_ms: float = 50,
        max_rows: int = 100_000,
        on_lag: OnLag | None = None,
    ) -> MergedBatches:
        """Give one ordered stream of several tables: names and batches, in the order of `ts_recv`.

        `async for table, batch in feed.merged(["trades", "quotes"])`. A batch ends where a row of
        another table comes next. Of equal times, the table that is named first goes first.

        Parameters
        ----------
        tables
            Their names.
        by
            Their order.
        within_ms
            How long a row waits for earlier ones of other tables. A row that comes later than that
            is given at once, behind later ones, and counted: `late_rows` of what is returned, and
            the metric `merged_late_rows`. Changes of books that waited for their snapshot are such
            rows.
        max_rows
            So many rows may wait here; more stay in the rings.
        on_lag
            As of `batches`.

        Raises
        ------
        KeyError
            Where no source feeds a table.
        ValueError
            Where a table is named twice, or another choice is none.
        RuntimeError
            Where the feed does not run.
        """
        names = list(tables)
        if not names or len(set(names)) < len(names):
            raise ValueError(f"tables are {names}: at least one, each once")
        if by != "ts_recv":
            raise ValueError(f"by is {by!r}: ts_recv")
        if not 0 <= within_ms <= MAX_WITHIN_MS:
            raise ValueError(f"within_ms is {within_ms}: 0 to {MAX_WITHIN_MS:,}")
        if max_rows < len(names):
            raise ValueError(f"max_rows is {max_rows}: at least 1 row of each table")
        pipeline = self._running().pipeline
        missing = [name for name in names if name not in pipeline.rings]
        if missing:
            raise KeyError(f"no table {missing[0]!r}: one of {', '.join(pipeline.rings)}")
        batch_rows = max(max_rows // (2 * len(names)), 1)
        # Rows wait here anyway: the rings need not call for each.
        wait: dict[str, Any] = {"linger_ms": within_ms / 4, "max_rows": batch_rows}
        consumers = {
            name: self._attach(BatchConsumer, name, on_lag, None, None, **wait) for name in names
        }
        late = {name: pipeline.metrics.counter("merged_late_rows", table=name) for name in names}
        return MergedBatches(
            consumers, within_ms / 1e3, max_rows, batch_rows, lambda name, n: late[name].add(n)
        )

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
