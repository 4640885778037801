"""Comparing what a pipeline delivers with what it must, batch by batch.

Rules of this file
------------------
- Every value of every row is compared. Within a venue's symbol rows must come in their order; over
  several symbols or connections any order between them is right.
- Of `ts_recv`, that it lies in the run, and goes up where there is one connection.
"""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa

from tickwire.bench.expected import (
    ENDS,
    ID,
    ID_STEP,
    NULL_CODE,
    NULL_INT,
    Expected,
    ExpectedTable,
    Numbers,
)
from tickwire.schema import TABLES

MAX_FAULTS = 5


class Answer:
    """What a load must become.

    Parameters
    ----------
    expected
        The rows.

    Attributes
    ----------
    faults
        What was wrong; empty where all was right.
    """

    def __init__(self, expected: Expected) -> None:
        self.faults: list[str] = []
        self._expected = expected
        self._tables = {
            name: _Progress(table, expected.about.n_passes)
            for name, table in expected.tables.items()
        }
        self._first_seq: dict[str, int] = {}
        self._began_ns = time.time_ns()
        self._last_recv_ns = dict.fromkeys(self._tables, self._began_ns)
        self._conns: set[int] = set()

    @property
    def n_rows(self) -> int:
        """Rows that must come, over all tables."""
        return self._expected.n_rows

    @property
    def n_silent(self) -> int:
        """Messages that give no rows."""
        return self._expected.about.n_silent

    def check(self, table: str, batch: pa.RecordBatch) -> int:
        """Compare the next rows of a table; gives how many messages they end."""
        if table not in self._tables:
            self._fault(table, "rows that were not sent")
            return 0
        if not batch.schema.equals(TABLES[table].arrow_schema):
            self._fault(table, "its schema is another")
            return 0
        progress = self._tables[table]
        n_before = progress.n_rows
        self._check_run(table, batch, n_before)
        places, passes, strangers = progress.advance(batch)
        if strangers:
            self._fault(table, f"{strangers} rows of a venue's symbol that has no more")
            return 0
        expected = progress.table
        for name, once in expected.columns.items():
            if name.startswith("_"):
                continue
            found, wanted = _found(batch, name, expected), once[places]
            differs = found != wanted
            if wanted.dtype == np.float64:
                differs &= ~(np.isnan(found) & np.isnan(wanted))
            if differs.any():
                row = int(np.argmax(differs))
                self._fault(
                    table, f"{name} of row {n_before + row} is {found[row]!r}, not {wanted[row]!r}"
                )
            if batch[name].null_count != _n_nulls(wanted, name, expected):
                self._fault(table, f"{name} has {batch[name].null_count} nulls")
        if ID in expected.columns:
            ids = expected.columns[ID][places] + passes * expected.columns[ID_STEP][places]
            if not batch["trade_id"].equals(pa.array(ids).cast(pa.utf8())):
                self._fault(table, "trade_id differs")
        return int(expected.columns[ENDS][places].sum())

    def finish(self) -> list[str]:
        """Give what was wrong, once everything has come."""
        n_passes = self._expected.about.n_passes
        for table, progress in self._tables.items():
            wanted = n_passes * progress.table.n_rows
            if progress.n_rows != wanted:
                self._fault(table, f"{progress.n_rows} rows instead of {wanted}")
        if len(self._conns) != self._expected.about.n_connections:
            self.faults.append(f"rows of {len(self._conns)} connections")
        return self.faults

    def _check_run(self, table: str, batch: pa.RecordBatch, n_before: int) -> None:
        """Look at the columns that depend on the run."""
        seq = batch["seq"].to_numpy()
        recv_ns = batch["ts_recv"].view(pa.int64()).to_numpy()
        first_seq = self._first_seq.setdefault(table, int(seq[0]))
        wanted = np.arange(first_seq + n_before, first_seq + n_before + batch.num_rows)
        if not np.array_equal(seq, wanted):
            self._fault(table, "seq has holes")
        in_run = self._began_ns <= recv_ns.min() and recv_ns.max() <= time.time_ns()
        if self._expected.about.n_connections == 1:
            in_run &= recv_ns[0] >= self._last_recv_ns[table] and bool(
                (np.diff(recv_ns) >= 0).all()
            )
            self._last_recv_ns[table] = int(recv_ns[-1])
        if not in_run:
            self._fault(table, "ts_recv is not the time of the receipt")
        self._conns.update(np.unique(batch["conn"].to_numpy()).tolist())

    def _fault(self, table: str, text: str) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(f"{table}: {text}")


