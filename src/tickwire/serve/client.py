"""A connection to the queries of a feed: `tickwire.connect`.

Rules of this file
------------------
- A feed that runs is asked at its socket. Where none runs the same connection reads its outputs, by
  the same code, with the same answers.
- One query at a time; the next one ends what was not read of the last.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from tickwire.config.sockets import reachable
from tickwire.errors import TickwireError
from tickwire.serve.frames import DATA, END, FramesCut, receive_frame
from tickwire.serve.places import Place, find
from tickwire.serve.requests import Limits, QueryError, asked
from tickwire.serve.statements import QueryRefused

if TYPE_CHECKING:  # a feed that runs is asked without them
    import duckdb

    from tickwire.serve.queries import Queries

ANSWER_S = 5.0  # beyond the query's own limit
FRESH_S = 1.0  # a connection without a query is soon closed by the feed


def connect(
    feed: str | Path = "main", *, limit_s: float = 10.0, max_rows: int = 10_000_000
) -> Connection:
    """Connect to the rows of a feed: those that are committed and those still in its rings.

    Parameters
    ----------
    feed
        A name (its state in ./.tickwire), a configuration, a DuckDB file, or a folder of Parquet or
        IPC files.
    limit_s, max_rows
        How long a query may take, and how many rows it may give.

    Returns
    -------
    Connection
        A context manager: `connection.query("SELECT ...")` gives a `pyarrow.RecordBatchReader`.

    Raises
    ------
    TickwireError
        No such feed runs, and none of its outputs is there.
    """
    _, limits = asked({"sql": "SELECT 1", "limit_s": limit_s, "max_rows": max_rows})
    place = find(str(feed))
    found = Connection(place, limits)
    if not found.is_live:
        found.open_files()
    return found


class Connection:
    """The queries of a feed; made by `connect`.

    Parameters
    ----------
    place
        Where it is.
    limits
        Of each query.
    """

    def __init__(self, place: Place, limits: Limits) -> None:
        self._place = place
        self._limits = limits
        self._is_asked = False
        self._instance: duckdb.DuckDBPyConnection | None = None
        self._queries: Queries | None = None
        self._socket = self._dial()
        self._dialled_s = monotonic()
        self.is_live = self._socket is not None

    def __repr__(self) -> str:
        where = "a running feed" if self.is_live else "its outputs"
        return f"<tickwire.Connection to {self._place.feed}: {where}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it; what was not read of a query's rows is given up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._instance is not None:
            import duckdb

            with suppress(duckdb.Error):
                self._instance.close()
            self._instance = self._queries = None

    def open_files(self) -> None:
        """Open the outputs.

        Raises
        ------
        TickwireError
            They cannot be opened.
        """
        from tickwire.serve import files
        from tickwire.serve.queries import Queries

        database, self._instance = files.database_of(self._place)
        self._queries = Queries(database)

    def query(self, sql: str) -> pa.RecordBatchReader:
        """Run a SELECT; rows come as they are found.

        Parameters
        ----------
        sql
            One statement. Tables are those of the feed; there are no functions for files, and
            nothing is changed.

        Returns
        -------
        pyarrow.RecordBatchReader
            To be read to its end: an error in the middle is raised there.

        Raises
        ------
        QueryRefused
            The statement may not run.
        QueryError
            It fails, or took too long.
        """
        if self._queries is not None:
            return self._read_files(self._queries, sql)
        if self._is_asked or monotonic() - self._dialled_s > FRESH_S:
            if self._socket is not None:
                self._socket.close()
            self._socket = self._dial()
        self._is_asked = True
        if self._socket is None:
            raise QueryError(f"feed {self._place.feed} does not run any more")
        return _answer(self._socket, sql, self._limits)

    def cursor(self) -> Cursor:
        """Give a cursor in the manner of DB-API 2.0, which gives Arrow too."""
        return Cursor(self)

    def _dial(self) -> socket.socket | None:
        if self._place.socket is None:
            return None
        dialled = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        dialled.settimeout(ANSWER_S)
        try:
            with reachable(self._place.socket) as short:
                dialled.connect(short)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            dialled.close()  # of a feed that was killed, or there is none
            return None
        except OSError as error:
            dialled.close()
            why = error.strerror or str(error)
            raise QueryError(f"feed {self._place.feed} cannot be asked: {why}") from None
        return dialled

    def _read_files(self, queries: Queries, sql: str) -> pa.RecordBatchReader:
        """Run a query here; all of its rows are kept until they are read."""
        batches: list[pa.RecordBatch] = []
        queries.run(sql, self._limits, lambda batch, is_first: batches.append(batch))
        return pa.RecordBatchReader.from_batches(batches[0].schema, batches[1:])


class Cursor:
    """Runs statements one after the other; as DB-API 2.0 has it, as far as reading goes.

    Parameters
    ----------
    connection
        What it asks.

    Attributes
    ----------
    description
        Of the last statement: a name and a type per column, and five times None.
    """

    arraysize = 1000

    def __init__(self, connection: Connection) -> None:
        self.description: list[tuple[Any, ...]] | None = None
        self._connection = connection
        self._reader: pa.RecordBatchReader | None = None
        self._rows: Iterator[tuple[Any, ...]] = iter(())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._rows

    def close(self) -> None:
        """Forget the last statement."""
        self._reader = None
        self._rows = iter(())

    def execute(self, operation: str) -> Self:
        """Run a statement; errors are those of `Connection.query`."""
        self._reader = reader = self._connection.query(operation)
        self.description = [(f.name, f.type, *[None] * 5) for f in reader.schema]
        self._rows = (row for batch in reader for row in _rows_of(batch))
        return self

    def fetchone(self) -> tuple[Any, ...] | None:
        """Give the next row; None where there is none."""
        return next(self._rows, None)

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        """Give the next rows, `arraysize` where left out."""
        n_rows = self.arraysize if size is None else size
        return [row for _, row in zip(range(n_rows), self._rows, strict=False)]

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Give the rows that are left."""
        return list(self._rows)

    def fetch_record_batch(self) -> pa.RecordBatchReader:
        """Give the rows as Arrow batches.

        Raises
        ------
        QueryError
            Nothing was executed.
        """
        if self._reader is None:
            raise QueryError("nothing was executed")
        return self._reader

    def fetch_arrow_table(self) -> pa.Table:
        """Give the rows as one Arrow table; raises as `fetch_record_batch`."""
        return self.fetch_record_batch().read_all()


