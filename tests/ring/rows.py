"""Rows for the ring's tests, and batches read back as the rows they came from."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES, Column, Kind, Table

TABLE_NAMES = sorted(TABLES)
ROWS = 1024


def make_row(ring: Ring, i: int, *, nulls: bool = True) -> dict[str, Any]:
    """A row whose values follow from `i`; with `nulls` every fifth one is null where it may be."""
    row: dict[str, Any] = {}
    for at, column in enumerate(ring.table.columns):
        n = i * 31 + at
        if column.name == "seq":
            continue
        if nulls and column.nullable and n % 5 == 0:
            row[column.name] = None
            continue
        match column.kind:
            case Kind.I64 | Kind.TS:
                row[column.name] = n * 1_000_003
            case Kind.I32:
                row[column.name] = n
            case Kind.F64:
                row[column.name] = n / 8
            case Kind.BOOL:
                row[column.name] = n % 3 == 0
            case Kind.CODE16 | Kind.CODE32:
                row[column.name] = f"{column.name}-{n % 17}"
            case Kind.TEXT:
                row[column.name] = "é" * (n % 11)
            case Kind.BINARY:
                row[column.name] = bytes([n & 255]) * (n % 13)
    return row


def fill(ring: Ring, rows: list[dict[str, Any]]) -> None:
    """Stage all rows and publish them; there must be room."""
    for row in rows:
        assert ring.stage(**row)
    ring.publish()


def mids() -> tuple[Ring, Consumer]:
    """A ring of prices and its consumer."""
    ring = Ring(TABLES["mids"], ROWS, Dictionaries())
    return ring, Consumer(ring)


def put(ring: Ring, n: int, **values: Any) -> None:
    """Publish rows, with these values in place of their own."""
    fill(ring, [make_row(ring, i) | values for i in range(n)])


def rows_of(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """The rows of a batch, times as int ns."""
    columns = {}
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if pa.types.is_timestamp(field.type):
            column = column.cast(pa.int64())
        columns[field.name] = column.to_pylist()
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


TEXTS = Table(
    "texts",
    (
        Column("seq", Kind.I64),
        Column("ts_recv", Kind.TS),
        Column("text", Kind.TEXT, text_bytes=4),
        Column("note", Kind.BINARY, nullable=True, text_bytes=4),
    ),
)


def texts_ring(overflow: str = "block", **settings: Any) -> Ring:
    return Ring(TEXTS, 1024, Dictionaries(), overflow=overflow, **settings)
