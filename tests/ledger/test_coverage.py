"""The query of coverage against a reference that looks at every second."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import duckdb
import pytest

from tickwire.ledger.coverage import COLUMNS, Bounds, coverage_sql

END = 60


@dataclass
class Market:
    """Tables of a file, filled by hand; times in whole seconds."""

    connection: Any = field(default_factory=duckdb.connect)
    seq: int = 0

    def __post_init__(self) -> None:
        self.connection.execute(
            "CREATE TABLE trades(seq BIGINT, venue VARCHAR, symbol VARCHAR, ts_recv TIMESTAMP_NS, "
            "channel VARCHAR, trade_id VARCHAR)"
        )
        self.connection.execute(
            "CREATE TABLE book(seq BIGINT, venue VARCHAR, symbol VARCHAR, ts_recv TIMESTAMP_NS, "
            "channel VARCHAR, is_snapshot BOOL, last BOOL, venue_seq BIGINT, venue_prev_seq BIGINT)"
        )
        self.connection.execute(
            "CREATE TABLE gaps(seq BIGINT, venue VARCHAR, symbol VARCHAR, ts_recv TIMESTAMP_NS, "
            "gap_id BIGINT, table_name VARCHAR, ts_start TIMESTAMP_NS, ts_end TIMESTAMP_NS, "
            "consumer VARCHAR, recovered BIGINT, ts_left_start TIMESTAMP_NS, "
            "ts_left_end TIMESTAMP_NS)"
        )

    def trade(self, at: float, number: object, symbol: str = "A", channel: str = "trades") -> None:
        self._insert("trades", symbol, at, channel, str(number))

    def message(
        self, at: float, first: int, number: int, *, snapshot: bool = False, rows: int = 2
    ) -> None:
        for row in range(rows):
            previous = None if snapshot else first
            self._insert("book", "A", at, "book", snapshot, row == rows - 1, number, previous)

    def gap(
        self,
        gap_id: int,
        start: float,
        end: float | None,
        *,
        symbol: str | None = "A",
        table: str = "trades",
        venue: str | None = "v",
        consumer: str | None = None,
        recovered: int | None = None,
        left: tuple[float, float] | None = None,
    ) -> None:
        end_ns = None if end is None else ns(end)
        self.seq += 1
        values: list[object] = [self.seq, venue, symbol, ns(start), gap_id, table, ns(start)]
        values += [end_ns, consumer, recovered, *(map(ns, left) if left else (None, None))]
        self.connection.execute(
            "INSERT INTO gaps VALUES (?, ?, ?, make_timestamp_ns(?), ?, ?, make_timestamp_ns(?), "
            "make_timestamp_ns(?), ?, ?, make_timestamp_ns(?), make_timestamp_ns(?))",
            values,
        )

    def _insert(self, table: str, symbol: str, at: float, *values: object) -> None:
        self.seq += 1
        places = ", ".join("?" * len(values))
        self.connection.execute(
            f"INSERT INTO {table} VALUES (?, 'v', ?, make_timestamp_ns(?), {places})",  # noqa: S608
            [self.seq, symbol, ns(at), *values],
        )

    def coverage(self, consumer: str | None = None, **bounds: int) -> list[dict[str, Any]]:
        query = coverage_sql(
            {name: name for name in ("trades", "book", "gaps")}, consumer, Bounds(**bounds)
        )
        result = self.connection.execute(query)
        names = tuple(column[0] for column in result.description)
        assert names == COLUMNS
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def seconds(self, consumer: str | None = None, **bounds: int) -> tuple[float, ...]:
        """Of the only stream: all, complete, missing, unverifiable."""
        [row] = self.coverage(consumer, **bounds)
        return tuple(row[k] for k in ("seconds", "complete_s", "missing_s", "unverifiable_s"))


def ns(seconds: float) -> int:
    return round(seconds * 1e9)


def test_consecutive_ids_prove_that_nothing_is_missing() -> None:
    market = Market()
    for at in range(11):
        market.trade(at, 100 + at)
    assert market.seconds() == (10, 10, 0, 0)
    [row] = market.coverage()
    assert (row["complete"], row["missing"], row["unverifiable"]) == (1, 0, 0)
    assert (row["venue"], row["table_name"], row["symbol"], row["rows"]) == ("v", "trades", "A", 11)


@pytest.mark.parametrize("ids", [[7, 3, 9, 1], ["x", "y", "z", "w"], [1, 3, 5, 7]])
def test_without_consecutive_ids_nothing_is_called_complete(ids: list[object]) -> None:
    market = Market()
    for at, number in enumerate(ids):
        market.trade(at, number)
    assert market.seconds() == (3, 0, 0, 3)


def test_a_jump_of_ids_outside_a_gap_is_not_complete() -> None:
    market = Market()
    for at, number in [(0, 1), (1, 2), (2, 3), (5, 7), (6, 8)]:
        market.trade(at, number)
    assert market.seconds() == (6, 3, 0, 3)


def test_two_channels_in_one_stream_prove_nothing() -> None:
    market = Market()
    for at in range(4):
        market.trade(at, at, channel=("trades", "trades:agg")[at > 1])
    assert market.seconds() == (3, 0, 0, 3)


def test_the_last_row_of_a_gap_counts_and_an_open_one_lasts_until_the_last_row_of_all() -> None:
    market = Market()
    for at in range(3):
        market.trade(at, at)
    market.gap(1, 2, None)
    assert market.seconds() == (2, 2, 0, 0)
    market.trade(10, 1, symbol="B")
    of_a = next(row for row in market.coverage() if row["symbol"] == "A")
    assert (of_a["seconds"], of_a["missing_s"]) == (10, 8)
    market.gap(1, 2, 5)
    of_a = next(row for row in market.coverage() if row["symbol"] == "A")
    assert (of_a["missing_s"], of_a["complete_s"], of_a["unverifiable_s"]) == (3, 2, 5)


def test_a_stream_that_never_had_a_row_is_missing() -> None:
    market = Market()
    market.gap(1, 0, 9, symbol="X")
    assert market.seconds() == (9, 0, 9, 0)
    assert market.coverage()[0]["rows"] == 0


def test_gaps_that_overlap_count_once_and_hide_what_ids_prove() -> None:
    market = Market()
    for at in range(11):
        market.trade(at, at)
    market.gap(1, 2, 5)
    market.gap(2, 3, 4)
    market.gap(3, 4, 7)
    assert market.seconds() == (10, 5, 5, 0)
    assert market.coverage()[0]["gaps"] == 3


def test_a_gap_without_a_symbol_is_one_of_every_stream_of_its_table() -> None:
    market = Market()
    for symbol in ("A", "B"):
        market.trade(0, 1, symbol)
        market.trade(10, 2, symbol)
    market.gap(1, 2, 4, symbol=None, venue=None)
    assert [row["missing_s"] for row in market.coverage()] == [2, 2]


def test_of_a_gap_whose_rows_came_again_what_they_left_is_missing() -> None:
    market = Market()
    for second in range(11):
        market.trade(second, 2 * second)
    market.gap(1, 2, 6)
    assert market.seconds() == (10, 0, 4, 6)
    market.gap(1, 2, 6, recovered=3, left=(2, 3))
    assert market.seconds() == (10, 0, 1, 9)
    market.gap(1, 2, 6, recovered=3)
    assert market.seconds() == (10, 0, 0, 10)


def test_what_another_consumer_lost_is_not_missing_here() -> None:
    market = Market()
    market.trade(0, 1)
    market.trade(10, 2)
    market.gap(1, 2, 4, consumer="parquet")
    market.gap(2, 6, 7)
    assert market.seconds("duckdb") == (10, 9, 1, 0)
    assert market.seconds("parquet") == (10, 7, 3, 0)
    assert market.seconds() == (10, 7, 3, 0)


def test_a_book_is_proved_by_its_chain_from_its_snapshot_on() -> None:
    market = Market()
    market.message(0, 0, 10, snapshot=True)
    market.message(1, 8, 12)  # overlaps the snapshot
    market.message(2, 12, 15)
    market.message(5, 20, 22)  # a hole before it
    market.message(6, 22, 23)
    market.gap(1, 2, 5, table="book")
    assert market.seconds() == (6, 3, 3, 0)


def test_books_of_snapshots_prove_nothing() -> None:
    market = Market()
    for at in range(4):
        market.message(at, 0, at, snapshot=True)
    assert market.seconds() == (3, 0, 0, 3)


def test_part_of_the_time() -> None:
    market = Market()
    for at in range(11):
        market.trade(at, at)
    market.gap(1, 2, 5)
    assert market.seconds(from_ns=ns(4), to_ns=ns(8)) == (4, 3, 1, 0)
    [row] = market.coverage(from_ns=ns(4), to_ns=ns(8))
    assert row["rows"] == 5


def test_without_a_table_gaps_nothing_can_be_said() -> None:
    with pytest.raises(KeyError):
        coverage_sql({"trades": "trades"})


def test_with_gaps_alone_there_are_their_streams() -> None:
    market = Market()
    market.gap(1, 0, 9, symbol="X")
    query = coverage_sql({"gaps": "gaps"})
    assert market.connection.execute(query).fetchone()[2] == "X"


@pytest.mark.parametrize("seed", range(20))
def test_every_second_is_what_the_reference_says(seed: int) -> None:
    rng = random.Random(seed)
    market = Market()
    rows = sorted(rng.sample(range(END), rng.randrange(2, 30)))
    numbers = [0]
    for _ in rows[1:]:
        numbers.append(numbers[-1] + (1 if rng.random() < 0.8 else 3))
    for at, number in zip(rows, numbers, strict=True):
        market.trade(at, number)
    gaps = []
    for gap_id in range(rng.randrange(5)):
        start = rng.randrange(END - 1)
        end = rng.randrange(start, END)
        gaps.append((start, end))
        market.gap(gap_id, start, None)
        market.gap(gap_id, start, end)
    first = min([rows[0], *(a for a, _ in gaps)])
    last = max([rows[-1], *(b for _, b in gaps)])
    expected = {"complete": 0, "missing": 0, "unverifiable": 0}
    for second in range(first, last):
        if any(a <= second < b for a, b in gaps):
            expected["missing"] += 1
            continue
        steps = pairwise(zip(rows, numbers, strict=True))
        proved = any(a <= second < b and y == x + 1 for (a, x), (b, y) in steps)
        expected["complete" if proved else "unverifiable"] += 1
    assert market.seconds() == (last - first, *expected.values())
