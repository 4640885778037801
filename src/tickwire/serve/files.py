"""The outputs of a feed that does not run, as a database for queries."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import duckdb

from tickwire.errors import TickwireError
from tickwire.schema import TABLES
from tickwire.serve.outputs import in_database, in_parquet, in_streams, tables_of
from tickwire.serve.places import Output, Place
from tickwire.serve.snapshot import Database, TableSource, isolated
from tickwire.sinks.duckdb_file import LOCKED, explain

MEMORY_MB = 2048


def database_of(place: Place) -> tuple[Database, duckdb.DuckDBPyConnection]:
    """Open the outputs of a feed.

    Parameters
    ----------
    place
        Where they are.

    Returns
    -------
    Database, duckdb.DuckDBPyConnection
        The second is to be closed when no query comes any more.

    Raises
    ------
    TickwireError
        There are none, or they cannot be opened.
    """
    outputs = [output for output in place.outputs if output.path.exists()]
    if not outputs:
        raise TickwireError(f"no feed {place.feed!r} runs, and none of its outputs is there")
    main = next((output for output in outputs if output.type == "duckdb"), None)
    instance = (
        isolated([str(output.path.absolute()) for output in outputs], MEMORY_MB)
        if main is None
        else _opened(main.path)
    )
    tables: dict[str, TableSource] = {}
    in_file = set() if main is None else tables_of(instance)
    for output in outputs:
        if output.type == "duckdb" and output is not main:
            continue
        names = in_file & {*TABLES} if output is main else _tables_in(output)
        for name in names:
            tables.setdefault(name, TableSource(_committed(output, name)))
    return (
        Database(
            instance.cursor,
            tables,
            tables_of if main is not None else lambda connection: (),
            is_locked=main is None,
        ),
        instance,
    )


def _opened(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file to be read: nothing else can be reached from there."""
    try:
        instance = duckdb.connect(
            str(path.absolute()), read_only=True, config={"autoinstall_known_extensions": "false"}
        )
    except duckdb.Error as error:
        hint = (
            "; where a feed writes it, name the feed or its configuration"
            if LOCKED.search(str(error))
            else ""
        )
        raise TickwireError(explain(error, path) + hint) from None
    for statement in (
        "SET threads = 1",
        f"SET memory_limit = '{MEMORY_MB}MiB'",
    ):
        with suppress(duckdb.Error):
            instance.execute(statement)
    return instance


def _tables_in(output: Output) -> set[str]:
    suffix = "*.arrows" if output.type == "ipc" else "*.parquet"
    return {
        name
        for name in TABLES
        if (output.tables is None or name in output.tables)
        and next((output.path / name).rglob(suffix), None) is not None
    }


def _committed(output: Output, table: str) -> Callable[[duckdb.DuckDBPyConnection], str | None]:
    if output.type == "duckdb":
        return partial(in_database, table=table)
    if output.type == "parquet":
        return partial(in_parquet, folder=output.path / table)
    return partial(in_streams, folder=output.path / table)
