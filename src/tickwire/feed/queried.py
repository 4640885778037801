"""What queries see of a running feed, and their socket.

Rules of this file
------------------
- A table's rows are in one output: a DuckDB file before Parquet files before IPC files. What that
  has not got is in its spill and in the ring.
- Queries run in the instance of the first DuckDB sink, which alone can read its file; where there
  is none, in one of their own that reaches no other file.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tickwire.config import FileSinkSettings
from tickwire.config.sockets import query_socket
from tickwire.errors import SinkError
from tickwire.feed.running import RunningFeed
from tickwire.logs import get_logger
from tickwire.serve.fresh_rows import fresh_rows
from tickwire.serve.outputs import in_database, in_parquet, in_streams, tables_of
from tickwire.serve.places import noted_outputs
from tickwire.serve.pool import ReadPool
from tickwire.serve.queries import Queries
from tickwire.serve.query_server import QueryServer
from tickwire.serve.requests import Limits, QueryError
from tickwire.serve.snapshot import Database, TableSource, isolated
from tickwire.serve.statements import QueryRefused, StatementCheck
from tickwire.sinks import Sink
from tickwire.sinks.files import path_segment

if TYPE_CHECKING:
    import duckdb

    from tickwire.sinks import DuckDBSink

KINDS = ("duckdb", "parquet", "ipc")  # in this order
_log = get_logger("tickwire.feed")


def database_of(feed: RunningFeed) -> Database:
    """Give what queries of a feed see."""
    sinks = sorted(
        (sink for sink in feed.sinks if sink.settings.type in KINDS),
        key=lambda sink: KINDS.index(sink.settings.type),
    )
    files = [cast("DuckDBSink", sink) for sink in sinks if sink.settings.type == KINDS[0]]
    main, others = (files[0], files[1:]) if files else (None, [])
    sinks = [sink for sink in sinks if sink not in others]
    tables = {}
    for name in feed.pipeline.rings:
        home = next((sink for sink in sinks if name in sink.tables), None)
        elsewhere = next((sink for sink in others if name in sink.tables), None)
        if home is None and elsewhere is not None:
            tables[name] = TableSource(partial(_in_other_file, name, elsewhere.name))
        else:
            tables[name] = _table_source(feed, name, home)
    if main is None:
        folders = [sink.settings.target for sink in sinks]
        return Database(_Isolated(folders).cursor, tables, is_locked=True)
    return Database(partial(_cursor, main), tables, _others, consumer=main.name)


def _table_source(feed: RunningFeed, table: str, sink: Sink | None) -> TableSource:
    fresh = partial(fresh_rows, feed.pipeline.rings[table], sink)
    if sink is None:
        return TableSource(None, fresh)
    folder = Path(sink.settings.target) / path_segment(table)
    committed: dict[str, Callable[[duckdb.DuckDBPyConnection], str | None]] = {
        "duckdb": partial(in_database, table=table),
        "parquet": partial(in_parquet, folder=folder),
        "ipc": partial(in_streams, folder=folder),
    }
    return TableSource(committed[sink.settings.type], fresh)


def _in_other_file(table: str, sink: str, connection: duckdb.DuckDBPyConnection) -> str:
    """Refuse a table: a query sees one DuckDB file, and its rows are in another one."""
    raise QueryRefused(f"table {table} is in the file of sink {sink}: queries see the first one's")


def _others(connection: duckdb.DuckDBPyConnection) -> set[str]:
    return tables_of(connection)


def _cursor(sink: DuckDBSink) -> duckdb.DuckDBPyConnection:
    try:
        return sink.cursor()
    except SinkError as error:  # it is opened again by and by
        raise QueryError(f"{error}; try again") from None


class _Isolated:
    """An instance of DuckDB that is made when it is first needed.

    Parameters
    ----------
    folders
        What it can read.
    """

    def __init__(self, folders: list[str]) -> None:
        self._folders = folders
        self._lock = threading.Lock()
        self._instance: duckdb.DuckDBPyConnection | None = None

    def cursor(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if self._instance is None:
                self._instance = isolated(self._folders)
            return self._instance.cursor()


class FeedQueries:
    """The queries of a running feed.

    Parameters
    ----------
    feed
        Started.

    Attributes
    ----------
    database
        What they see.
    queries
        Runs them.
    """

    def __init__(self, feed: RunningFeed) -> None:
        config = feed.plan.config
        self.database = database_of(feed)
        self._check = StatementCheck({"utc"})
        self.queries = Queries(self.database, feed.pipeline.metrics, check=self._check)
        self._metrics = feed.pipeline.metrics
        self._pools: dict[tuple[int, Limits], tuple[Queries, ReadPool]] = {}
        self._server: QueryServer | None = None
        if config.feed.state_dir is not None:
            folder, name = Path(config.feed.state_dir), config.feed.name
            self._server = QueryServer(self.queries, query_socket(folder, name))
            self._notes = noted_outputs(folder, name)
            self._outputs = [
                {"type": sink.type, "path": sink.target, "tables": sink.tables}
                for sink in config.sinks
                if isinstance(sink, FileSinkSettings) and sink.type in KINDS
            ]

    async def start(self) -> None:
        """Listen, and note where the outputs are, for queries when no feed runs."""
        if self._server is None:
            return
        await asyncio.to_thread(self._note)
        self._server.start()

    def _note(self) -> None:
        text = json.dumps({"outputs": self._outputs})
        with suppress(OSError):  # a query must then be given the configuration
            if not self._notes.exists() or self._notes.read_text(encoding="utf-8") != text:
                self._notes.write_text(text, encoding="utf-8")

    def pool(self, n: int, limits: Limits) -> ReadPool:
        """Give the pool of so many read cursors; it ends with the feed."""
        key = n, limits
        if key not in self._pools:
            queries = Queries(self.database, self._metrics, n_turns=n, check=self._check)
            self._pools[key] = queries, ReadPool(queries, n, limits)
        return self._pools[key][1]

    async def stop(self) -> None:
        """End all queries: sinks can then close their files."""
        await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        if self._server is not None:
            self._server.stop()
        else:
            self.queries.close()
        for queries, _ in self._pools.values():
            queries.close()
