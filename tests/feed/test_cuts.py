"""Outputs that were cut: a line, and a gap of each stream, for what is nowhere any more."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from structlog.testing import capture_logs
from tests.feed.test_identity import feed_once, numbers
from tests.sinks.batches import batch_of

from tickwire.feed.kept.cuts import Cut, declare_damaged, find_cuts
from tickwire.ledger import Position
from tickwire.schema import TABLES
from tickwire.sinks.identity import Held
from tickwire.store import DamagedRows, Spill

EVENT = "an output lacks rows that had been committed: its file was cut"


def gaps(folder: Path) -> list[tuple[str, str, str]]:
    with duckdb.connect(str(folder / "m.duckdb"), read_only=True) as connection:
        return connection.execute(
            "SELECT table_name, consumer, detail FROM gaps WHERE reason = 'sink' ORDER BY seq"
        ).fetchall()


@pytest.mark.parametrize("first_spilled", [None, 15])
async def test_an_older_copy_of_a_file_is_noticed(
    tmp_path: Path, first_spilled: int | None
) -> None:
    await feed_once(tmp_path, range(1, 11), kinds=["duckdb"])
    shutil.copy(tmp_path / "m.duckdb", tmp_path / "copy")
    await feed_once(tmp_path, range(11, 21), kinds=["duckdb"])
    shutil.copy(tmp_path / "copy", tmp_path / "m.duckdb")
    end = 19
    if first_spilled is not None:
        spill = Spill(tmp_path / "state" / "spill" / "main" / "duckdb", ["trades"])
        spill.append("trades", batch_of(TABLES["trades"], 20 - first_spilled, first_spilled))
        spill.close()
        end = first_spilled - 1
    with capture_logs() as logs:
        await feed_once(tmp_path, range(21, 31), kinds=["duckdb"])
    (line,) = [each for each in logs if each["event"] == EVENT]
    assert line["seqs"]["trades"] == f"10..{end}"
    assert [row for row in gaps(tmp_path) if row[0] == "trades"] == [
        ("trades", "duckdb", f"the file was cut: it lacks seq 10 to {end}")
    ]
    assert numbers(tmp_path, "duckdb", "trades", "seq") == [*range(10), *range(end + 1, 30)]


async def test_a_whole_file_has_no_line(tmp_path: Path) -> None:
    await feed_once(tmp_path, range(1, 11))
    with capture_logs() as logs:
        await feed_once(tmp_path, range(11, 21))
    assert [each for each in logs if each["event"] == EVENT] == []
    assert gaps(tmp_path) == []


async def test_a_file_that_has_nothing_left_is_a_line_alone(tmp_path: Path) -> None:
    await feed_once(tmp_path, range(1, 11), kinds=["duckdb"])
    (tmp_path / "m.duckdb").unlink()
    with capture_logs() as logs:
        await feed_once(tmp_path, range(11, 21), kinds=["duckdb"])
    (line,) = [each for each in logs if each["event"] == EVENT]
    assert line["seqs"]["trades"] == "0..9"
    assert gaps(tmp_path) == []
    assert numbers(tmp_path, "duckdb", "trades", "seq") == list(range(10, 20))


def spilled(tmp_path: Path) -> list[Path]:
    """The files of the spill of trades."""
    return list(tmp_path.glob("state/spill/main/duckdb/trades/*"))


def spill_with_a_damaged_record(tmp_path: Path, number: int, now_ns: int) -> None:
    """Three records, of which one has a wrong byte."""
    spill = Spill(tmp_path / "state" / "spill" / "main" / "duckdb", ["trades"])
    for first in (10, 20, 30):
        times = [now_ns + first + i for i in range(10)]
        venues, symbols = ["hyperliquid"] * 10, ["BTC"] * 10
        rows = batch_of(TABLES["trades"], 10, first, ts_recv=times, venue=venues, symbol=symbols)
        spill.append("trades", rows)
    spill.close()
    (path,) = spilled(tmp_path)
    data = bytearray(path.read_bytes())
    data[(2 * number + 1) * len(data) // 6] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("number", [0, 1, 2])
async def test_a_damaged_record_of_a_spill_is_a_gap(tmp_path: Path, number: int) -> None:
    began_ns = time.time_ns()
    await feed_once(tmp_path, range(1, 11), kinds=["duckdb"])
    # Nothing is behind the last record but what the run has noted of the stream.
    spill_with_a_damaged_record(tmp_path, number, began_ns if number == 2 else time.time_ns())
    await feed_once(tmp_path, range(41, 51), kinds=["duckdb"])
    first = 10 + 10 * number
    assert [row for row in gaps(tmp_path) if row[0] == "trades"] == [
        ("trades", "duckdb", f"its spill was damaged: it lacks seq {first} to {first + 9}")
    ]
    found = numbers(tmp_path, "duckdb", "trades", "seq")
    assert len(found) == 40
    if number < 2:  # what is behind the last record that is whole has no number
        assert found == [*range(first), *range(first + 10, 50)]
    assert [path.suffix for path in spilled(tmp_path)] == [".damaged"]


async def test_a_damaged_record_with_nothing_before_it_is_a_gap_too(tmp_path: Path) -> None:
    await feed_once(tmp_path, range(1, 11), kinds=["duckdb"])
    (tmp_path / "m.duckdb").unlink()
    spill_with_a_damaged_record(tmp_path, 0, time.time_ns())
    await feed_once(tmp_path, range(41, 51), kinds=["duckdb"])
    assert [row for row in gaps(tmp_path) if row[0] == "trades"] == [
        ("trades", "duckdb", "its spill was damaged: it lacks seq 10 to 19")
    ]


class Output:
    """An output whose newest row cannot be had."""

    def __init__(self, newest: pa.RecordBatch | Exception) -> None:
        self.name, self.tables = "out", ("trades",)
        self.settings = SimpleNamespace(target="there")
        self.held = Held(is_complete=True)
        self._newest = newest

    def newest_rows(self, *_: object) -> Iterator[pa.RecordBatch]:
        if isinstance(self._newest, Exception):
            raise self._newest
        return iter([self._newest])


@pytest.mark.parametrize("newest", [batch_of(TABLES["trades"], 0), OSError("cannot be read")])
def test_what_was_cut_is_found_where_nothing_can_be_read_back(
    tmp_path: Path, newest: pa.RecordBatch | Exception
) -> None:
    spill = Spill(tmp_path, ["trades"])
    outputs: Any = [Output(newest)]
    # Quotes were of an earlier configuration.
    found = find_cuts({"out": ("there", {"trades": 9, "quotes": 9})}, outputs, {"out": spill})
    spill.close()
    assert found == [Cut("out", "trades", 0, 9, None)]


@pytest.mark.parametrize(("next_seq", "found"), [(20, []), (19, [("A", 100, 100)]), (0, None)])
def test_damaged_rows_that_the_output_has_to_its_end_are_no_gap(
    next_seq: int, found: list[tuple[str, int, int]] | None
) -> None:
    written: list[tuple[str | None, int, int]] = []
    ledger: Any = SimpleNamespace(
        record=lambda _table, _reason, start, end, place, **_: written.append(
            (place.symbol, start, end)
        )
    )
    positions = {
        ("v", "trades", "A"): Position(100, None),
        ("v", "trades", "B"): Position(90, None),
    }
    damaged = DamagedRows("trades", 10, 19, None, None)
    since_ns = None if found is None else 100
    declare_damaged("duckdb", damaged, since_ns, ledger, positions, next_seq)
    # Without a row of the output's a gap is its end alone.
    assert written == ([("A", 100, 100), ("B", 90, 90)] if found is None else found)
