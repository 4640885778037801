"""What a DuckDB file holds besides rows: format, tables, comments, a macro and a view.

Rules of this file
------------------
- Times are TIMESTAMP_NS in UTC, while a Parquet file's have a zone. `utc(ts)` gives a time its
  zone, so that the two can be compared on a machine in any time zone.
- A new file has the format of the configuration, an older one keeps its own.
- The view `coverage` says how much of the time each stream is known. It is made anew at each start,
  over the tables that are there by then.
- The comment of a table says where its rows come from, that of a column what its numbers count.
- Names come from venues and configurations: they are quoted, always.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import duckdb
import pyarrow as pa

from tickwire.errors import SinkError
from tickwire.ledger.coverage import coverage_sql
from tickwire.schema import TABLES, Table

# The oldest DuckDB that can open a file, also in `duckdb_databases().tags`, there as `v1.4.0+`.
VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)")
# The oldest DuckDB that is installed with tickwire: each can write its format. To try it takes
# longer than all else that is verified of a configuration.
LEAST_VERSION = "v1.4.0"
LOCKED = re.compile(r"Conflicting lock is held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")
# A table's comment, as `_comment` writes it.
ORIGIN = re.compile(
    r"tickwire\.version=[^,]*, tickwire\.feed=(?P<feed>.*), tickwire\.venues=.*, "
    r"tickwire\.feed_id=(?P<id>\w+)",
    re.DOTALL,
)
VIEW = "coverage"
VIEW_COMMENT = "by tickwire: how much of the time each stream is complete, missing, unverifiable"
# A macro of that name that the user has made stays.
UTC = "CREATE MACRO IF NOT EXISTS main.utc(ts) AS ts AT TIME ZONE 'UTC'"


def quote_identifier(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """`text` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def sql_type(arrow_type: pa.DataType) -> str:
    """Find the DuckDB type of a column; raises SinkError where there is none."""
    if pa.types.is_dictionary(arrow_type):
        return sql_type(arrow_type.value_type)
    if pa.types.is_timestamp(arrow_type):
        return "TIMESTAMP_NS"
    names = {
        pa.int64(): "BIGINT",
        pa.int32(): "INTEGER",
        pa.float64(): "DOUBLE",
        pa.bool_(): "BOOLEAN",
        pa.utf8(): "VARCHAR",
        pa.binary(): "BLOB",
    }
    if arrow_type not in names:
        raise SinkError(f"no DuckDB type for Arrow's {arrow_type}")
    return names[arrow_type]


def check_version(version: str) -> str:
    """Give a storage version back; raises ValueError where the installed DuckDB cannot write it."""
    if version not in ("latest", LEAST_VERSION):
        if not VERSION.fullmatch(version):
            raise ValueError("should be 'latest' or a version of DuckDB, such as 'v1.4.0'")
        try:
            duckdb.connect(config={"storage_compatibility_version": version}).close()
        except duckdb.Error:
            raise ValueError(
                f"DuckDB {duckdb.__version__}, which is installed, does not know that version"
            ) from None
    return version


def newer_version(connection: duckdb.DuckDBPyConnection, version: str) -> str | None:
    """Give the file's storage version where it is newer than `version`."""
    (tags,) = connection.execute(
        "SELECT tags FROM duckdb_databases() WHERE database_name = current_database()"
    ).fetchone() or ({},)
    found = VERSION.match(str(tags.get("storage_version", "")))
    asked = VERSION.match(version)
    if found is None or asked is None:
        return None
    older, newer = ([int(number) for number in match.groups()] for match in (asked, found))
    return found[0] if newer > older else None


def explain(error: duckdb.Error, path: object) -> str:
    """Say in one line why the file cannot be opened."""
    text = str(error).split("See also")[0].strip()
    locked = LOCKED.search(text)
    if locked:
        return (
            f"{path} is locked by another process (pid {locked['pid']}, "
            f"{locked['program']}); only one process at a time can open a DuckDB file"
        )
    return f"cannot open {path}: {' '.join(text.split())}"


def prepare(connection: duckdb.DuckDBPyConnection, table: Table, origin: Mapping[str, str]) -> None:
    """Make the table, or add the columns that it lacks, and comment on it.

    Raises
    ------
    SinkError
        Something else has its name, or a column has another type.
    """
    _make_table(connection, table)
    _comment(connection, table, origin)


