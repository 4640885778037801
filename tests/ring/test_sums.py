"""Rows of a ring that change after a sink has taken them are never given as they are not."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from structlog.testing import capture_logs
from tests.ring.test_salvage import TRADES, Life, rows_of

from tickwire.ring import OldRing, RangeSums, SummedConsumer, read_rings, sums
from tickwire.ring.cells import columns_of
from tickwire.ring.sums import RANGES, read_sums, sums_file

AT_ONCE = 50


def lived(folder: Path, n_rows: int, n_before: int = 0) -> tuple[Life, pa.Table]:
    """A start whose sink has taken its rows, 50 at a time; `n_before` of them were committed."""
    life = Life(folder)
    consumer = SummedConsumer(life.consumer, RangeSums(life.files, "trades"))
    for _ in range(n_before // AT_ONCE):
        life.append(AT_ONCE)
        consumer.take()
        consumer.commit()
    taken = []
    for _ in range(n_rows // AT_ONCE):
        life.append(AT_ONCE)
        taken.append(consumer.take())
    return life, pa.Table.from_batches(taken)


def address(cells: np.ndarray) -> int:
    return int(cells.__array_interface__["data"][0])


def cells_at(path: Path) -> list[tuple[int, int]]:
    """Where the cells of columns are in a ring's file: offset and length."""
    block, columns = columns_of(path)
    found = []
    for each in columns.values():
        parts = [part for part in (each.values, each.valid, each.arena) if part is not None]
        found += [(address(part) - address(block), part.nbytes) for part in parts]
    return found


@pytest.mark.timeout(600)
@pytest.mark.parametrize("n_flips", [200, pytest.param(10_000, marks=pytest.mark.thorough)])
def test_a_changed_byte_costs_its_range_and_gives_no_wrong_row(
    tmp_path: Path, n_flips: int
) -> None:
    life, rows = lived(tmp_path, 900, n_before=300)
    ids = rows["seq"].to_pylist()
    places = cells_at(life.path)
    block = np.memmap(life.path, np.uint8, "r+")
    chance, n_refused, n_left_out = random.Random(7), 0, 0
    for _ in range(n_flips):
        offset, length = chance.choice(places)
        at, mask = offset + chance.randrange(length), 1 << chance.randrange(8)
        block[at] ^= mask
        rings, damaged = read_rings(life.files.folder)
        if damaged:
            n_refused += 1
        else:
            ring = rings["trades"]
            given = rows_of(ring, TRADES, after=ids[0] - 1)
            lost = {seq for low, high in ring.damaged for seq in range(low, high + 1)}
            n_left_out += bool(lost)
            assert set(given["seq"].to_pylist()) == set(ids) - lost
            whole = rows.filter(pa.array([seq not in lost for seq in ids]))
            assert given.equals(whole.cast(given.schema))
        block[at] ^= mask
    assert n_left_out > n_flips / 10
    assert n_refused < n_flips / 4  # a seq that has changed


def test_what_has_not_changed_is_given_whole_around_the_end(tmp_path: Path) -> None:
    life, rows = lived(tmp_path, 500, n_before=3000)
    ring = read_ring(life)
    assert ring.damaged == []
    assert rows_of(ring, TRADES, after=2999).equals(rows)


def test_a_disk_that_fails_costs_checksums_no_row_and_one_line_of_the_log(tmp_path: Path) -> None:
    life = Life(tmp_path)
    range_sums = RangeSums(life.files, "trades")
    consumer = SummedConsumer(life.consumer, range_sums)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, range_sums._file)
    os.close(full)
    with capture_logs() as logs:
        for n_rows in (3, 4):
            life.append(n_rows)
            batch = consumer.take()
            assert batch is not None
            assert batch.num_rows == n_rows
    [line] = logs
    path = life.files.folder / sums_file("trades")
    assert (line["log_level"], line["file"]) == ("error", str(path))
    assert line["error"] == "No space left on device"
    assert rows_of(read_ring(life))["seq"].to_pylist() == list(range(7))


def test_rows_of_a_version_without_checksums_are_given(tmp_path: Path) -> None:
    life, rows = lived(tmp_path, 100)
    (life.files.folder / sums_file("trades")).unlink()
    ring = read_ring(life)
    assert ring.damaged == []
    assert rows_of(ring, TRADES).equals(rows)


def test_changed_ranges_that_meet_are_one_and_the_rows_around_them_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sums, "SHORT_ROWS", 0)
    life, _ = lived(tmp_path, 500)
    origin, columns = columns_of(life.path)
    block = np.memmap(life.path, np.uint8, "r+")
    at = address(columns["price"].values) - address(origin)
    for row in (120, 170, 400):
        block[at + 8 * row] ^= 1
    ring = read_ring(life)
    assert ring.damaged == [(100, 199), (400, 449)]
    given = rows_of(ring, TRADES)["seq"].to_pylist()
    assert given == [*range(100), *range(200, 400), *range(450, 500)]


def ranges_of(life: Life) -> list[tuple[int, int]]:
    found = read_sums(life.files.folder, "trades")
    return [(each.first_seq, each.last_seq) for each in found]


def test_short_ranges_are_joined_but_not_over_a_jump_to_the_front(tmp_path: Path) -> None:
    life = Life(tmp_path)
    consumer = SummedConsumer(life.consumer, RangeSums(life.files, "trades"))
    for _ in range(60):
        life.append(10)
        consumer.take()
        consumer.commit()
    assert ranges_of(life) == [(0, 259), (260, 519), (520, 599)]
    assert life.ring.rewind()
    for _ in range(2):
        life.append(10)
        consumer.take()
    assert ranges_of(life)[2:] == [(520, 599), (600, 619)]
    assert read_ring(life).damaged == []


def test_a_range_that_has_changed_is_not_joined(tmp_path: Path) -> None:
    life = Life(tmp_path)
    consumer = SummedConsumer(life.consumer, RangeSums(life.files, "trades"))
    origin, columns = columns_of(life.path)
    block = np.memmap(life.path, np.uint8, "r+")
    for n_rows in (10, 10):
        life.append(n_rows)
        consumer.take()
    block[address(columns["price"].values) - address(origin) + 8 * 5] ^= 1
    life.append(10)
    consumer.take()
    assert ranges_of(life) == [(0, 19), (20, 29)]
    assert read_ring(life).damaged == [(0, 19)]


def read_ring(life: Life) -> OldRing:
    rings, damaged = read_rings(life.files.folder)
    assert not damaged
    return rings["trades"]


def test_a_range_is_summed_once_and_old_ones_make_room(tmp_path: Path) -> None:
    life = Life(tmp_path)
    range_sums = RangeSums(life.files, "trades")
    first, second = (
        SummedConsumer(each, range_sums)
        for each in (life.consumer, type(life.consumer)(life.ring, commits=True))
    )
    for _ in range(RANGES + 3):
        life.append(1)
        for each in (first, second):
            each.take()
            each.commit()
    path = life.files.folder / sums_file("trades")
    assert path.stat().st_size == RANGES * 24
    ring = read_ring(life)
    assert ring.damaged == []
    block = np.memmap(life.path, np.uint8, "r+")
    offset, _ = cells_at(life.path)[3]
    block[offset : offset + 64] ^= 1
    assert read_ring(life).damaged
