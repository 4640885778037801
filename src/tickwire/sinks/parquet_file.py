"""A file of a Parquet dataset: while it is written, and what a finished one says of its rows.

Rules of this file
------------------
- Rows wait in memory until they are written as a row group, which its sink decides.
- What a finished file holds is read from the statistics of its row groups, not from its rows.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tickwire.sinks.files import DurableFile, range_metadata


class UnfinishedFile:
    """A file that is being written.

    Parameters
    ----------
    table
        Whose rows.
    temporary, target
        Where it is, and where it will appear.
    output
        The open file.
    schema
        Of its rows.
    first_seq
        Of its first row.

    Attributes
    ----------
    opened_s
        When it was made, by the monotonic clock.
    last_seq, n_rows, n_bytes
        Of all its rows, those that wait included; bytes without dictionaries.
    n_waiting_rows, n_waiting_bytes
        Of the rows that wait for their row group.
    """

    def __init__(
        self,
        table: str,
        temporary: Path,
        target: Path,
        output: DurableFile,
        schema: pa.Schema,
        first_seq: int,
    ) -> None:
        self.table = table
        self.temporary = temporary
        self.target = target
        self.first_seq = first_seq
        self.last_seq = -1
        self.n_rows = self.n_bytes = 0
        self.n_waiting_rows = self.n_waiting_bytes = 0
        self._waiting: list[pa.RecordBatch] = []
        self._output = output
        self._writer = pq.ParquetWriter(
            output, schema, compression="zstd", version="2.6", **_encodings(schema)
        )
        self.opened_s = monotonic()

    def append(self, batch: pa.RecordBatch) -> None:
        """Let rows wait for the next row group."""
        self._waiting.append(batch)
        self.last_seq = batch.column("seq")[-1].as_py()
        n_bytes = own_bytes(batch)
        self.n_rows += batch.num_rows
        self.n_bytes += n_bytes
        self.n_waiting_rows += batch.num_rows
        self.n_waiting_bytes += n_bytes

    def write_group(self) -> None:
        """Write what waits as one row group."""
        if self._waiting:
            # Batches of different age have dictionaries of different length. They are not combined:
            # a copy of all that waits costs as much memory again, and saves the writer nothing.
            rows = pa.Table.from_batches(self._waiting).unify_dictionaries()
            self._writer.write_table(rows, row_group_size=max(1, rows.num_rows))
            self._waiting.clear()
            self.n_waiting_rows = self.n_waiting_bytes = 0

    def finish(self) -> None:
        """Write what waits and what a file ends with, and see it onto the disk."""
        self.write_group()
        self._writer.add_key_value_metadata(range_metadata(self.first_seq, self.last_seq))
        self._writer.close()
        self._output.sync()
        self._output.close()

    def abandon(self) -> None:
        """Let go of it as it is, whatever its disk says."""
        self._output.abandon()
        with suppress(OSError, pa.ArrowException):
            self._writer.close()
        with suppress(OSError):
            self._output.close()


def own_bytes(batch: pa.RecordBatch) -> int:
    """Bytes of a batch without its dictionaries, which many batches share."""
    return sum(
        column.indices.nbytes if pa.types.is_dictionary(column.type) else column.nbytes
        for column in batch.columns
    )


def _encodings(schema: pa.Schema) -> dict[str, Any]:
    """How columns are stored: what grows by small steps as deltas, what repeats by dictionary."""
    steps = [f.name for f in schema if f.type == pa.int64() or pa.types.is_timestamp(f.type)]
    texts = [f.name for f in schema if f.type in (pa.utf8(), pa.binary())]
    return {
        "use_dictionary": [f.name for f in schema if f.name not in {*steps, *texts}],
        "column_encoding": dict.fromkeys(steps, "DELTA_BINARY_PACKED"),
    }


def greatest_seq(path: Path) -> int:
    """Give the last seq of a finished file; -1 where it does not say."""
    with pq.ParquetFile(path) as file:
        greatest = greatest_in(file, "seq")
        return -1 if greatest is None else greatest


def greatest_in(file: pq.ParquetFile, name: str) -> int | None:
    """Give the greatest value of a column, by the statistics of its row groups."""
    column = file.schema_arrow.get_field_index(name)
    groups = (file.metadata.row_group(i) for i in range(file.metadata.num_row_groups))
    found = [group.column(column).statistics for group in groups]
    known = [each.max for each in found if each is not None and each.has_min_max]
    return max(known, default=None)
