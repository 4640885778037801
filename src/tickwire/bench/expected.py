"""What a load must become: columns of every table, made once and read by every worker.

Rules of this file
------------------
- Only the values that follow from what is sent: `seq`, `ts_recv` and `conn` belong to a run.
- Rows are in order within a venue's symbol, which is the order that a feed promises.
- Every column is a file of numpy's, so that workers share its memory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tickwire.schema import TABLES

NULL_INT = -(2**63)
NULL_CODE = -1
OF_THE_RUN = ("seq", "ts_recv", "conn")
# Beside a table's own columns: the trade's id in the first pass; by how much it grows with each
# pass; whether a row is the last of its message.
ID, ID_STEP, ENDS = "_id", "_id_step", "_ends"

Numbers = np.ndarray[Any, np.dtype[Any]]
Row = dict[str, Any]


@dataclass(slots=True)
class ExpectedTable:
    """The rows of one table.

    Parameters
    ----------
    columns
        By name, all of the same length; dictionaries as codes, times as ns, nulls as NaN,
        `NULL_INT` or `NULL_CODE`.
    values
        Of each dictionary column, what its codes mean.
    """

    columns: dict[str, Numbers]
    values: dict[str, list[str]]

    @property
    def n_rows(self) -> int:
        """How many rows one pass has."""
        return len(self.columns[ENDS])


@dataclass(frozen=True, slots=True)
class About:
    """What holds for all tables.

    Parameters
    ----------
    n_passes
        How often everything comes.
    n_connections
        Over how many connections.
    n_silent
        Messages of the whole load that give no rows.
    """

    n_passes: int = 1
    n_connections: int = 1
    n_silent: int = 0


@dataclass(slots=True)
class Expected:
    """A whole answer.

    Parameters
    ----------
    tables
        By name.
    about
        What holds for all of them.
    """

    tables: dict[str, ExpectedTable]
    about: About

    @classmethod
    def of_rows(cls, rows: Mapping[str, Sequence[Row]], about: About) -> Expected:
        """Make it from Python's rows, each with `ENDS`, trades with `ID` and `ID_STEP`."""
        return cls({name: _table(name, own) for name, own in rows.items() if own}, about)

    @property
    def n_rows(self) -> int:
        """Rows of all tables and passes."""
        return self.about.n_passes * sum(table.n_rows for table in self.tables.values())

    def save(self, folder: Path) -> None:
        """Write it into a folder."""
        for name, table in self.tables.items():
            (folder / name).mkdir()
            for column, numbers in table.columns.items():
                np.save(folder / name / f"{column}.npy", numbers)
        values = {name: table.values for name, table in self.tables.items()}
        (folder / "about.json").write_text(json.dumps([asdict(self.about), values]))

    @classmethod
    def load(cls, folder: Path) -> Expected:
        """Read it from a folder."""
        about, values = json.loads((folder / "about.json").read_text())
        tables = {
            name: ExpectedTable(
                {
                    path.stem: np.load(path, mmap_mode="r")
                    for path in sorted((folder / name).glob("*.npy"))
                },
                own,
            )
            for name, own in values.items()
        }
        return cls(tables, About(**about))


def _table(name: str, rows: Sequence[Row]) -> ExpectedTable:
    columns: dict[str, Numbers] = {ENDS: np.array([row[ENDS] for row in rows], np.bool_)}
    values: dict[str, list[str]] = {}
    for column in (ID, ID_STEP):
        if column in rows[0]:
            columns[column] = np.array([row[column] for row in rows], np.int64)
    for field in TABLES[name].arrow_schema:
        if field.name in OF_THE_RUN or field.name == "trade_id":
            continue
        cells = [row.get(field.name) for row in rows]
        if pa.types.is_dictionary(field.type):
            codes: dict[str | None, int] = {None: NULL_CODE}
            numbers = [codes.setdefault(cell, len(codes) - 1) for cell in cells]
            columns[field.name] = np.array(numbers, np.int32)
            values[field.name] = [cell for cell in codes if cell is not None]
        elif pa.types.is_floating(field.type):
            floats = [float("nan") if cell is None else cell for cell in cells]
            columns[field.name] = np.array(floats, np.float64)
        elif pa.types.is_boolean(field.type):
            columns[field.name] = np.array(cells, np.bool_)
        else:
            integers = [NULL_INT if cell is None else cell for cell in cells]
            columns[field.name] = np.array(integers, np.int64)
    return ExpectedTable(columns, values)
