"""The rows of rings whose process has ended, read from their files.

Rules of this file
------------------
- Nothing in a file is trusted: it may be of another table, cut, or damaged. The layout must have
  the hash that was noted for it. Every published row has the seq that its place asks for, every
  code a value, every text its bytes; a ring of which that is not true gives no row.
- A row that was staged when the process ended is none. One whose seq was written is: all of its
  cells were before.
- A range that a sink had taken has a checksum (`tickwire.ring.sums`): where its cells have changed,
  its rows are left out.
- Which rows a consumer had committed is not read: a gate that has changed would cost rows in
  silence. Who takes them knows what he has.
- Files are only read. numpy checks every index; no code that trusts a ring is given one of these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from tickwire.ring.cells import (
    COLUMN,
    HEADER,
    WORD_LINES,
    WORDS_AT,
    WORDS_PER_LINE,
    Array,
    Stored,
    cells_of,
    column_at,
)
from tickwire.ring.files import boot_id, dictionary_file, layout_hash, read_manifest, ring_file
from tickwire.ring.sums import damaged_ranges, read_sums
from tickwire.schema import ARROW_TYPES, NULLS, Kind, Table

BATCH_ROWS = 65_536
_MAGIC, _VERSION = b"twring\r\n", 5
_GATES, _GATE_FREE, _N_RECENT = 64, 2**63 - 1, 4  # of a gate's words the first and this one
# ext/tickwire/ring/dictionary.h
_DICTIONARY_HEADER_BYTES = 64
_SUM_START, _SUM_FACTOR, _SUM_MASK = 0xCBF29CE484222325, 0x100000001B3, 2**64 - 1
# What numpy, Arrow and Python say of bytes that cannot be.
_CANNOT_BE = (OSError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError)


class Damaged(Exception):
    """A file is not as a ring's writer leaves it."""