def _rows_of(batch: pa.RecordBatch) -> Iterator[tuple[Any, ...]]:
    return zip(*(_values(column) for column in batch.columns), strict=True)


def _values(column: pa.Array) -> list[Any]:
    """Give Python's values; its times have no ns, which are left out."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    values: list[Any] = column.to_pylist()
    return values


def _answer(sock: socket.socket, sql: str, limits: Limits) -> pa.RecordBatchReader:
    """Send a query, and give its answer as it comes."""
    request = {"sql": sql, "limit_s": limits.seconds, "max_rows": limits.rows}
    sock.settimeout(limits.seconds + ANSWER_S)
    frames = _Frames(sock)
    with suppress(OSError):  # the answer says why it was not taken, where there is one
        sock.sendall(json.dumps(request).encode() + b"\n")
    reader = pa.ipc.open_stream(pa.PythonFile(frames, "r"))
    return pa.RecordBatchReader.from_batches(reader.schema, _batches(reader, frames))


def _batches(reader: Any, frames: _Frames) -> Iterator[pa.RecordBatch]:
    yield from reader
    frames.end()


class _Frames:
    """A file of what comes in frames; an error that comes is raised."""

    closed = False

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._data = memoryview(b"")
        self._is_over = False

    def read(self, n_bytes: int = -1) -> bytes:
        """Give so many bytes, fewer at the end alone."""
        found = bytearray()
        while n_bytes < 0 or len(found) < n_bytes:
            if not self._data:
                data = b"" if self._is_over else self._next()
                if not data:
                    break
                self._data = memoryview(data)
            piece = self._data[: n_bytes - len(found)] if n_bytes >= 0 else self._data
            found += piece
            self._data = self._data[len(piece) :]
        return bytes(found)

    def end(self) -> None:
        """Read to the end: it says whether all rows have come."""
        while not self._is_over:
            self._next()
        self._socket.close()

    def _next(self) -> bytes:
        try:
            kind, data = receive_frame(self._socket)
        except FramesCut as error:
            raise QueryError(f"the answer was cut: {error}") from None
        if kind == DATA:
            return data
        self._is_over = True
        if kind == END:
            return b""
        try:
            found = json.loads(data)
            error_type: type[TickwireError] = (
                QueryRefused if found["kind"] == "refused" else QueryError
            )
            text = str(found["text"])
        except (ValueError, KeyError, TypeError):
            error_type, text = QueryError, "the feed says what cannot be read"
        raise error_type(text)

    def flush(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""
