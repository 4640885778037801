"""The cells of a ring's columns in its file, and a checksum of those of a range of rows.

Rules of this file
------------------
- What is here only reads. Where columns are is what the file says: who cannot trust it verifies the
  layout first (`tickwire.ring.salvage`).
- Rows are named by their positions, from `start` up to `stop`; each has one place in a column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tickwire.ring._block import DTYPES
from tickwire.schema import Kind

# The same sum at a fraction of the instructions, where `tickwire[fast]` is installed.
try:
    from zlib_ng.zlib_ng import crc32
except ImportError:
    from zlib import crc32

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

# ext/tickwire/ring/ring_block.h
HEADER = np.dtype(
    [
        ("magic", "S8"),
        ("version", "<u4"),
        ("n_columns", "<u4"),
        ("block_bytes", "<u8"),
        ("capacity", "<u8"),
        ("seq_base", "<i8"),
        ("schema_hash", "<u8"),
        ("recv_mono_offset", "<u8"),
        ("directory_offset", "<u8"),
    ]
)
COLUMN = np.dtype(
    [
        ("name", "S48"),
        ("kind", "<i4"),
        ("nullable", "<i4"),
        ("offset", "<u8"),
        ("valid_offset", "<u8"),
        ("arena_offset", "<u8"),
        ("arena_bytes", "<u8"),
    ]
)
WORDS_AT, WORDS_PER_LINE, WORD_LINES = 64, 8, 4  # cursor, floor, skipped, lap


class Stored(NamedTuple):
    """A column's cells."""

    kind: Kind
    nullable: bool
    values: Array  # of texts the ends
    valid: Array | None
    arena: Array | None


def column_at(block: Array, rows: int, entry: np.void) -> Stored:
    """Give the cells of a column, by its entry in the directory of a block of so many rows."""
    kind = Kind(int(entry["kind"]))
    dtype = DTYPES[kind]
    offset, valid_at = int(entry["offset"]), int(entry["valid_offset"])
    arena_at = int(entry["arena_offset"])
    return Stored(
        kind,
        bool(entry["nullable"]),
        block[offset : offset + rows * dtype.itemsize].view(dtype),
        block[valid_at : valid_at + rows] if valid_at else None,
        block[arena_at : arena_at + int(entry["arena_bytes"])] if arena_at else None,
    )


def columns_of(path: Path) -> tuple[Array, Mapping[str, Stored]]:
    """Map a ring's file that this process has made: its bytes, and its columns by name."""
    block: Array = np.memmap(path, np.uint8, "r").view(np.ndarray)
    header = block[:WORDS_AT].view(HEADER)[0]
    at = int(header["directory_offset"])
    directory = block[at : at + int(header["n_columns"]) * COLUMN.itemsize].view(COLUMN)
    rows = int(header["capacity"])
    return block, {each["name"].decode(): column_at(block, rows, each) for each in directory}


def sum_of(columns: Mapping[str, Stored], start: int, stop: int) -> int:
    """Give the CRC-32 of all cells of the rows from `start` up to `stop`."""
    total = 0
    for each in columns.values():
        for part in _parts(each.values, start, stop):
            total = crc32(part.data, total)
        if each.valid is not None:
            for part in _parts(each.valid, start, stop):
                total = crc32(part.data, total)
        if each.arena is not None:
            mask = len(each.values) - 1
            first, last = int(each.values[(start - 1) & mask]), int(each.values[(stop - 1) & mask])
            if 0 <= last - first <= each.arena.size:  # else the ends, which are summed, are wrong
                for part in _parts(each.arena, first, last):
                    total = crc32(part.data, total)
    return total


def cells_of(cells: Array, start: int, stop: int) -> Array:
    """Give the cells of a range in one piece: the ring's own, or a copy where it goes around."""
    parts = list(_parts(cells, start, stop))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _parts(cells: Array, start: int, stop: int) -> Iterator[Array]:
    """Give the cells of a range, which may go around the end once."""
    size = len(cells)
    at, n = start & size - 1, stop - start
    yield cells[at : at + n]
    if at + n > size:
        yield cells[: at + n - size]
