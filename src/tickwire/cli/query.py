"""`tickwire query`: SQL over what a feed has written and what its rings hold."""

from __future__ import annotations

import base64
import json
import math
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from tickwire.errors import ConfigError, TickwireError

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN_ROWS = 10_000  # of a table for people
WIDEST = 60


def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT, over the feed's tables.")],
    *,
    feed: Annotated[
        str,
        typer.Option(
            metavar="NAME|CONFIG|PATH",
            help="A feed's name (with its state in ./.tickwire), its configuration, or an output: "
            "a DuckDB file, a folder of Parquet or IPC files.",
        ),
    ] = "main",
    as_csv: Annotated[bool, typer.Option("--csv", help="As CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As a JSON array of objects.")] = False,
    as_arrow: Annotated[
        bool, typer.Option("--arrow", help="As an Arrow IPC stream on standard output.")
    ] = False,
    parquet: Annotated[Path | None, typer.Option(help="Into a Parquet file.")] = None,
    limit_s: Annotated[float, typer.Option(help="End the query after so many seconds.")] = 10.0,
    max_rows: Annotated[int, typer.Option(help="Most rows of the answer.")] = 10_000_000,
) -> None:
    """Ask a running feed, or its files where it does not run."""
    if sum((as_csv, as_json, as_arrow, parquet is not None)) > 1:
        raise ConfigError(["--csv, --json, --arrow and --parquet: one of them"])
    import pyarrow as pa

    from tickwire.serve.client import connect
    from tickwire.serve.statements import QueryRefused

    try:
        with connect(feed, limit_s=limit_s, max_rows=max_rows) as connection:
            reader = connection.query(sql)
            if as_csv:
                _write_csv(reader)
            elif as_json:
                _write_json(reader)
            elif as_arrow:
                _write_arrow(reader)
            elif parquet is not None:
                _write_parquet(reader, parquet)
            else:
                _write_table(reader)
    except QueryRefused as error:
        raise ConfigError([str(error)]) from None
    except pa.ArrowException as error:  # a list in CSV, say
        text = " ".join(str(error).split())
        raise TickwireError(f"the answer cannot be written in this form: {text}") from None


def _write_csv(reader: pa.RecordBatchReader) -> None:
    from pyarrow import csv

    with csv.CSVWriter(sys.stdout.buffer, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
    sys.stdout.buffer.flush()


def _write_arrow(reader: pa.RecordBatchReader) -> None:
    import pyarrow as pa

    with pa.ipc.new_stream(sys.stdout.buffer, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
    sys.stdout.buffer.flush()


def _write_parquet(reader: pa.RecordBatchReader, path: Path) -> None:
    """Write a file that is there whole, or not at all."""
    import pyarrow.parquet as pq

    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with pq.ParquetWriter(temporary, reader.schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch)
        temporary.replace(path)
    except OSError as error:
        raise TickwireError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        with suppress(OSError):
            temporary.unlink()


def _write_json(reader: pa.RecordBatchReader) -> None:
    separator = "[\n"
    for row in _rows(reader):
        typer.echo(f"{separator}{json.dumps(row, default=_plain, allow_nan=False)}", nl=False)
        separator = ",\n"
    typer.echo("[]" if separator == "[\n" else "\n]")


def _rows(reader: pa.RecordBatchReader) -> Iterator[dict[str, Any]]:
    for batch in reader:
        names = _unique(batch.schema.names)
        for cells in zip(*map(_cells, batch.columns), strict=True):
            yield dict(zip(names, map(_finite, cells), strict=True))


def _cells(column: pa.Array) -> list[Any]:
    """Give the values of a column; times to the ns, as text."""
    import pyarrow as pa

    if pa.types.is_timestamp(column.type):
        return [None if text is None else text.replace(" ", "T") for text in
                column.cast(pa.utf8()).to_pylist()]  # fmt: skip
    found: list[Any] = column.to_pylist()
    return found


def _unique(names: list[str]) -> list[str]:
    """Give names of which none is there twice, as the keys of an object."""
    found: list[str] = []
    for name in names:
        number, unique = 1, name
        while unique in found:
            number += 1
            unique = f"{name}_{number}"
        found.append(unique)
    return found


def _finite(value: Any) -> Any:
    """Give a value without what JSON has no number for."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_finite(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _finite(each) for key, each in value.items()}
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal | UUID):
        return str(value)
    return str(value)


def _write_table(reader: pa.RecordBatchReader) -> None:
    """Write columns for people; of many rows the first."""
    import pyarrow as pa

    n_rows, shown = 0, []
    for batch in reader:
        shown += [batch.slice(0, max(0, SHOWN_ROWS - n_rows))] if n_rows < SHOWN_ROWS else []
        n_rows += batch.num_rows
    names = reader.schema.names
    columns = [
        [_text(value) for batch in shown for value in _cells(batch.column(i))]
        for i in range(len(names))
    ]
    is_number = [
        pa.types.is_integer(f.type) or pa.types.is_floating(f.type) or pa.types.is_decimal(f.type)
        for f in reader.schema
    ]
    widths = [max(map(len, (name, *cells))) for name, cells in zip(names, columns, strict=True)]
    for row in (names, *zip(*columns, strict=True)):
        cells = zip(row, widths, is_number, strict=True)
        typer.echo(
            "  ".join(
                text.rjust(w) if right else text.ljust(w) for text, w, right in cells
            ).rstrip()
        )
    rest = "" if n_rows <= SHOWN_ROWS else f", the first {SHOWN_ROWS:,} shown"
    typer.echo(f"({n_rows:,} {'row' if n_rows == 1 else 'rows'}{rest})")


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = value.hex() if isinstance(value, bytes) else str(value)
    text = "".join(each if each.isprintable() else "?" for each in text)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
