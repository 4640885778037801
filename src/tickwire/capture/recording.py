"""Reads a recording: the rows of its files in order, each block checked before it is read.

Rules of this file
------------------
- Files are ordered by their runs, and in a run by the numbers of their rows. A row that a run has
  written twice, as a failing disk may cause, is given once.
- What is torn at the end of a file, where a writer was killed, is left out and logged; what is
  damaged anywhere else is an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from tickwire.capture.blocks import Block, FileIndex, index_file, read_block
from tickwire.capture.recording_writer import SUFFIX
from tickwire.errors import CaptureError
from tickwire.logs import get_logger

_log = get_logger("tickwire.capture")

CONNECTIONS = pa.array(["connect", "disconnect", "acknowledge"])
NAMES = ("kind", "source", "venue", "conn", "endpoint", "read", "opcode", "payload")


class Row(NamedTuple):
    """A row of a recording; see docs/recording.md.

    Parameters
    ----------
    recv_ns, mono_ns
        Wall clock and monotonic clock.
    kind
        Such as `message`.
    source, venue
        Number and venue of its `[[source]]`.
    conn
        The connection's number; -1: none.
    endpoint
        The URL.
    read
        Number of the read that completed it; 0: none.
    opcode
        Of RFC 6455; 0: no frame.
    payload
        As received.
    """

    recv_ns: int
    mono_ns: int
    kind: str
    source: int
    venue: str
    conn: int
    endpoint: str
    read: int
    opcode: int
    payload: bytes


class _File(NamedTuple):
    path: Path
    content: FileIndex
    run: str

    @property
    def first_row(self) -> int:
        return self.content.blocks[0].first_row if self.content.blocks else 0


class Recording:
    """A recording on disk; it can be read any number of times.

    Parameters
    ----------
    path
        Its folder, or one of its files.
    from_ns, to_ns
        Rows from this time on, and before that one; of earlier ones connections only. None: all.

    Attributes
    ----------
    n_rows
        Rows of its whole blocks.
    n_torn_bytes
        Bytes at the ends of files that are no whole block.

    Raises
    ------
    CaptureError
        There is none, or it is damaged.
    """

    def __init__(
        self, path: str | Path, *, from_ns: int | None = None, to_ns: int | None = None
    ) -> None:
        self.path = Path(path)
        self._from_ns = from_ns
        self._to_ns = to_ns
        self.n_torn_bytes = 0
        paths = [self.path]
        if self.path.is_dir():
            paths = sorted(self.path.glob(f"*{SUFFIX}"))
        if not paths:
            raise CaptureError(f"{self.path}: holds no recording (*{SUFFIX})")
        found = [each for path in paths if (each := self._indexed(path)) is not None]
        self._files = sorted(found, key=lambda file: (file.run, file.first_row, file.path.name))
        self.n_rows = sum(block.n_rows for file in found for block in file.content.blocks)

    @staticmethod
    def is_one(path: Path) -> bool:
        """Whether a path is that of a recording, by its names."""
        if path.is_dir():
            return any(path.glob(f"*{SUFFIX}"))
        return path.name.endswith(SUFFIX)

    @property
    def files(self) -> list[Path]:
        """Its files, in order."""
        return [file.path for file in self._files]

    @property
    def runs(self) -> list[str]:
        """The ids of its runs, in order."""
        return list(dict.fromkeys(file.run for file in self._files))

    @property
    def sources(self) -> list[dict[str, Any]]:
        """What the last run recorded: the venue, channels and symbols of each source."""
        sources: list[dict[str, Any]] = self._described("tickwire.sources")
        return sources

    @property
    def connections(self) -> list[list[list[list[str]]]]:
        """What the last run had of each source: of each connection the names of its streams.

        A name is table, group and key of a subscription. Recordings of before have none.
        """
        connections: list[list[list[list[str]]]] = self._described("tickwire.connections")
        return connections

    def _described(self, key: str) -> Any:
        metadata = (self._files[-1].content.schema.metadata or {}) if self._files else {}
        return json.loads(metadata.get(key.encode(), b"[]"))

    def has_source(self, source: int | str) -> bool:
        """Whether a run recorded a source of this number or venue, or does not say what it did."""
        for run in {file.run: file.content.schema.metadata or {} for file in self._files}.values():
            venues = [each.get("venue") for each in json.loads(run.get(b"tickwire.sources", b"[]"))]
            if not venues or str(source) in (*map(str, range(len(venues))), *venues):
                return True
        return not self._files

    def batches(self) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Give the rows block by block.

        Yields
        ------
        (str, pyarrow.RecordBatch)
            The id of the run, and rows of it.

        Raises
        ------
        CaptureError
            A block is damaged, or rows are missing between two blocks.
        """
        run, next_row, n_dropped = None, 0, 0
        for file in self._files:
            if file.run != run:
                run, next_row = file.run, file.first_row
                if next_row:
                    _log.warning("a run lacks its first rows", file=str(file.path), rows=next_row)
            with _opened(file.path) as opened:
                for block in file.content.blocks:
                    if block.first_row > next_row:
                        raise CaptureError(
                            f"{file.path}: begins at row {block.first_row} of its run, "
                            f"should begin at {next_row}: a file is missing or was cut"
                        )
                    n_again = next_row - block.first_row
                    next_row = max(next_row, block.first_row + block.n_rows)
                    if n_again >= block.n_rows or self._is_after(block):
                        continue
                    batch = read_block(opened, block, file.content.schema, str(file.path))
                    if batch.num_rows != block.n_rows:
                        raise CaptureError(f"{file.path}: damaged at byte {block.offset}")
                    batch = self._in_time(batch.slice(n_again), block)
                    n_dropped += _n_dropped(batch)
                    if batch.num_rows:
                        yield run, batch
        if n_dropped:
            _log.warning(
                "messages were dropped when this was recorded",
                recording=str(self.path),
                messages=n_dropped,
            )

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Give the rows one by one, each with the id of its run; raises as `batches`."""
        make = tuple.__new__
        for run, batch in self.batches():
            times = batch.column("ts_recv").view(pa.int64()).to_pylist()
            mono = batch.column("mono_ns").to_pylist()
            columns = [batch.column(name).to_pylist() for name in NAMES]
            for cells in zip(times, mono, *columns, strict=True):
                yield run, make(Row, cells)

    def _is_after(self, block: Block) -> bool:
        return self._to_ns is not None and block.first_ns >= self._to_ns

    def _in_time(self, batch: pa.RecordBatch, block: Block) -> pa.RecordBatch:
        """Give the rows of the time that is asked for, and earlier connections."""
        from_ns, to_ns = self._from_ns, self._to_ns
        begins_before = from_ns is not None and block.first_ns < from_ns
        ends_after = to_ns is not None and block.last_ns >= to_ns
        if not begins_before and not ends_after:
            return batch
        import pyarrow.compute as pc  # what runs live needs none of it, and it is large

        times = batch.column("ts_recv").view(pa.int64())
        keep = None
        if from_ns is not None and begins_before:
            is_connection = pc.is_in(batch.column("kind"), value_set=CONNECTIONS)
            keep = pc.or_(pc.greater_equal(times, from_ns), is_connection)
        if to_ns is not None and ends_after:
            is_before = pc.less(times, to_ns)
            keep = is_before if keep is None else pc.and_(keep, is_before)
        return batch.filter(keep)

    def _indexed(self, path: Path) -> _File | None:
        with _opened(path) as file:
            index = index_file(file, str(path))
            size = file.size()
        n_torn = size if index is None else index.n_torn
        if n_torn:
            self.n_torn_bytes += n_torn
            _log.warning("the end of a recording is torn", file=str(path), bytes=n_torn)
        elif index is not None and not index.is_closed:
            _log.warning(
                "a recording was not closed: it is written still, or its last messages are missing",
                file=str(path),
            )
        if index is None:
            return None
        metadata = index.schema.metadata or {}
        return _File(path, index, metadata.get(b"tickwire.run", b"").decode())


def _n_dropped(batch: pa.RecordBatch) -> int:
    """Give how many messages the rows say are not in the recording."""
    import pyarrow.compute as pc

    is_drop = pc.equal(batch.column("kind"), "dropped")
    return sum(json.loads(row)["messages"] for row in batch.filter(is_drop)["payload"].to_pylist())


def _opened(path: Path) -> pa.NativeFile:
    try:
        return pa.OSFile(str(path))
    except OSError as error:
        raise CaptureError(f"{path}: {error.strerror or error}") from error