class _Progress:
    """How far each symbol of a table has come.

    Parameters
    ----------
    table
        What is expected.
    n_passes
        How often.
    """

    def __init__(self, table: ExpectedTable, n_passes: int) -> None:
        self.table = table
        self.n_rows = 0
        venues, symbols = table.columns["venue"], table.columns["symbol"]
        n_symbols = len(table.values["symbol"])
        # One number for each venue's symbol; where each one's rows are, one behind the other.
        keys = venues.astype(np.int64) * n_symbols + symbols
        n_keys = len(table.values["venue"]) * n_symbols
        self._n_symbols = n_symbols
        self._order = np.argsort(keys, kind="stable")
        self._counts = np.bincount(keys, minlength=n_keys)
        self._starts = np.cumsum(self._counts) - self._counts
        self._limits = self._counts * n_passes
        self._n_taken = np.zeros(n_keys, np.int64)

    def advance(self, batch: pa.RecordBatch) -> tuple[Numbers, Numbers, int]:
        """Take the next rows: where they are expected, in which pass, and how many nowhere."""
        n_rows = batch.num_rows
        self.n_rows += n_rows
        venues = _found(batch, "venue", self.table)
        symbols = _found(batch, "symbol", self.table)
        keys = venues.astype(np.int64) * self._n_symbols + symbols
        if (venues < 0).any() or (symbols < 0).any():
            return keys, keys, int(((venues < 0) | (symbols < 0)).sum())
        n_of = np.bincount(keys, minlength=len(self._counts))
        if len(self._counts) == 1:
            numbers = self._n_taken[0] + np.arange(n_rows)
        else:
            # Which of its symbol's rows each one is: its rank among equals, in order.
            order = np.argsort(keys, kind="stable")
            before = np.cumsum(n_of) - n_of
            numbers = np.empty(n_rows, np.int64)
            numbers[order] = np.arange(n_rows) - before[keys[order]]
            numbers += self._n_taken[keys]
        self._n_taken += n_of
        too_many = int(np.maximum(self._n_taken - self._limits, 0).sum())
        if too_many:
            return keys, keys, too_many
        counts = self._counts[keys]
        passes = numbers // counts
        return self._order[self._starts[keys] + numbers - passes * counts], passes, 0


def _found(batch: pa.RecordBatch, name: str, expected: ExpectedTable) -> Numbers:
    """Give a column as numbers, in the form in which it is expected."""
    column = batch[name]
    if pa.types.is_dictionary(column.type):
        known = {value: code for code, value in enumerate(expected.values[name])}
        # A value that is not expected gets a code that is none.
        texts = column.dictionary.to_pylist()
        codes = np.array([known.get(text, -2) for text in texts] + [NULL_CODE], np.int32)
        coded: Numbers = codes[column.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)]
        return coded
    if pa.types.is_timestamp(column.type):
        column = column.view(pa.int64())
    if pa.types.is_integer(column.type):
        column = column.cast(pa.int64()).fill_null(NULL_INT)
    numbers: Numbers = column.to_numpy(zero_copy_only=False)
    return numbers


def _n_nulls(wanted: Numbers, name: str, expected: ExpectedTable) -> int:
    if name in expected.values:
        return int((wanted == NULL_CODE).sum())
    if wanted.dtype == np.float64:
        return int(np.isnan(wanted).sum())
    return int((wanted == NULL_INT).sum()) if wanted.dtype == np.int64 else 0
