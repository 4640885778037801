"""The check of `nbbo` after a run with everything on: it sees a row that is wrong or missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks.all_on.answer import compare_nbbo
from benchmarks.all_on.feed import NAME
from benchmarks.all_on.reference import SIDES, SlowNbbo

from tickwire.schema import TABLES

BOOKS = [("a", "BTCa"), ("b", "BTCb")]
Rows = list[dict[str, Any]]


def tops() -> Rows:
    """Give rows of `top` of two venues, in turn."""
    rows: Rows = []
    for number in range(40):
        venue, symbol = BOOKS[number % 2]
        side = SIDES[number // 2 % 2]
        row: dict[str, Any] = {
            "seq": number, "venue": venue, "symbol": symbol, "ts_event": number, "ts_recv": number,
            "channel": "book", "bid_price": 10.0, "bid_size": 1.0, "ask_price": 11.0,
            "ask_size": 1.0, "conn": 1, "venue_seq": number,
        }  # fmt: skip
        row[f"{side}_price"] += number / 100
        rows.append(row | (dict.fromkeys([f"{s}_{w}" for s in SIDES for w in ("price", "size")])
                           if number == 20 else {}))  # fmt: skip
    return rows


def write(folder: Path, table: str, rows: Rows) -> None:
    """Write them as the sink does: a folder for each venue, files in the order of `seq`."""
    schema = TABLES[table].arrow_schema
    for venue in {row["venue"] for row in rows}:
        own = [row for row in rows if row["venue"] == venue]
        partition = folder / table / f"venue={venue or '__HIVE_DEFAULT_PARTITION__'}" / "date=x"
        partition.mkdir(parents=True)
        for number, part in enumerate((own[: len(own) // 2], own[len(own) // 2 :])):
            fields = [field for field in schema if field.name != "venue"]
            columns = {
                field.name: pa.array([row.get(field.name) for row in part], _plain(field.type))
                for field in fields
            }
            pq.write_table(pa.table(columns), partition / f"main-{9 - number}.parquet")


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def expected() -> Rows:
    """Give the rows of `nbbo`, numbered."""
    slow = SlowNbbo(dict.fromkeys(BOOKS, NAME), BOOKS)
    rows = [each for row in tops() for each in slow.take(row)]
    return [row | {"seq": number} for number, row in enumerate(rows)]


def test_rows_as_they_should_be_are_equal(tmp_path: Path) -> None:
    write(tmp_path, "top", tops())
    write(tmp_path, "nbbo", expected())
    answer = compare_nbbo(tmp_path, BOOKS)
    assert answer.is_equal, str(answer)
    assert (answer.n_rows, answer.n_tops) == (len(expected()), 40)
    assert str(answer) == f"{answer.n_rows:,} rows equal those of the reference, from 40 of top"
    assert answer.n_rows > 20


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: [*rows[:7], rows[7] | {"bid_size": 2.0}, *rows[8:]],
        lambda rows: [*rows[:7], *rows[8:]],
        lambda rows: [*rows, rows[-1]],
        lambda rows: rows[:-1],
    ],
    ids=["wrong", "missing", "too many", "ends early"],
)
def test_one_row_is_enough_to_fail(tmp_path: Path, change: Callable[[Rows], Rows]) -> None:
    write(tmp_path, "top", tops())
    write(tmp_path, "nbbo", change(expected()))
    answer = compare_nbbo(tmp_path, BOOKS)
    assert not answer.is_equal
    assert "should be" in str(answer)
