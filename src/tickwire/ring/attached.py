"""A ring of another process: found in its files, read as rows are published.

Rules of this file
------------------
- Files are only read, and the feed never waits for a reader.
- What a file says of itself is believed where the manifest has its hash; numbers of rows, codes and
  texts are looked at one by one (`_reader`).
- Rows that were published before the feed's end are given before its end is reported.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tickwire.errors import TickwireError
from tickwire.ring._batch import Batch
from tickwire.ring._dictionary import Values
from tickwire.ring._reader import RingReader
from tickwire.ring.files import (
    MANIFEST,
    dictionary_file,
    is_in_use,
    layout_hash,
    read_manifest,
    ring_file,
)
from tickwire.schema import Column, Kind, Table

WAIT_S = 0.1  # between two looks at whether the feed still runs
# ext/tickwire/ring/ring_block.h
_HEADER = struct.Struct("<8sIIQQqQQQ")
_COLUMN = struct.Struct("<48siiQQQQ")


class AttachedRing:
    """Rows of one table of a feed in another process, as they are published.

    Iterating gives batches until the feed ends. It is no consumer: the feed never waits for it, and
    what it was too slow for is counted in `missed`. Any thread may use it, one at a time.

    Parameters
    ----------
    folder
        The ring files of the feed's start.
    table
        The table's name.

    Raises
    ------
    TickwireError
        There is no such table, no feed uses the files, or they are damaged.
    """

    def __init__(self, folder: Path, table: str) -> None:
        self._folder = folder
        if not is_in_use(folder):
            raise TickwireError(f"{folder}: no running feed writes these rings")
        try:
            manifest = read_manifest(folder) or {}
            if table not in manifest["rings"]:
                known = ", ".join(manifest["rings"])
                raise TickwireError(f"{folder}: there is no table {table!r}; there are {known}")
            self._reader = _opened(folder, table, manifest)
        except (OSError, ValueError, LookupError, struct.error) as error:
            raise TickwireError(f"{folder}: the ring of {table} cannot be read: {error}") from None
        self._first_row = self._reader.next_row

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is held that the end of the object does not let go of."""

    def __iter__(self) -> Iterator[Batch]:
        while True:
            batch = self.take()
            if batch is not None:
                yield batch
            elif not self.wait(WAIT_S) and self.has_ended:
                return

    def take(self, max_rows: int | None = None) -> Batch | None:
        """Copy rows that were published since the last call.

        Parameters
        ----------
        max_rows
            At most so many.

        Returns
        -------
        Batch or None
            Columns are numpy views, `to_arrow` gives a pyarrow.RecordBatch; None where there is
            nothing new.

        Raises
        ------
        TickwireError
            The file is damaged.
        """
        try:
            return self._reader.take(max_rows)
        except ValueError as error:
            if max_rows is not None and max_rows < 1:
                raise
            path = self._folder / ring_file(self.table.name)
            raise TickwireError(f"{path}: is damaged: {error}") from None

    def wait(self, timeout_s: float) -> bool:
        """Wait until there is something to take.

        Parameters
        ----------
        timeout_s
            The longest time.

        Returns
        -------
        bool
            Whether there is.
        """
        return self._reader.wait(timeout_s)

    @property
    def table(self) -> Table:
        """The table, by what the file says of its columns."""
        return self._reader.table

    @property
    def missed(self) -> int:
        """Rows that were written over before they were read."""
        return self._reader.missed

    @property
    def rows(self) -> int:
        """Rows that were given."""
        return self._reader.next_row - self._first_row - self._reader.missed

    @property
    def next_seq(self) -> int:
        """The seq of the next row."""
        return self._reader.next_seq

    @property
    def available(self) -> int:
        """Rows published and not taken."""
        return self._reader.available

    @property
    def has_ended(self) -> bool:
        """Whether the feed writes no more, and everything was taken."""
        return not is_in_use(self._folder) and not self._reader.available

    @property
    def was_stopped(self) -> bool:
        """Whether the feed has ended in order: its files are gone."""
        return not (self._folder / MANIFEST).exists()


def _opened(folder: Path, name: str, manifest: dict[str, Any]) -> RingReader:
    file = os.open(folder / ring_file(name), os.O_RDONLY | os.O_CLOEXEC)
    try:
        table = _read_table(file, name, manifest["rings"][name])
        dictionaries = {
            column.name: _read_values(folder, column.name, manifest["dictionaries"])
            for column in table.columns
            if column.kind in (Kind.CODE16, Kind.CODE32)
        }
        return RingReader(file, table, dictionaries)
    finally:
        os.close(file)


def _read_values(folder: Path, name: str, sizes: dict[str, int]) -> Values:
    file = os.open(folder / dictionary_file(name), os.O_RDONLY | os.O_CLOEXEC)
    try:
        return Values(file, sizes[name])
    finally:
        os.close(file)


def _read_table(file: int, name: str, expected: str) -> Table:
    header = os.pread(file, _HEADER.size, 0)
    _, _, n_columns, *_, directory_at = _HEADER.unpack(header)
    directory = os.pread(file, n_columns * _COLUMN.size, directory_at)
    if layout_hash(header + directory) != expected:
        raise ValueError("its header is damaged")
    columns = []
    for entry in _COLUMN.iter_unpack(directory):
        text, kind, nullable, *_ = entry
        columns.append(Column(text.rstrip(b"\0").decode(), Kind(kind), bool(nullable)))
    return Table(name, tuple(columns))
