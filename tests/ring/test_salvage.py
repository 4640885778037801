"""Rings of a process that has ended: what is read from their files, and what is refused."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tickwire.errors import TickwireError
from tickwire.ring import (
    Consumer,
    Damaged,
    OldRing,
    Ring,
    RingFiles,
    earlier_starts,
    read_manifest,
    read_rings,
)
from tickwire.ring.files import MANIFEST, allocate, layout_hash
from tickwire.schema import TABLES, Column, Kind, Table

ROWS = 1024
TRADES = replace(
    TABLES["trades"],
    columns=(
        *TABLES["trades"].columns,
        Column("note", Kind.TEXT, nullable=True, text_bytes=8),
        Column("raw", Kind.BINARY, nullable=True, text_bytes=8),
        Column("is_block", Kind.BOOL, nullable=True),
        Column("fee", Kind.F64, nullable=True),
        Column("orders", Kind.I32, nullable=True),
    ),
)


class Life:
    """One start of a feed with one ring, which ends without a word."""

    def __init__(
        self, root: Path, table: Table = TRADES, seq_base: int = 0, overflow: str = "block"
    ) -> None:
        self.files = RingFiles(root)
        memory = self.files.make({table.name: (table, ROWS, seq_base)})
        self.ring = Ring(
            table, ROWS, memory.dictionaries, block=memory.blocks[table.name], window_rows=128,
            overflow=overflow,
        )  # fmt: skip
        self.n = seq_base
        self.consumer = Consumer(self.ring, commits=True)

    @property
    def path(self) -> Path:
        return self.files.folder / "trades.ring"

    def append(self, n: int = 1, *, publish: bool = True) -> None:
        for _ in range(n):
            i = self.n
            self.n += 1
            assert self.ring.stage(
                venue="hyperliquid", symbol=f"COIN{i % 7}", ts_event=None if i % 3 else i * 1000,
                ts_recv=1_700_000_000_000_000_000 + 1000 * i, conn=i % 4, channel="trades",
                price=i / 2, size=1.0 + i, side="buy" if i % 2 else "sell", trade_id=str(i) * 3,
                note=None if i % 5 else "ä" * (i % 9), raw=None if i % 4 else bytes([i % 256]),
                is_block=(None, True, False)[i % 3], fee=None if i % 2 else 0.5,
                orders=None if i % 6 else i,
            )  # fmt: skip
        if publish:
            self.ring.publish()


def read(life: Life) -> OldRing:
    rings, damaged = read_rings(life.files.folder)
    assert not damaged
    return rings["trades"]


def rows_of(ring: OldRing, table: Table = TRADES, after: int = -1) -> pa.Table:
    return pa.Table.from_batches(list(ring.batches(table, after)), table.arrow_schema)


def all_of(batches: Iterator[pa.RecordBatch]) -> list[dict]:
    return [row for batch in batches for row in batch.to_pylist()]


def test_rows_that_wait_are_as_a_consumer_would_have_got_them(tmp_path: Path) -> None:
    life = Life(tmp_path, seq_base=40)
    life.append(300)
    expected = life.consumer.take().to_pylist()

    found = read(life)

    assert (found.n_rows, found.next_seq) == (300, 340)
    assert rows_of(found).to_pylist() == expected
    assert rows_of(found, after=300).to_pylist() == expected[-39:]


def test_what_was_staged_is_no_row_and_what_has_its_seq_is_one(tmp_path: Path) -> None:
    life = Life(tmp_path)
    consumer = life.consumer
    life.append(5)
    life.append(3, publish=False)
    assert read(life).next_seq == 5

    # As the end of a process between the last seq and the cursor leaves it.
    cursor_at = 64
    block = np.memmap(life.path, np.uint8, "r+")
    before = block[cursor_at : cursor_at + 8].copy()
    life.ring.publish()
    block[cursor_at : cursor_at + 8] = before
    found = read(life)
    assert (found.next_seq, found.n_rows) == (8, 8)
    assert consumer.available == 5


def test_the_zero_of_unused_memory_is_no_seq(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.append(1, publish=False)
    assert (read(life).next_seq, read(life).n_rows) == (0, 0)
    life.ring.publish()
    assert (read(life).next_seq, read(life).n_rows) == (1, 1)


def test_rows_go_on_around_the_end_and_after_a_jump_to_the_front(tmp_path: Path) -> None:
    life = Life(tmp_path)
    consumer = life.consumer
    for _ in range(40):
        life.append(100)
        consumer.take()
        consumer.commit()
        life.ring.rewind()
    life.append(77)
    expected = [row["trade_id"] for row in consumer.take().to_pylist()]

    found = read(life)

    assert found.next_seq == 4077
    assert rows_of(found)["trade_id"].to_pylist() == expected


def test_an_empty_ring_gives_no_row(tmp_path: Path) -> None:
    life = Life(tmp_path)
    found = read(life)
    assert (found.next_seq, found.n_rows, found.newest()) == (0, 0, {})


def test_the_newest_row_of_each_stream_is_known(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.append(20)
    newest = read(life).newest()
    assert newest["hyperliquid", "COIN5"] == (1_700_000_000_000_019_000, None)
    assert newest["hyperliquid", "COIN4"] == (1_700_000_000_000_018_000, 18_000)
    assert len(newest) == 7


def test_rows_are_given_under_the_columns_of_today(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.append(3)
    today = replace(
        TABLES["trades"],
        columns=(*TABLES["trades"].columns, Column("liquidity", Kind.TEXT, True, 8)),
    )
    found = rows_of(read(life), today)
    assert found["liquidity"].to_pylist() == [None] * 3
    assert "fee" not in found.column_names

    needs = replace(today, columns=(*TABLES["trades"].columns, Column("must", Kind.I64)))
    with pytest.raises(Damaged, match="its rows lack must"):
        rows_of(read(life), needs)


def test_starts_have_folders_of_their_own(tmp_path: Path) -> None:
    first, second = Life(tmp_path), Life(tmp_path)
    assert list(earlier_starts(tmp_path)) == [first.files.folder, second.files.folder]
    names = {(read_manifest(each) or {})["name"] for each in earlier_starts(tmp_path)}
    assert names == {first.files.name, second.files.name}
    first.files.remove()
    assert list(earlier_starts(tmp_path)) == [second.files.folder]


def test_a_disk_without_room_is_an_error_of_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def allocate(file: int, offset: int, n_bytes: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", allocate)
    files = RingFiles(tmp_path)
    why = r"cannot hold a ring: No space left on device: a ring needs [\d,]+ bytes"
    with pytest.raises(TickwireError, match=why):
        files.make({"trades": (TRADES, ROWS, 0)})
    assert not files.folder.exists()


def test_files_of_before_a_restart_of_the_machine_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = Life(tmp_path)
    life.append(3)
    monkeypatch.setattr("tickwire.ring.salvage.boot_id", lambda: "another")
    rings, damaged = read_rings(life.files.folder)
    assert not rings
    assert "started again" in damaged[life.files.folder.name]


def test_the_layout_is_what_the_reader_takes_it_for(tmp_path: Path) -> None:
    life = Life(tmp_path)
    manifest = read_manifest(life.files.folder)
    assert manifest is not None
    assert manifest["rings"] == {"trades": layout_hash(life.ring.block.layout)}
    assert manifest["dictionaries"]["symbol"] == life.ring.dictionaries.symbol.max_values


@pytest.fixture
def used(tmp_path: Path) -> Life:
    life = Life(tmp_path)
    consumer = life.consumer
    life.append(100)
    consumer.take(60)
    consumer.commit()
    return life


def given(life: Life) -> list[dict] | None:
    """Give the rows of its ring that were not committed; None where it is refused."""
    rings, damaged = read_rings(life.files.folder)
    if damaged:
        return None
    try:
        return all_of(rings["trades"].batches(TRADES, 59))
    except Damaged:
        return None


@pytest.mark.parametrize(
    "mask", [0xFF, *(pytest.param(each, marks=pytest.mark.thorough) for each in (0x01, 0x80))]
)
def test_a_changed_byte_of_the_header_never_gives_a_wrong_row(used: Life, mask: int) -> None:
    expected = given(used)
    assert expected is not None
    assert len(expected) == 40
    block = np.memmap(used.path, np.uint8, "r+")
    refused = 0
    for at in range(64 * 8):
        block[at] ^= mask
        found = given(used)
        block[at] ^= mask
        assert found is None or found == expected, at
        refused += found is None
    assert refused > 64
    assert given(used) == expected


@pytest.mark.parametrize("name", ["symbol", "venue", "side", "channel"])
def test_a_changed_byte_of_a_dictionary_is_noticed(used: Life, name: str) -> None:
    expected = given(used)
    path = used.files.folder / f"{name}.dictionary"
    block = np.memmap(path, np.uint8, "r+")
    dictionary = used.ring.dictionaries.of(name)
    data_at = 64 + 4 * (dictionary.max_values + 1)
    n_bytes = sum(len(dictionary.value(i)) for i in range(len(dictionary)))
    places = [*range(32), *range(64, 64 + 4 * (len(dictionary) + 1))]
    places += range(data_at, data_at + n_bytes)
    for at in places:
        block[at] ^= 0x55
        found = given(used)
        block[at] ^= 0x55
        unused_sum = 16 <= at < 32
        assert found is None or (unused_sum and found == expected), at
    assert given(used) == expected


def test_a_file_that_is_cut_is_refused(used: Life) -> None:
    whole = used.path.read_bytes()
    for n in (0, 1, 63, 64, 4000, len(whole) // 2, len(whole) - 1):
        used.path.write_bytes(whole[:n])
        assert given(used) is None
    used.path.write_bytes(whole)
    assert given(used)


def test_a_changed_manifest_is_refused(used: Life) -> None:
    path = used.files.folder / MANIFEST
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        rings, damaged = read_rings(used.files.folder)
        assert not rings, at
        assert damaged, at


def test_bytes_of_a_text_that_are_none_are_refused(used: Life) -> None:
    block = np.memmap(used.path, np.uint8, "r+")
    block[used.path.read_bytes().index(str(70).encode() * 3)] = 0xFF
    ring = read(used)
    with pytest.raises(Damaged):
        all_of(ring.batches(TRADES))


@pytest.mark.parametrize("name", ["venue", "symbol"])
def test_a_code_without_a_value_has_no_newest_row(used: Life, name: str) -> None:
    column = used.ring.block.views()[name]
    start = np.frombuffer(used.ring.block, np.uint8).__array_interface__["data"][0]
    block = np.memmap(used.path, np.uint8, "r+")
    block[column[99:].__array_interface__["data"][0] - start + 1] = 0x7F
    with pytest.raises(Damaged):
        read(used).newest()


def test_rows_that_were_dropped_without_a_gap_are_known(tmp_path: Path) -> None:
    life = Life(tmp_path, overflow="drop_oldest")
    life.append(ROWS - 10)
    assert not read(life).has_dropped
    life.append(100)
    assert read(life).has_dropped
    assert life.consumer.take_loss()
    assert not read(life).has_dropped


def test_a_manifest_appears_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def replace(self: Path, target: Path) -> None:
        raise Killed

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(RingFiles, "remove", lambda self: None)
    files = RingFiles(tmp_path)
    with pytest.raises(Killed):
        files.make({"trades": (TRADES, ROWS, 0)})
    assert read_rings(files.folder) == ({}, {})


def test_cells_that_cannot_be_are_refused(used: Life) -> None:
    columns = {name: used.ring.block.views()[name] for name in ("symbol", "is_block", "trade_id")}
    block = np.memmap(used.path, np.uint8, "r+")
    whole = np.frombuffer(used.ring.block, np.uint8)
    start = whole.__array_interface__["data"][0]
    for name, value in (("symbol", 0x7F), ("is_block", 0x09), ("trade_id", 0xFF)):
        column = columns[name]
        at = column[70:71].__array_interface__["data"][0] - start
        before = int(block[at])
        block[at] = value
        assert given(used) is None, name
        block[at] = before
    assert given(used)


def test_a_system_without_posix_fallocate_writes_zeros(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "posix_fallocate")
    n_bytes = (1 << 20) + 12_345
    with (tmp_path / "file").open("w+b") as file:
        allocate(file.fileno(), n_bytes)
        assert file.read() == bytes(n_bytes)
        assert os.fstat(file.fileno()).st_blocks * 512 >= n_bytes
    life = Life(tmp_path / "rings")
    life.append(3)
    assert read(life).n_rows == 3
