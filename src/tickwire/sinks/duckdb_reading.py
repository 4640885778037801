"""What a start reads back from a DuckDB file: whose rows, its newest ones, and those of symbols.

Rules of this file
------------------
- Rows are appended, so their places are their order; where some were deleted there are more places
  than rows.
- A look for single symbols may have to read all of a table: it ends after `READ_BACK_S`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress

import duckdb
import pyarrow as pa

from tickwire.sinks.duckdb_file import comments_of, origin_of, quote_identifier, quote_literal
from tickwire.sinks.duckdb_replays import live_only
from tickwire.sinks.identity import Held, counted_in

READ_BACK_S = 2.0


def read_held(connection: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> Held:
    """Give whose rows the tables of a file have, and up to which numbers."""
    comments = comments_of(connection)
    held = Held(is_complete=True)
    for table in tables:
        if table.lower() not in comments:
            continue
        if not held.feed_id:
            held.feed_id, held.feed = origin_of(comments[table.lower()])
        for column, name in counted_in(table).items():
            with suppress(duckdb.BinderException):  # `prepare` says what is wrong with it
                ((greatest,),) = connection.execute(
                    f"SELECT max({column}) FROM main.{quote_identifier(table)}"  # noqa: S608
                ).fetchall()
                held.note(name, greatest)
    return held


def newest_rows(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str], n_rows: int
) -> pa.Table:
    """Give the rows that were put in last, in order."""
    relation = f"main.{quote_identifier(table)}"
    condition = live_only(connection, table)
    if not condition:
        ((n_held,),) = connection.execute(f"SELECT count(*) FROM {relation}").fetchall()  # noqa: S608
        condition = f"rowid >= {max(0, int(n_held) - n_rows)}"
    names = ", ".join(quote_identifier(name) for name in columns)
    return connection.sql(
        f"SELECT {names} FROM (SELECT {names}, rowid AS place FROM {relation} "  # noqa: S608 - quoted
        f"WHERE {condition} ORDER BY place DESC LIMIT {n_rows}) ORDER BY place"
    ).to_arrow_table()


def rows_of(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: Sequence[str],
    symbols: Sequence[str],
    n_rows: int,
) -> pa.RecordBatch | None:
    """Give the newest rows of some symbols, oldest first; None where there are none in time."""
    names = ", ".join(quote_identifier(name) for name in columns)
    wanted = ", ".join(quote_literal(symbol) for symbol in symbols)
    condition = live_only(connection, table) or "true"
    query = (
        f"SELECT {names} FROM main.{quote_identifier(table)} "  # noqa: S608 - quoted
        f"WHERE symbol IN ({wanted}) AND {condition} "
        "QUALIFY row_number() OVER (PARTITION BY venue, symbol ORDER BY seq DESC) "
        f"<= {n_rows} ORDER BY seq"
    )
    timer = threading.Timer(READ_BACK_S, connection.interrupt)
    timer.start()
    try:
        rows = connection.sql(query).to_arrow_table().combine_chunks()
    except duckdb.InterruptException:
        return None
    finally:
        timer.cancel()
    return rows.to_batches()[0] if rows.num_rows else None
