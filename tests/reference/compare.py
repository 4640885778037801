"""Compares rows of the reference with a pyarrow table, bit for bit."""

import struct
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from tests.reference.rows import Columns


def _plain(column: pa.ChunkedArray) -> list[Any]:
    """Turn a column into Python values: times as integers, dictionaries as text."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    elif pa.types.is_dictionary(column.type):
        column = column.cast(pa.utf8())
    values: list[Any] = column.to_pylist()
    return values


def _same(expected: Any, found: Any) -> bool:
    if isinstance(expected, float) and isinstance(found, float):
        return struct.pack("<d", expected) == struct.pack("<d", found)
    return type(expected) is type(found) and bool(expected == found)


def first_difference(
    expected: Columns, table: pa.Table, ignore: Sequence[str] = ("seq",)
) -> str | None:
    """Describe the first difference between the expected rows and a table; None without one.

    Parameters
    ----------
    expected
        The reference's rows.
    table
        The rows found, with all columns of the table.
    ignore
        Columns not compared. `seq` must count up by one in any case.
    """
    lacking = [name for name in expected.values if name not in table.column_names]
    if lacking:
        return f"{expected.table}: the columns {lacking} are missing"
    if table.num_rows != len(expected):
        differing = _first_row(expected, table, ignore)
        return f"{expected.table}: {table.num_rows} rows, expected {len(expected)}; {differing}"
    if table.num_rows:
        seq = table["seq"].to_pylist()
        if seq != list(range(seq[0], seq[0] + len(seq))):
            return f"{expected.table}: seq does not count up by one"
    if all(
        _equal(values, table[name])
        for name, values in expected.values.items()
        if name not in ignore
    ):
        return None
    return f"{expected.table}: {_first_row(expected, table, ignore)}"


def _equal(values: list[Any], column: pa.ChunkedArray) -> bool:
    if pa.types.is_floating(column.type):
        # NaN is null's only form here, so that the bits of the others decide.
        found = column.to_pylist()
        return all(map(_same, values, found))
    return values == _plain(column)


def _first_row(expected: Columns, table: pa.Table, ignore: Sequence[str]) -> str:
    names = [name for name in expected.values if name not in ignore]
    found = {name: _plain(table[name]) for name in names}
    for row in range(min(len(expected), table.num_rows)):
        for name in names:
            if not _same(expected.values[name][row], found[name][row]):
                whole = {other: found[other][row] for other in names}
                wanted = {other: expected.values[other][row] for other in names}
                return (
                    f"row {row}, {name}: {found[name][row]!r}, expected "
                    f"{expected.values[name][row]!r}\n  found    {whole}\n  expected {wanted}"
                )
    row = min(len(expected), table.num_rows)
    more = expected.values if len(expected) > row else found
    return f"the first {row} rows agree; then " + repr({name: more[name][row] for name in names})


def compare(expected: Columns, table: pa.Table, ignore: Sequence[str] = ("seq",)) -> None:
    """Assert that a table has exactly the expected rows."""
    difference = first_difference(expected, table, ignore)
    assert difference is None, difference
