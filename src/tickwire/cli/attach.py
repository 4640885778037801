"""`tickwire attach`: rows of a running feed's ring, in another process.

Rules of this file
------------------
- Rows go to standard output, everything else to standard error; the last line there says what was
  missed.
- SIGINT and SIGTERM end it in order, and it has not failed then.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, BinaryIO, Protocol

import typer

from tickwire.cli.terminal import STDERR
from tickwire.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa

    from tickwire.ring import AttachedRing

WAIT_S = 0.1  # between two looks at whether the feed still runs, and at a signal


class Format(StrEnum):
    """How rows are written."""

    ARROW = "arrow"
    JSON = "json"
    CSV = "csv"


class _Writer(Protocol):
    """Writes batches of one schema; closing it ends what it has written."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Write the rows of a batch."""

    def close(self) -> None:
        """End it."""


def attach(
    feed: Annotated[
        str,
        typer.Argument(
            help="A feed's name (with its state in ./.tickwire), its configuration, or the folder "
            "of its rings."
        ),
    ],
    table: Annotated[str, typer.Argument(help="The table.")],
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new rows until the feed ends.")
    ] = False,
    max_rows: Annotated[
        int | None, typer.Option("--max-rows", min=1, help="At most so many rows.")
    ] = None,
    where: Annotated[
        str | None, typer.Option(help="Only these rows: an SQL condition over the columns.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="Of the rows.")] = Format.JSON,
) -> None:
    """Write the rows that a running feed's ring holds, and with --follow those that come.

    The feed never waits for it: rows that it was too slow for are counted on standard error.
    """
    from tickwire.feed.attaching import attach as attach_to

    ring = attach_to(feed, table)
    chosen = _chosen(where, ring.table.arrow_schema)
    writer = _writer(form, sys.stdout.buffer, ring.table.arrow_schema)
    try:
        with _until_signal() as is_over:
            _copy(ring, writer, chosen, follow=follow, max_rows=max_rows, is_over=is_over)
        writer.close()
        sys.stdout.buffer.flush()
        if follow and ring.has_ended:
            how = "was stopped" if ring.was_stopped else "has ended without being stopped"
            print(f"tickwire: the feed {feed} {how}", file=STDERR)
    finally:
        print(f"missed={ring.missed}", file=STDERR)


def _copy(
    ring: AttachedRing,
    writer: _Writer,
    chosen: Callable[[pa.RecordBatch], pa.RecordBatch],
    *,
    follow: bool,
    max_rows: int | None,
    is_over: Callable[[], bool],
) -> None:
    n_written, end_seq = 0, ring.next_seq + ring.available
    while not is_over():
        most = None if follow else end_seq - ring.next_seq
        if most is not None and most < 1:
            return
        taken = ring.take(most)
        if taken is None:
            sys.stdout.buffer.flush()
            if not follow or (not ring.wait(WAIT_S) and ring.has_ended):
                return
            continue
        batch = chosen(taken.to_arrow())
        if max_rows is not None:
            batch = batch.slice(0, max_rows - n_written)
        if batch.num_rows:
            writer.write(batch)
            n_written += batch.num_rows
        if n_written == max_rows:
            return


@contextlib.contextmanager
def _until_signal() -> Iterator[Callable[[], bool]]:
    """Give whether a signal has asked for the end."""
    asked = []
    before = {
        number: signal.signal(number, lambda number, _: asked.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _chosen(where: str | None, schema: pa.Schema) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """Give what keeps the rows of a batch for which a condition is true.

    Raises
    ------
    ConfigError
        It is no condition over the columns.
    """
    if where is None:
        return lambda batch: batch
    import duckdb
    import pyarrow as pa

    connection = duckdb.connect(config={"enable_external_access": False})

    def chosen(batch: pa.RecordBatch) -> pa.RecordBatch:
        rows = connection.from_arrow(pa.Table.from_batches([batch]))
        try:
            mask = rows.project(f"coalesce(({where})::BOOLEAN, false) AS chosen").to_arrow_table()
            return batch.filter(mask["chosen"].combine_chunks())
        except (duckdb.Error, pa.ArrowException, KeyError) as error:  # of a value, perhaps
            text = " ".join(str(error).split())
            raise ConfigError([f"--where: {where}: {text}"]) from None

    chosen(pa.RecordBatch.from_pylist([], schema))
    return chosen


def _writer(form: Format, out: BinaryIO, schema: pa.Schema) -> _Writer:
    import pyarrow as pa

    if form is Format.ARROW:
        # Dictionaries grow: what is new goes ahead of a batch.
        options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
        stream: _Writer = pa.ipc.new_stream(out, schema, options=options)
        return stream
    return _TextWriter(out, schema, form)


class _TextWriter:
    """Rows as lines of JSON or CSV: times in ISO 8601, bytes in hexadecimal, null or nothing."""

    def __init__(self, out: BinaryIO, schema: pa.Schema, form: Format) -> None:
        self._out = out
        self._form = form
        self._names = schema.names
        if form is Format.CSV:
            self._write_csv(self._as_text(schema.empty_table().to_batches()[:1], schema), True)

    def write(self, batch: pa.RecordBatch) -> None:
        """Write the rows of a batch."""
        rows = self._as_text([batch], batch.schema)
        if self._form is Format.CSV:
            self._write_csv(rows, False)
            return
        columns = [_json_values(column) for column in rows.columns]
        lines = [
            json.dumps(dict(zip(self._names, row, strict=True)), ensure_ascii=False)
            for row in zip(*columns, strict=True)
        ]
        self._out.write(("\n".join(lines) + "\n").encode())

    def close(self) -> None:
        """End it."""

    def _write_csv(self, rows: pa.Table, with_head: bool) -> None:
        from pyarrow import csv

        options = csv.WriteOptions(include_header=with_head, quoting_style="needed")
        csv.write_csv(rows, self._out, options)

    @staticmethod
    def _as_text(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
        import pyarrow as pa
        import pyarrow.compute as pc

        columns = []
        for column in pa.Table.from_batches(batches, schema).columns:
            if pa.types.is_timestamp(column.type):
                plain = column.cast(pa.timestamp("ns"))
                columns.append(pc.strftime(plain, format="%Y-%m-%dT%H:%M:%SZ"))
            elif pa.types.is_dictionary(column.type):
                columns.append(column.cast(pa.utf8()))
            elif pa.types.is_binary(column.type):
                texts = [None if each is None else each.hex() for each in column.to_pylist()]
                columns.append(pa.chunked_array([pa.array(texts, pa.utf8())]))
            else:
                columns.append(column)
        return pa.table(columns, names=schema.names)


def _json_values(column: pa.ChunkedArray) -> list[object]:
    """Give a column's values; JSON has neither infinity nor NaN."""
    import math

    values: list[object] = column.to_pylist()
    return [
        None if isinstance(each, float) and not math.isfinite(each) else each for each in values
    ]
