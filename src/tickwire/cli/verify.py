"""`tickwire verify`: whether two outputs, or a recording and an output, have the same rows.

Rules of this file
------------------
- Rows are compared in the order of `seq`, by every column but `seq` and `conn`: each column has one
  hash over all its rows and their places. Where hashes differ, the first row is searched that does.
- `gaps`, `sessions`, `instruments` and `books` are an account of a run, not of its messages: they
  are compared where they are named.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from tickwire.errors import TickwireError
from tickwire.wording import counted

if TYPE_CHECKING:
    import duckdb

    from tickwire.config import Config, Source

LEFT_OUT = ("seq", "conn", "date")  # `date` is a folder's name in Parquet
OF_A_RUN = ("gaps", "sessions", "instruments", "books")


class Rows(NamedTuple):
    """A table in an output.

    Parameters
    ----------
    connection
        Of DuckDB.
    relation
        What stands behind FROM.
    columns
        Name to type.
    """

    connection: duckdb.DuckDBPyConnection
    relation: str
    columns: dict[str, str]

    def hashes(self, columns: list[str], last: int | None = None) -> tuple[int, ...]:
        """Give the number of rows and a hash of each column, of the first `last` rows."""
        parts = [f"bit_xor(hash(n, {hashed(name, self.columns[name])}))" for name in columns]
        where = "" if last is None else f"WHERE n <= {last}"
        query = f"SELECT count(*), {', '.join(parts)} FROM ({self._numbered}) {where}"  # noqa: S608
        [row] = self.connection.execute(query).fetchall()
        return tuple(row)

    def row(self, columns: list[str], number: int) -> list[tuple[int, str]]:
        """Give the cells of a row: a hash, and the text to be shown."""
        sums = [f"hash({hashed(name, self.columns[name])})" for name in columns]
        texts = [f"coalesce({_quoted(name)}::VARCHAR, 'null')" for name in columns]
        query = f"SELECT {', '.join(sums + texts)} FROM ({self._numbered}) WHERE n = {number}"  # noqa: S608
        [row] = self.connection.execute(query).fetchall()
        return list(zip(row[: len(columns)], row[len(columns) :], strict=True))

    @property
    def _numbered(self) -> str:
        return f"SELECT *, row_number() OVER (ORDER BY seq) AS n FROM {self.relation}"  # noqa: S608


def verify(
    a: Annotated[Path, typer.Argument(help="An output of a sink, or a recording.")],
    b: Annotated[Path, typer.Argument(help="Another one.")],
    *,
    config: Annotated[
        Path | None,
        typer.Option(help="Decodes recordings; left out: the sources as they were recorded."),
    ] = None,
    table: Annotated[
        list[str] | None, typer.Option(help="This table; repeatable. Left out: all of messages.")
    ] = None,
) -> None:
    """Exit 0 where rows are equal, all columns but seq and conn; else 1 with the first difference.

    An output is a DuckDB file, or a folder of Parquet or IPC files; a recording is decoded first.
    """
    from tickwire.capture import Recording

    with ExitStack() as stack:
        paths = []
        for path in (a, b):
            if not path.exists():
                raise TickwireError(f"{path}: there is no such file or folder")
            if Recording.is_one(path):
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                decode(path, folder, config)
                paths.append(folder)
            else:
                paths.append(path)
        is_recorded = [path not in (a, b) for path in paths]
        outputs = [_tables(stack, path) for path in paths]
        names = _compared(outputs, is_recorded, table)
        for name in names:
            difference = _difference(name, *(tables.get(name) for tables in outputs))
            if difference:
                raise TickwireError(f"{a} and {b} differ: {difference}")
            first = outputs[0].get(name)
            if first is not None:
                columns = [each for each in first.columns if each not in LEFT_OUT]
                n_rows, *sums = first.hashes(columns)
                typer.echo(f"{name}: {counted(n_rows, 'row')}, equal, {_total(sums):016x}")


def decode(recording: Path, folder: Path, config: Path | None) -> None:
    """Decode a recording into IPC files.

    Raises
    ------
    TickwireError
        It cannot be read or decoded.
    """
    from tickwire import FeedHandler, run
    from tickwire.feed.replays.recorded_replay import replay_of
    from tickwire.sinks import IpcSettings

    sources = sources_of(recording, config)
    feed = FeedHandler(list(sources), IpcSettings(path=folder), replays=True)
    run(replay_of(feed, recording).run(), loop="asyncio")


def sources_of(recording: Path, config: Path | None) -> tuple[Source, ...]:
    """Give the sources of a configuration, or those that a recording names."""
    from tickwire.capture import Recording
    from tickwire.config import Source
    from tickwire.feed.plan.planning import load_whole

    if config is not None:
        loaded: Config = load_whole(config)
        return loaded.sources
    found = Recording(recording).sources
    if not found:
        raise TickwireError(f"{recording}: names no sources; give --config")
    return tuple(Source(**each) for each in found)


def _tables(stack: ExitStack, path: Path) -> dict[str, Rows]:
    from tickwire.serve.outputs import opened

    connection, relations = stack.enter_context(opened(path))
    found = {}
    for name, relation in relations.items():
        described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()  # noqa: S608
        found[name] = Rows(connection, relation, {row[0]: row[1] for row in described})
    return found


def _compared(
    outputs: list[dict[str, Rows]], is_recorded: list[bool], asked: list[str] | None
) -> list[str]:
    """Give the tables to compare: of a recording those that the other output has."""
    if asked:
        for name in asked:
            if not any(name in tables for tables in outputs):
                raise TickwireError(f"neither of the two has a table {name}")
        return asked
    names = [
        name
        for name in dict.fromkeys(name for tables in outputs for name in tables)
        if name not in OF_A_RUN
    ]
    for tables, other_is_recorded in zip(outputs, reversed(is_recorded), strict=True):
        if other_is_recorded:
            names = [name for name in names if name in tables]
    if not names:
        raise TickwireError("the two have no table in common")
    return names


def _difference(name: str, a: Rows | None, b: Rows | None) -> str:
    """Say where two tables first differ; nothing where they are equal."""
    if a is None or b is None:
        only = a or b
        n_rows = only.hashes([])[0] if only is not None else 0
        which = "second" if b is None else "first"
        return f"table {name}: the {which} one has none" if n_rows else ""
    columns = [each for each in a.columns if each not in LEFT_OUT and each in b.columns]
    for one, other, which in ((a, b, "second"), (b, a, "first")):
        lacking = [each for each in one.columns if each not in (*LEFT_OUT, *other.columns)]
        if lacking:
            return f"table {name}: the {which} one has no column {lacking[0]}"
    (n_a, *sums_a), (n_b, *sums_b) = a.hashes(columns), b.hashes(columns)
    if n_a == n_b and sums_a == sums_b:
        return ""
    first = _first_different(a, b, columns, min(n_a, n_b))
    if first is None:
        return f"table {name}: {n_a:,} and {n_b:,} rows, the first {min(n_a, n_b):,} equal"
    pairs = zip(columns, a.row(columns, first), b.row(columns, first), strict=True)
    column, x, y = next((name, x[1], y[1]) for name, x, y in pairs if x[0] != y[0])
    rows = "" if n_a == n_b else f" ({n_a:,} and {n_b:,} rows)"
    return f"table {name}, row {first}, column {column}: {x!r} and {y!r}{rows}"


def _first_different(a: Rows, b: Rows, columns: list[str], n_rows: int) -> int | None:
    """Search the first row, from 1 on, by the hashes of all rows up to one."""
    if a.hashes(columns, n_rows) == b.hashes(columns, n_rows):
        return None
    equal, different = 0, n_rows
    while different - equal > 1:
        middle = (equal + different) // 2
        if a.hashes(columns, middle) == b.hashes(columns, middle):
            equal = middle
        else:
            different = middle
    return different


def hashed(name: str, kind: str) -> str:
    """Give what is hashed of a column, the same whatever an output has it as."""
    column = _quoted(name)
    if kind in ("DOUBLE", "FLOAT"):
        return f"{column} + 0.0"  # -0.0 is 0.0: DuckDB's plans differ in which they give
    if kind.startswith("TIMESTAMP"):
        return f"epoch_ns({column})"
    if kind.startswith("ENUM"):
        return f"{column}::VARCHAR"
    if kind.endswith("INT") or kind == "INTEGER":
        return f"{column}::BIGINT"
    return column


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _total(sums: list[Any]) -> int:
    total = 0
    for each in sums:
        total ^= int(each or 0)
    return total
