"""What sinks have written, as relations of DuckDB: its file, or folders of Parquet or IPC files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tickwire.errors import TickwireError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


@contextmanager
def opened(path: Path) -> Iterator[tuple[duckdb.DuckDBPyConnection, dict[str, str]]]:
    """Give a connection and the relation of each table that an output has."""
    import duckdb

    from tickwire.schema import TABLES

    if path.is_file():
        with duckdb.connect(str(path), read_only=True) as connection:
            found = connection.execute(
                "SELECT lower(table_name) FROM duckdb_tables() WHERE schema_name = 'main'"
            ).fetchall()
            names = {name for (name,) in found}
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


def _read_streams(files: list[Path]) -> pa.Table:
    """Read Arrow streams, each as far as it is whole; dictionaries become their text."""
    import pyarrow as pa

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