@dataclass(frozen=True, slots=True)
class OldRing:
    """The rows that a ring held when its process ended.

    Parameters
    ----------
    table
        The table's name.
    next_seq
        The seq that its next row would have had.
    n_rows
        Published rows that are still there, the newest ones.
    has_dropped
        Whether a consumer has lost rows of which no gap says so.
    damaged
        Ranges of seq whose rows have changed: no row of them is given.
    """

    table: str
    next_seq: int
    n_rows: int
    has_dropped: bool
    damaged: list[tuple[int, int]]
    _columns: Mapping[str, Stored]
    _dictionaries: Mapping[str, pa.StringArray]
    _stop: int  # the position behind the last row

    def batches(self, table: Table, after: int = -1) -> Iterator[pa.RecordBatch]:
        """Give the rows, in order.

        Parameters
        ----------
        table
            As they are requested: columns that the ring lacks are null, and what it has beside
            them is left out.
        after
            Only rows with a greater seq.

        Raises
        ------
        Damaged
            A cell cannot be, or a row lacks a value that it needs.
        """
        first = self._stop - min(self.n_rows, self.next_seq - 1 - after)
        for start, stop in self._whole(first):
            try:
                arrays = [
                    self._array(column.name, column.kind, column.nullable, start, stop)
                    for column in table.columns
                ]
                batch = pa.RecordBatch.from_arrays(arrays, schema=table.arrow_schema)
            except (*_CANNOT_BE, pa.ArrowException) as error:
                raise Damaged(_line(error)) from None
            yield batch

    def _whole(self, first: int) -> Iterator[tuple[int, int]]:
        """Give where the rows of each batch begin and end, from a position on."""
        offset = self._stop - self.next_seq
        bounds = [(low + offset, high + 1 + offset) for low, high in self.damaged]
        for low, high in [*bounds, (self._stop, self._stop)]:
            for start in range(first, low, BATCH_ROWS):
                yield start, min(start + BATCH_ROWS, low)
            first = max(first, high)

    def newest(self) -> dict[tuple[str, str], tuple[int, int | None]]:
        """Give the time of the last row of each venue and symbol: ts_recv, and ts_event or None.

        Raises
        ------
        Damaged
            A code has no value.
        """
        try:
            return self._newest()
        except (*_CANNOT_BE, pa.ArrowException) as error:
            raise Damaged(_line(error)) from None

    def _newest(self) -> dict[tuple[str, str], tuple[int, int | None]]:
        if not self.n_rows or "symbol" not in self._columns:
            return {}
        start, stop = self._stop - self.n_rows, self._stop
        venue, symbol = self._codes("venue", start, stop), self._codes("symbol", start, stop)
        n_symbols = len(self._dictionaries["symbol"])
        stream = venue.astype(np.int64) * n_symbols + symbol
        stream[(venue < 0) | (symbol < 0)] = -1
        # Of rows of one stream the last one stays; behind all streams is a place for none.
        last = np.full(len(self._dictionaries["venue"]) * n_symbols + 1, -1)
        last[stream] = np.arange(start, stop)
        recv, event = self._columns["ts_recv"].values, self._columns["ts_event"].values
        found = {}
        for each in np.flatnonzero(last[:-1] >= 0).tolist():
            slot = int(last[each]) & len(recv) - 1
            name = self._value("venue", each // n_symbols), self._value("symbol", each % n_symbols)
            event_ns = int(event[slot])
            found[name] = int(recv[slot]), None if event_ns == NULLS[Kind.TS] else event_ns
        return found

    def _value(self, column: str, code: int) -> str:
        return str(self._dictionaries[column][code].as_py())

    def _codes(self, column: str, start: int, stop: int) -> Array:
        """Give the codes of a range of rows; raises Damaged where one has no value."""
        codes = cells_of(self._columns[column].values, start, stop)
        if codes.size and (codes.min() < -1 or codes.max() >= len(self._dictionaries[column])):
            raise Damaged(f"{column} has a code without a value")
        return codes

    def _array(self, name: str, kind: Kind, nullable: bool, start: int, stop: int) -> pa.Array:
        stored = self._columns.get(name)
        if stored is None or stored.kind != kind:
            if not nullable:
                raise Damaged(f"its rows lack {name}")
            return pa.nulls(stop - start, ARROW_TYPES[kind])
        if stored.arena is not None:
            array = _text(stored, start, stop)
        else:
            array = self._cells(name, stored, start, stop)
        if array.null_count and not nullable:
            raise Damaged(f"{name} lacks values")
        return array

    def _cells(self, name: str, stored: Stored, start: int, stop: int) -> pa.Array:
        is_code = stored.kind in (Kind.CODE16, Kind.CODE32)
        values = self._codes(name, start, stop) if is_code else cells_of(stored.values, start, stop)
        is_null: Array | None = None
        if stored.kind == Kind.F64:
            is_null = np.isnan(values) if stored.nullable else None
        else:
            is_null = values == NULLS[stored.kind]
        if is_null is not None and not is_null.any():
            is_null = None
        if is_code:
            codes = pa.array(values, mask=is_null)
            return pa.DictionaryArray.from_arrays(codes, self._dictionaries[name])
        if stored.kind == Kind.BOOL:
            if (values > NULLS[Kind.BOOL]).any():
                raise Damaged(f"{name} is neither true nor false")
            return pa.array(values == 1, mask=is_null)
        if stored.kind == Kind.TS:
            return pa.array(values, mask=is_null).view(ARROW_TYPES[Kind.TS])
        return pa.array(values, mask=is_null)


def read_rings(folder: Path) -> tuple[dict[str, OldRing], dict[str, str]]:
    """Read the rings of an earlier start.

    Parameters
    ----------
    folder
        That start's.

    Returns
    -------
    tuple of dict
        The rings by table; and by file name why a file cannot be used.
    """
    try:
        manifest = read_manifest(folder)
    except (OSError, ValueError, LookupError, TypeError) as error:
        return {}, {folder.name: str(error)}
    if manifest is None:
        return {}, {}
    if manifest["boot"] != boot_id():
        why = "the machine was started again since, which may have cost pages of it"
        return {}, {folder.name: why}
    rings: dict[str, OldRing] = {}
    damaged: dict[str, str] = {}
    dictionaries: dict[str, pa.StringArray] = {}
    for name, max_values in manifest["dictionaries"].items():
        path = folder / dictionary_file(name)
        try:
            dictionaries[name] = _read_dictionary(path, int(max_values))
        except (*_CANNOT_BE, Damaged, pa.ArrowException) as error:
            damaged[path.name] = _line(error)
    for table, layout in manifest["rings"].items():
        path = folder / ring_file(table)
        try:
            rings[table] = _read_ring(path, table, layout, dictionaries)
        except (*_CANNOT_BE, Damaged, pa.ArrowException) as error:
            damaged[path.name] = _line(error)
    return rings, damaged


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _read_ring(
    path: Path, table: str, layout: str, dictionaries: Mapping[str, pa.StringArray]
) -> OldRing:
    block: Array = np.memmap(path, np.uint8, "r").view(np.ndarray)
    words_end = WORDS_AT + 8 * WORDS_PER_LINE * WORD_LINES
    if block.size < words_end:
        raise Damaged("is cut")
    header = block[:WORDS_AT].view(HEADER)[0]
    directory_at = int(header["directory_offset"])
    directory_end = directory_at + int(header["n_columns"]) * COLUMN.itemsize
    if directory_end > block.size:
        raise Damaged("its header is damaged")
    directory = block[directory_at:directory_end]
    if layout_hash(block[:WORDS_AT].tobytes() + directory.tobytes()) != layout:
        raise Damaged("its header is damaged")
    if header["magic"] != _MAGIC or header["version"] != _VERSION:
        raise Damaged(f"is no ring of version {_VERSION}")
    if int(header["block_bytes"]) > block.size:
        raise Damaged("is cut")
    rows = int(header["capacity"])
    columns = {
        entry["name"].decode(): column_at(block, rows, entry) for entry in directory.view(COLUMN)
    }
    lacking = [
        name
        for name, each in columns.items()
        if each.kind in (Kind.CODE16, Kind.CODE32) and name not in dictionaries
    ]
    if lacking:
        raise Damaged(f"the values of {lacking[0]} cannot be read")
    words = block[WORDS_AT:words_end].view("<i8")[::WORDS_PER_LINE].tolist()
    start, stop, next_seq = _published(words, columns, int(header["seq_base"]))
    gates = block[words_end:].view("<i8")[: _GATES * WORDS_PER_LINE].reshape(_GATES, -1)
    has_dropped = bool(((gates[:, 0] != _GATE_FREE) & (gates[:, _N_RECENT] != 0)).any())
    n_rows = stop - start
    sums = read_sums(path.parent, table)
    damaged = damaged_ranges(sums, columns, next_seq - n_rows, next_seq, start)
    return OldRing(table, next_seq, n_rows, has_dropped, damaged, columns, dictionaries, stop)


def _published(
    words: list[int], columns: Mapping[str, Stored], seq_base: int
) -> tuple[int, int, int]:
    """Give the positions of the oldest row and behind the newest, and the next row's seq.

    The header says where they are, and the seq of each row whether that is true.
    """
    cursor, floor, skipped, lap = words
    seqs, recv = columns["seq"].values, columns["ts_recv"].values
    capacity = len(seqs)
    if skipped & 1:  # it ended in the middle of a jump, when every consumer had committed all
        to = (cursor + capacity - 1) & -capacity
        next_seq = seq_base + to - (skipped >> 1)
        if int(seqs.max()) != next_seq - 1:
            raise Damaged("its header says what cannot be")
        return to, to, next_seq
    next_seq = seq_base + cursor - (skipped >> 1)
    start = max(floor, lap, cursor - capacity + 1, 0)
    if not (0 <= skipped >> 1 <= cursor and start <= cursor and next_seq >= seq_base):
        raise Damaged("its header says what cannot be")
    # Rows whose seq was written when the process ended before it could publish them.
    stop = cursor
    while stop - cursor < capacity:
        slot = stop & capacity - 1
        if int(seqs[slot]) != next_seq + stop - cursor or int(recv[slot]) <= 0:
            break
        stop += 1
    if next_seq == 0 and stop == 1:  # nor does the zero of unused memory say that row 0 has its seq
        stop = 0
    next_seq += stop - cursor
    expected = np.arange(next_seq - (stop - start), next_seq)
    if not np.array_equal(cells_of(seqs, start, stop), expected):
        raise Damaged("its rows are not where its header says")
    if int(seqs.max()) >= max(next_seq, seq_base + 1):
        raise Damaged("it has rows behind the last one")
    return start, stop, next_seq


def _text(stored: Stored, start: int, stop: int) -> pa.Array:
    assert stored.arena is not None  # noqa: S101 - the caller has looked
    ends = cells_of(stored.values, start - 1, stop)  # the first: where the first text begins
    first, last = int(ends[0]), int(ends[-1])
    lengths = np.diff(ends)
    if lengths.size and (lengths.min() < 0 or not 0 <= last - first <= stored.arena.size):
        raise Damaged("a text has no bytes")
    offsets = (ends - first).astype(np.int32)
    data = cells_of(stored.arena, first, last)
    kind = ARROW_TYPES[stored.kind]
    validity = None
    if stored.valid is not None:
        validity = pa.array(cells_of(stored.valid, start, stop) != 0).buffers()[1]
    buffers = [validity, pa.py_buffer(offsets), pa.py_buffer(data)]
    array = pa.Array.from_buffers(kind, stop - start, buffers)
    array.validate(full=True)
    return array


def _read_dictionary(path: Path, max_values: int) -> pa.StringArray:
    block = np.memmap(path, np.uint8, "r")
    data_at = _DICTIONARY_HEADER_BYTES + 4 * (max_values + 1)
    if block.size <= data_at:
        raise Damaged("is cut")
    count, stored_max = (int(n) for n in block[:16].view("<i8"))
    if stored_max != max_values or not 0 <= count <= max_values:
        raise Damaged("its header is damaged")
    offsets = block[_DICTIONARY_HEADER_BYTES:data_at].view("<i4")[: count + 1]
    data = block[data_at:]
    if offsets[0] != 0 or (np.diff(offsets) < 0).any() or offsets[-1] > data.size:
        raise Damaged("its values are damaged")
    values = data[: int(offsets[-1])].tobytes()
    if _sum_of(values, offsets.tolist()) != int(block[16:32].view("<u8")[count % 2]):
        raise Damaged("its values are damaged")
    array = pa.StringArray.from_buffers(
        count, pa.py_buffer(offsets.tobytes()), pa.py_buffer(values)
    )
    array.validate(full=True)
    return array


def _sum_of(values: bytes, offsets: list[int]) -> int:
    found = _SUM_START
    for start, stop in pairwise(offsets):
        for byte in (stop - start & 0xFF, *values[start:stop]):
            found = (found ^ byte) * _SUM_FACTOR & _SUM_MASK
    return found
