"""What sinks have written, as relations of DuckDB: its file, or folders of Parquet or IPC files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from tickwire.errors import TickwireError
from tickwire.schema import TABLES
from tickwire.serve.fresh_rows import naive

if TYPE_CHECKING:
    import duckdb


@contextmanager
def opened(path: Path) -> Iterator[tuple[duckdb.DuckDBPyConnection, dict[str, str]]]:
    """Give a connection and the relation of each table that an output has."""
    import duckdb

    if path.is_file():
        with duckdb.connect(str(path), read_only=True) as connection:
            names = tables_of(connection)
            yield connection, {name: f"main.{name}" for name in TABLES if name in names}
        return
    with duckdb.connect() as connection:
        relations = {}
        for name in TABLES:
            folder = path / name
            if next(folder.rglob("*.parquet"), None) is not None:
                pattern = str(folder / "**" / "*.parquet").replace("'", "''")
                relations[name] = (
                    f"read_parquet('{pattern}', hive_partitioning = true, union_by_name = true)"
                )
            elif files := sorted(folder.glob("*.arrows")):
                connection.register(f"ipc_{name}", _read_streams(files))
                relations[name] = f"ipc_{name}"
        yield connection, relations


def tables_of(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Give the tables of a database, in lower case."""
    found = connection.execute(
        "SELECT lower(table_name) FROM duckdb_tables() "
        "WHERE database_name = current_database() AND schema_name = 'main'"
    ).fetchall()
    return {name for (name,) in found}


def in_database(connection: duckdb.DuckDBPyConnection, table: str) -> str:
    """Give a table of a connection's database by its full name, which no view hides."""
    [row] = connection.execute("SELECT current_database()").fetchall()
    catalog = str(row[0]).replace('"', '""')
    return f'"{catalog}".main."{table}"'


def in_parquet(connection: duckdb.DuckDBPyConnection, folder: Path) -> str | None:
    """Give a table's Parquet files as they are now, with DuckDB's types of its own file."""
    files = sorted(folder.rglob("*.parquet"))
    if not files:
        return None
    quoted = ", ".join("'" + str(file).replace("'", "''") + "'" for file in files)
    relation = f"read_parquet([{quoted}], hive_partitioning = true, union_by_name = true)"
    columns = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()  # noqa: S608
    times = [row[0] for row in columns if row[1].startswith("TIMESTAMP")]
    replaced = ", ".join(f'make_timestamp_ns(epoch_ns("{name}")) AS "{name}"' for name in times)
    return f"(SELECT * EXCLUDE (date) REPLACE ({replaced}) FROM {relation})"  # noqa: S608


def in_streams(connection: duckdb.DuckDBPyConnection, folder: Path) -> str | None:
    """Give a table's IPC files as they are now: read whole, as far as they are whole."""
    files = sorted(folder.glob("*.arrows"))
    if not files:
        return None
    name = f"tickwire_ipc_{folder.name}"
    rows = _read_streams(files)
    batches = [naive(batch) for batch in rows.to_batches()]
    connection.register(name, pa.Table.from_batches(batches) if batches else rows)
    return f'"{name}"'


def _read_streams(files: list[Path]) -> pa.Table:
    """Read Arrow streams, each as far as it is whole; dictionaries become their text."""
    tables = []
    for file in files:
        try:
            with pa.OSFile(str(file)) as opened, pa.ipc.open_stream(opened) as reader:
                while True:
                    batch = reader.read_next_batch()
                    columns = [
                        column.cast(pa.utf8()) if pa.types.is_dictionary(column.type) else column
                        for column in batch.columns
                    ]
                    tables.append(pa.table(columns, names=batch.schema.names))
        except (StopIteration, pa.ArrowInvalid, OSError):  # its end, or a torn one
            continue
    if not tables:
        raise TickwireError(f"{files[0].parent}: no stream there can be read")
    return pa.concat_tables(tables, promote_options="default")
