"""Which replays' rows a DuckDB file has: the table `tickwire.replays`, made by the first replay.

Rules of this file
------------------
- A row per capture and table: the range of `seq` that the capture's rows have, and whether all of
  them are there. It changes in the transactions that change the rows.
- Tables that the sink does not take are left as they are, and so is what is noted of them.
- What a start reads back of a feed that runs live is not in one of these ranges.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import duckdb
import pyarrow as pa

from tickwire.sinks.duckdb_file import quote_identifier
from tickwire.sinks.replays import Replayed

TABLE = "tickwire.replays"
_MAKE = (
    "CREATE SCHEMA IF NOT EXISTS tickwire",
    f"CREATE TABLE IF NOT EXISTS {TABLE} (capture VARCHAR, name VARCHAR, table_name VARCHAR, "
    "first_seq BIGINT, last_seq BIGINT, is_whole BOOLEAN)",
)
_IS_THERE = (
    "SELECT count(*) FROM duckdb_tables() WHERE database_name = current_database() "
    "AND schema_name = 'tickwire' AND table_name = 'replays'"
)
_TABLES = (
    "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() "
    "AND schema_name = 'main'"
)
_NOTE = (
    f"UPDATE {TABLE} SET first_seq = coalesce(first_seq, ?), last_seq = ? "  # noqa: S608 - no name of others
    "WHERE capture = ? AND table_name = ?"
)


def begin(connection: duckdb.DuckDBPyConnection, replayed: Replayed, tables: Iterable[str]) -> bool:
    """Begin a replay: whether the file has all of it, and is to be left as it is.

    Parameters
    ----------
    connection
        Writes the file; in no transaction.
    replayed
        What is replayed: rows of it that are there are removed.
    tables
        Those that the sink takes.
    """
    connection.begin()
    try:
        for statement in _MAKE:
            connection.execute(statement)
        held = connection.execute(
            f"SELECT table_name, first_seq, last_seq, is_whole FROM {TABLE} WHERE capture = ?",  # noqa: S608
            [replayed.capture],
        ).fetchall()
        taken = {*tables}
        is_whole = taken <= {row[0] for row in held if row[3]}
        if not is_whole or replayed.again:
            there = {name for (name,) in connection.execute(_TABLES).fetchall()}
            for table, first, last, _ in held:
                if table in taken & there and first is not None:
                    connection.execute(
                        f"DELETE FROM main.{quote_identifier(table)} WHERE seq BETWEEN ? AND ?",  # noqa: S608 - quoted
                        [first, last],
                    )
            connection.executemany(
                f"DELETE FROM {TABLE} WHERE capture = ? AND table_name = ?",  # noqa: S608
                [[replayed.capture, table] for table in taken],
            )
            connection.executemany(
                f"INSERT INTO {TABLE} VALUES (?, ?, ?, NULL, NULL, false)",  # noqa: S608
                [[replayed.capture, replayed.name, table] for table in taken],
            )
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    return is_whole and not replayed.again


def note(
    connection: duckdb.DuckDBPyConnection, capture: str, batches: Mapping[str, pa.RecordBatch]
) -> None:
    """Note the rows that a transaction adds, within it."""
    for table, batch in batches.items():
        seqs = batch.column("seq")
        connection.execute(_NOTE, [seqs[0].as_py(), seqs[-1].as_py(), capture, table])


def end(connection: duckdb.DuckDBPyConnection, capture: str, tables: Iterable[str]) -> None:
    """Note that these tables have all of a replay."""
    connection.begin()
    try:
        connection.executemany(
            f"UPDATE {TABLE} SET is_whole = true WHERE capture = ? AND table_name = ?",  # noqa: S608
            [[capture, table] for table in tables],
        )
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def live_only(connection: duckdb.DuckDBPyConnection, table: str) -> str:
    """Give the condition that a row of a table is of no replay; empty where there is none."""
    # All of the answer: a connection with a part of one runs no query that is a relation.
    if connection.execute(_IS_THERE).fetchall() == [(0,)]:
        return ""
    ranges = connection.execute(
        f"SELECT first_seq, last_seq FROM {TABLE} WHERE table_name = ? AND first_seq IS NOT NULL",  # noqa: S608
        [table],
    ).fetchall()
    return " AND ".join(f"seq NOT BETWEEN {first} AND {last}" for first, last in ranges)
