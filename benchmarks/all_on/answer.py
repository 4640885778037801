"""Whether `nbbo` is what a slow reference makes of `top`: row by row, as Parquet has both."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from benchmarks.all_on.feed import NAME
from benchmarks.all_on.reference import Key, SlowNbbo, rows_of


@dataclass(frozen=True, slots=True)
class Answer:
    """What was compared, and the first row that is not as it should be."""

    n_rows: int
    n_tops: int
    is_equal: bool
    wrong: str = ""

    def __str__(self) -> str:
        """Say it in words."""
        if self.is_equal:
            return f"{self.n_rows:,} rows equal those of the reference, from {self.n_tops:,} of top"
        return self.wrong or "no row"


def _rows(folder: Path, table: str) -> Iterator[dict[str, Any]]:
    """Give a table's rows in the order of `seq`, over its venues."""
    streams = [_numbered(path) for path in (folder / table).glob("venue=*")]
    return (row for _, row in heapq.merge(*streams, key=itemgetter(0)))


def _numbered(partition: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Give the rows of a venue, with their numbers."""
    venue = partition.name.partition("=")[2]
    files = [pq.ParquetFile(path) for path in partition.rglob("*.parquet")]
    for file in sorted(files, key=_first_number):
        for batch in file.iter_batches(batch_size=10_000):
            for number, row in zip(batch["seq"].to_pylist(), rows_of(batch), strict=True):
                yield number, {"venue": None if venue.startswith("__") else venue} | row


def _first_number(file: pq.ParquetFile) -> int:
    return int(next(file.iter_batches(batch_size=1, columns=["seq"]))["seq"][0].as_py())


def compare_nbbo(folder: Path, books: Sequence[Key]) -> Answer:
    """Compare the rows of `nbbo` below a folder with those that `top` there should give.

    Parameters
    ----------
    folder
        Of the Parquet sink.
    books
        Venue and symbol of each book, in the order of the configuration.
    """
    slow = SlowNbbo(dict.fromkeys(books, NAME), books)
    n_tops = 0

    def expected() -> Iterator[dict[str, Any]]:
        nonlocal n_tops
        for row in _rows(folder, "top"):
            n_tops += 1
            yield from slow.take(row)

    n_rows = 0
    for one, other in zip_longest(_rows(folder, "nbbo"), expected()):
        if one != other:
            return Answer(n_rows, n_tops, False, f"row {n_rows:,} is {one}, should be {other}")
        n_rows += 1
    return Answer(n_rows, n_tops, n_rows > 0)