def _make_table(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    wanted = {field.name: sql_type(field.type) for field in table.arrow_schema}
    name = quote_identifier(table.name)
    kind = connection.execute(
        "SELECT table_type FROM information_schema.tables WHERE table_catalog = "
        "current_database() AND table_schema = 'main' AND lower(table_name) = lower(?)",
        [table.name],
    ).fetchone()
    if kind is None:
        columns = ", ".join(f"{quote_identifier(c)} {t}" for c, t in wanted.items())
        connection.execute(f"CREATE TABLE main.{name} ({columns})")
        return
    if kind[0] != "BASE TABLE":
        raise SinkError(f"{table.name} is a {kind[0].lower()}, not a table")
    found = _columns(connection, table, "data_type")
    for column, column_type in wanted.items():
        found_type = found.get(column.lower())
        if found_type is None:
            connection.execute(
                f"ALTER TABLE main.{name} ADD COLUMN {quote_identifier(column)} {column_type}"
            )
        elif found_type != column_type:
            raise SinkError(
                f"column {column} of table {table.name} is {found_type} but must be "
                f"{column_type}; rename the table or use another file"
            )


def _comment(
    connection: duckdb.DuckDBPyConnection, table: Table, origin: Mapping[str, str]
) -> None:
    name = f"main.{quote_identifier(table.name)}"
    found = _columns(connection, table, "comment")
    for column in table.columns:
        if column.shown_unit and found[column.name.lower()] != column.shown_unit:
            connection.execute(
                f"COMMENT ON COLUMN {name}.{quote_identifier(column.name)} "
                f"IS {quote_literal(column.shown_unit)}"
            )
    text = ", ".join(f"{key}={value}" for key, value in origin.items())
    row = connection.execute(
        "SELECT comment FROM duckdb_tables() WHERE database_name = current_database() "
        "AND schema_name = 'main' AND lower(table_name) = lower(?)",
        [table.name],
    ).fetchone()
    if row != (text,):
        connection.execute(f"COMMENT ON TABLE {name} IS {quote_literal(text)}")


def comments_of(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Give the comment of each table of a file, by its name in lower case."""
    rows = connection.execute(
        "SELECT lower(table_name), coalesce(comment, '') FROM duckdb_tables() "
        "WHERE database_name = current_database() AND schema_name = 'main'"
    ).fetchall()
    return dict(rows)


def origin_of(comment: str) -> tuple[str, str]:
    """Give the id and the name of the feed that a table's comment names; empty: it names none."""
    found = ORIGIN.fullmatch(comment)
    return (found["id"], found["feed"]) if found else ("", "")


def cover(connection: duckdb.DuckDBPyConnection, consumer: str) -> None:
    """Make the view `coverage` over the tables that are there; one of the user's stays.

    Parameters
    ----------
    connection
        Writes the file.
    consumer
        The sink's name.
    """
    found = connection.execute(
        "SELECT lower(table_name), table_type FROM information_schema.tables "
        "WHERE table_catalog = current_database() AND table_schema = 'main'"
    ).fetchall()
    tables = {name for name, kind in found if kind == "BASE TABLE"}
    if "gaps" not in tables or VIEW in tables:
        return
    comment = connection.execute(
        "SELECT comment FROM duckdb_views() WHERE database_name = current_database() "
        "AND schema_name = 'main' AND lower(view_name) = ?",
        [VIEW],
    ).fetchone()
    if comment is not None and comment[0] != VIEW_COMMENT:
        return
    relations = {name: f"main.{quote_identifier(name)}" for name in TABLES if name in tables}
    query = coverage_sql(relations, consumer)
    connection.execute(f"CREATE OR REPLACE VIEW main.{VIEW} AS {query}")
    connection.execute(f"COMMENT ON VIEW main.{VIEW} IS {quote_literal(VIEW_COMMENT)}")


def _columns(
    connection: duckdb.DuckDBPyConnection, table: Table, what: str
) -> dict[str, str | None]:
    """Give what `duckdb_columns()` says of each column, by its name in lower case."""
    rows = connection.execute(
        f"SELECT lower(column_name), {what} FROM duckdb_columns() WHERE database_name = "  # noqa: S608 - a name of tickwire's own
        "current_database() AND schema_name = 'main' AND lower(table_name) = lower(?)",
        [table.name],
    ).fetchall()
    return dict(rows)
