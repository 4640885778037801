"""Fresh rows: those of a table that its output may not hold yet, out of its ring and its spill.

Rules of this file
------------------
- Rows move from the ring to the spill to the output, so they are looked for in this order and none
  is missed; what is found twice is left out where they are put together with the output.
- The ring's gate is held while rows are copied, in pieces, and never while a query runs.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pyarrow as pa

from tickwire.ring import Consumer, Ring

PIECE_ROWS = 32_768
SPILL_S = 2.0  # for a spill that is busy
MOST_SPILLED_BYTES = 512 << 20


class Keeper(Protocol):
    """What holds a table's committed rows, as far as fresh ones are concerned: a sink."""

    def kept_from(self, table: str) -> int:
        """Give the oldest row that the ring keeps for it, as a count; -1: it does not run."""

    def spilled_rows(self, table: str, most_bytes: int, timeout_s: float) -> list[pa.RecordBatch]:
        """Give the rows in its spill, in order."""


def fresh_rows(ring: Ring, keeper: Keeper | None) -> pa.Table:
    """Copy the rows of a table that its output may not have.

    Parameters
    ----------
    ring
        The table's.
    keeper
        Who commits them; None: no sink does, and all that the ring holds is given.

    Returns
    -------
    pyarrow.Table
        In the order of `seq`, each row once; times in UTC without a zone, as DuckDB has them.
    """
    table = ring.table.name
    published = _copy(ring, -1 if keeper is None else keeper.kept_from(table))
    waiting = []
    if keeper is not None:
        waiting = keeper.spilled_rows(table, MOST_SPILLED_BYTES, SPILL_S)
    last = -1
    found = []
    for batch in [*waiting, *published]:
        seqs = batch.column("seq").to_numpy()
        rest = batch.slice(int(np.searchsorted(seqs, last, side="right")))
        if rest.num_rows:
            found.append(naive(rest))
            last = int(seqs[-1])
    return pa.Table.from_batches(found, naive_schema(ring.schema))


def _copy(ring: Ring, position: int) -> list[pa.RecordBatch]:
    consumer = Consumer(ring)
    try:
        if position > 0:
            consumer.skip_to(position)
        found = []
        n_left = consumer.available  # what comes meanwhile is another query's
        while n_left > 0 and (batch := consumer.take(min(n_left, PIECE_ROWS))) is not None:
            found.append(batch)
            n_left -= batch.num_rows
        return found
    finally:
        consumer.close()


def naive(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Give a batch with its times in UTC without a zone; copies nothing."""
    schema = naive_schema(batch.schema)
    columns = [
        column.view(field.type) if pa.types.is_timestamp(field.type) else column
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def naive_schema(schema: pa.Schema) -> pa.Schema:
    """Give a schema with its times in UTC without a zone."""
    return pa.schema(
        field.with_type(pa.timestamp("ns")) if pa.types.is_timestamp(field.type) else field
        for field in schema
    )
