"""The block explains itself: a process that maps it can read it by the header alone."""

from __future__ import annotations

import struct

import pytest
from tests.ring.rows import fill, make_row, texts_ring

from tickwire.ring import Dictionaries, Ring
from tickwire.ring._block import Block, schema_hash
from tickwire.schema import TABLES, Column, Kind, Table


def test_columns_show_the_memory_and_cannot_be_written() -> None:
    ring = Ring(TABLES["trades"], 1024, Dictionaries(), seq_base=50)
    fill(ring, [make_row(ring, i) for i in range(3)])
    columns = ring.columns
    assert list(columns) == [*(column.name for column in ring.table.columns), "recv_mono"]
    assert columns["seq"][:3].tolist() == [50, 51, 52]
    assert columns["price"][:3].tolist() == [make_row(ring, i)["price"] for i in range(3)]
    assert all(len(column) == 1024 for column in columns.values())
    with pytest.raises(ValueError, match="read-only"):
        columns["price"][0] = 1.0
    del ring
    assert columns["seq"][2] == 52


def test_a_reader_needs_nothing_but_the_bytes() -> None:
    table = texts_ring().table
    block = Block(table, 1024, 77)
    data = bytes(block)
    magic, version, n_columns, size, rows, seq_base, digest, mono_at, directory_at = (
        struct.unpack_from("=8sIIQQqQQQ", data)
    )
    assert (magic, version, n_columns) == (b"twring\r\n", 5, len(table.columns))
    assert (size, rows, seq_base, digest) == (len(data), 1024, 77, schema_hash(table))
    # cursor, floor, skipped, lap
    assert [struct.unpack_from("=q", data, 64 * line)[0] for line in (1, 2, 3, 4)] == [0] * 4
    gates = [struct.unpack_from("=q", data, 64 * (5 + gate))[0] for gate in range(64)]
    assert gates == [2**63 - 1] * 64
    n_dropped, n_drop_ranges = struct.unpack_from("=qq", data, 64 * (5 + 64))
    assert (n_dropped, n_drop_ranges) == (0, 0)
    claimed_at = 64 * (5 + 64 + 1) + 64 * 40
    assert data[claimed_at : claimed_at + 64 + 64 * 8] == bytes(64 + 64 * 8)
    taken = [(mono_at, rows * 8)]
    for at, column in enumerate(table.columns):
        name, kind, nullable, offset, valid_at, arena_at, arena_bytes = struct.unpack_from(
            "=48siiQQQQ", data, directory_at + at * 88
        )
        assert name.rstrip(b"\0").decode() == column.name
        assert (Kind(kind), bool(nullable)) == (column.kind, column.nullable)
        taken.append((offset, rows * 8))
        assert (arena_at > 0) == (column.kind in (Kind.TEXT, Kind.BINARY))
        assert (valid_at > 0) == (arena_at > 0 and column.nullable)
        if arena_at:
            assert arena_bytes >= rows * column.text_bytes
            assert arena_bytes & (arena_bytes - 1) == 0
            taken.append((arena_at, arena_bytes))
        if valid_at:
            taken.append((valid_at, rows))
    taken.sort()
    assert all(offset % 64 == 0 for offset, _ in taken)
    ends = [0, *(offset + n_bytes for offset, n_bytes in taken)]
    assert all(start >= end for (start, _), end in zip(taken, ends, strict=False))
    assert ends[-1] <= size


def test_the_hash_differs_where_rows_are_stored_differently() -> None:
    tables = [
        *TABLES.values(),
        TABLES["mids"].with_extras((Column("more", Kind.I64, True),)),
        TABLES["mids"].with_extras((Column("more", Kind.F64, True),)),
        TABLES["mids"].with_extras((Column("more", Kind.F64),)),
    ]
    hashes = [schema_hash(table) for table in tables]
    assert len(set(hashes)) == len(tables)
    assert [schema_hash(table) for table in tables] == hashes


def test_a_name_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        Block(Table("t", (Column("x" * 48, Kind.I64),)), 1024, 0)
