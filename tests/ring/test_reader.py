"""Rings of another process: each row is read whole, or counted as missed."""

from __future__ import annotations

import gc
import shutil
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.ring.test_salvage import ROWS, TRADES, Life

from tickwire.errors import TickwireError
from tickwire.ring import AttachedRing, Consumer
from tickwire.ring._dictionary import Values
from tickwire.ring._reader import RingReader
from tickwire.ring.files import dictionary_file, ring_file
from tickwire.schema import Column, Table


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return Life(tmp_path)


def attached(life: Life) -> AttachedRing:
    return AttachedRing(life.files.folder, "trades")


def rows_of(ring: AttachedRing) -> list[dict]:
    rows = []
    while (batch := ring.take()) is not None:
        rows += batch.to_arrow().to_pylist()
    return rows


def move_on(life: Life, n: int, *, jumps: bool = True) -> None:
    """Publish rows that the consumer takes and commits at once."""
    life.append(n)
    while life.consumer.take() is not None:
        pass
    life.consumer.commit()
    if jumps:
        life.ring.rewind()


def test_rows_are_those_that_a_consumer_gets(life: Life) -> None:
    life.append(300)
    ring = attached(life)
    expected = life.consumer.take()
    batch = ring.take()
    assert batch is not None
    assert batch.to_arrow().equals(expected)
    batch.to_arrow().validate(full=True)
    assert (ring.rows, ring.missed, ring.available, ring.next_seq) == (300, 0, 0, 300)
    assert ring.take() is None


def test_the_table_is_what_the_file_says(life: Life) -> None:
    ring = attached(life)
    assert ring.table.arrow_schema == TRADES.arrow_schema
    assert repr(ring._reader) == "<RingReader of trades: 0 rows to take>"


def test_rows_come_as_they_are_published(life: Life) -> None:
    ring = attached(life)
    life.append(3, publish=False)
    assert ring.take() is None
    life.ring.publish()
    assert [row["seq"] for row in rows_of(ring)] == [0, 1, 2]
    life.append(5)
    first = ring.take(2)
    assert first is not None
    assert first["seq"].tolist() == [3, 4]
    assert not first["seq"].flags.writeable
    assert [row["seq"] for row in rows_of(ring)] == [5, 6, 7]


def test_a_dictionary_that_grows_is_read_on(life: Life) -> None:
    ring = attached(life)
    life.append(2)
    assert {row["symbol"] for row in rows_of(ring)} == {"COIN0", "COIN1"}
    life.append(5)
    assert [row["symbol"] for row in rows_of(ring)] == [f"COIN{i}" for i in range(2, 7)]


def test_who_reads_along_sees_every_row_over_jumps_and_around_the_end(life: Life) -> None:
    ring = attached(life)
    numbers = []
    for turn in range(60):
        move_on(life, 90, jumps=turn % 20 < 10)
        numbers += [row["trade_id"] for row in rows_of(ring)]
    assert ring.missed == 0
    assert numbers == [str(i) * 3 for i in range(60 * 90)]
    assert life.ring.block.views()["seq"].size == ROWS


def test_who_lags_by_less_than_a_window_misses_nothing_at_a_jump(life: Life) -> None:
    ring = attached(life)
    move_on(life, 130)  # and the next row goes to the front
    assert life.ring.rewind() is False
    life.append(10)
    assert [row["seq"] for row in rows_of(ring)][-40:] == list(range(100, 140))
    assert ring.missed <= 33  # what the writer has claimed


def test_texts_behind_a_jump_are_not_written_over_those_before_it(life: Life) -> None:
    ring = attached(life)
    move_on(life, 130)
    for _ in range(10):  # longer than the texts of all rows that it may miss
        assert life.ring.append(
            venue="v", symbol="S", channel="trades", conn=1, price=1.0, size=1.0, side="buy",
            trade_id="x" * 90, ts_recv=1_800_000_000_000_000_000,
        )  # fmt: skip
    *before, last = rows_of(ring)
    assert last["trade_id"] == "x" * 90
    before = before[:-9]
    assert [row["trade_id"] for row in before] == [str(row["seq"]) * 3 for row in before]
    assert len(before) >= 97


@pytest.mark.parametrize("jumps", [True, False])
def test_rows_seen_and_missed_are_all_rows(life: Life, jumps: bool) -> None:
    slow, slower = attached(life), attached(life)
    seen: list[dict] = []
    for turn in range(50):
        move_on(life, 97, jumps=jumps)
        if turn % 15 == 14:
            seen += rows_of(slow)
    late = rows_of(slower)
    seen += rows_of(slow)
    for ring, rows in ((slow, seen), (slower, late)):
        assert ring.missed > 0
        assert ring.rows == len(rows)
        assert len(rows) + ring.missed == 50 * 97
        assert all(row["trade_id"] == str(row["seq"]) * 3 for row in rows)
        assert all(row["price"] == row["seq"] / 2 for row in rows)
        seqs = [row["seq"] for row in rows]
        assert seqs == sorted(set(seqs))
        assert seqs[-1] == 50 * 97 - 1


def test_a_text_that_is_written_over_costs_its_row(life: Life) -> None:
    ring = attached(life)
    life.append(900)
    life.consumer.take()
    life.consumer.commit()
    # Long texts reach rows that no other column has reached.
    limit = life.ring.max_text_bytes("note")
    for _ in range(4):
        assert life.ring.append(
            venue="v", symbol="S", channel="trades", conn=1, price=1.0, size=1.0, side="buy",
            trade_id="1", note="x" * (limit // 2), ts_recv=1_800_000_000_000_000_000,
        )  # fmt: skip
    seen = rows_of(ring)
    assert ring.missed > 0
    assert len(seen) + ring.missed == 904
    notes = [row["note"] for row in seen if row["seq"] < 900]
    assert notes == [None if i % 5 else "ä" * (i % 9) for i in range(900 - len(notes), 900)]


def test_a_jump_that_was_cut_short_loses_no_row(life: Life) -> None:
    life.append(150)
    ring = attached(life)
    assert ring.take(10) is not None
    header = np.memmap(life.path, np.int64, "r+")
    header[3 * 8] = (ROWS - 150) << 1 | 1  # skipped; ext/tickwire/ring/ring_block.h
    assert [row["seq"] for row in rows_of(ring)] == list(range(10, 150))


def test_the_end_is_told_once_everything_was_taken(life: Life) -> None:
    ring = attached(life)
    life.append(5)
    life.files.remove()
    assert not ring.has_ended
    assert [len(batch) for batch in ring] == [5]
    assert ring.has_ended
    assert ring.was_stopped


def test_a_process_that_died_is_known(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.append(2)
    folder = life.files.folder
    with AttachedRing(folder, "trades") as ring:
        del life
        gc.collect()
        assert [len(batch) for batch in ring] == [2]
        assert ring.has_ended
        assert not ring.was_stopped
    with pytest.raises(TickwireError, match="no running feed"):
        AttachedRing(folder, "trades")


def test_waiting_ends_with_the_first_row(life: Life) -> None:
    ring = attached(life)
    assert not ring.wait(0.001)
    writer = threading.Timer(0.01, life.append)
    writer.start()
    assert ring.wait(10)
    writer.join()


def test_what_cannot_be_attached_is_an_error(life: Life) -> None:
    with pytest.raises(TickwireError, match="no table 'quotes'; there are trades"):
        AttachedRing(life.files.folder, "quotes")
    header = np.memmap(life.path, np.uint8, "r+")
    header[20] ^= 1
    with pytest.raises(TickwireError, match="ring of trades cannot be read: its header is damaged"):
        attached(life)
    header[20] ^= 1
    path = life.files.folder / dictionary_file("symbol")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(TickwireError, match="is cut"):
        attached(life)


def test_a_dictionary_of_another_size_is_an_error(life: Life) -> None:
    path = life.files.folder / dictionary_file("side")
    with path.open("rb") as file, pytest.raises(ValueError, match="its header is damaged"):
        Values(file.fileno(), 5)


def test_a_ring_of_another_version_or_table_is_an_error(life: Life, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copy(life.path, copy)
    with copy.open("rb") as file, pytest.raises(ValueError, match="is cut"):
        RingReader(file.fileno(), Table("t", (Column("seq", TRADES.columns[0].kind),)), {})
    with copy.open("r+b") as file:
        file.seek(8)
        file.write(b"\x09")
        file.flush()
        with pytest.raises(ValueError, match="no ring of version"):
            RingReader(file.fileno(), TRADES, {})
        file.truncate(100)
        with pytest.raises(ValueError, match="is cut"):
            RingReader(file.fileno(), TRADES, {})


@pytest.mark.parametrize(
    ("column", "value"), [("seq", 7), ("symbol", 500), ("side", -5), ("trade_id", -1)]
)
def test_a_cell_that_cannot_be_is_never_given(life: Life, column: str, value: int) -> None:
    life.append(100)
    block = np.frombuffer(life.ring.block, np.uint8)
    cells = life.ring.block.views()[column]
    at = cells[50:].__array_interface__["data"][0] - block.__array_interface__["data"][0]
    np.memmap(life.path, cells.dtype, "r+", at, 1)[0] = value
    ring = attached(life)
    assert ring.take(40) is not None
    with pytest.raises(TickwireError, match=rf"{ring_file('trades')}: is damaged"):
        ring.take(40)


def test_no_row_at_all_is_no_limit(life: Life) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        attached(life).take(0)


def test_any_number_of_readers_holds_no_writer(life: Life) -> None:
    readers = [attached(life) for _ in range(80)]
    for _ in range(5):
        move_on(life, 1000)
    assert Consumer(life.ring).available >= 0
    assert all(each.available for each in readers)


def test_arrow_takes_a_batch_as_it_is(life: Life) -> None:
    ring = attached(life)
    life.append(4)
    batch = ring.take()
    assert pa.record_batch(batch).num_rows == 4
