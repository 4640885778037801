"""`tickwire coverage`: how much of the time each stream is complete, missing, or not verifiable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from tickwire.cli.times import time_ns
from tickwire.errors import TickwireError


def coverage(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG|PATH",
            help="A configuration, or what a sink has written: a DuckDB file, "
            "a folder of Parquet or IPC files.",
        ),
    ],
    *,
    table: Annotated[str | None, typer.Option(help="Of this table only.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Of this symbol only.")] = None,
    from_: Annotated[
        str | None, typer.Option("--from", help="From this time on, ISO 8601; UTC without a zone.")
    ] = None,
    to: Annotated[str | None, typer.Option(help="Up to this time.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    as_sql: Annotated[
        bool, typer.Option("--sql", help="The query itself, for DuckDB, over Parquet or tables.")
    ] = False,
) -> None:
    """Say how much of the time each stream is complete, missing, or not verifiable."""
    from tickwire.ledger.coverage import Bounds, coverage_sql
    from tickwire.serve.outputs import opened

    bounds = Bounds(time_ns(from_, "--from"), time_ns(to, "--to"))
    if as_sql:
        for name, path in _outputs(source):
            with opened(path) as (_, relations):
                typer.echo(coverage_sql(relations, name, bounds) + ";")
        return
    found = []
    for name, path in _outputs(source):
        found += [{"sink": name, **each} for each in read_coverage(path, name, bounds)]
    found = [
        each
        for each in found
        if table in (None, each["table"]) and symbol in (None, each["symbol"])
    ]
    if as_json:
        typer.echo(json.dumps({"streams": found}, indent=1))
        return
    for line in _lines(found):
        typer.echo(line)


def read_coverage(path: Path, sink: str | None, bounds: Any) -> list[dict[str, Any]]:
    """Read the coverage of every stream in an output.

    Parameters
    ----------
    path
        A DuckDB file, or a folder of Parquet or IPC files.
    sink
        The name of the sink that wrote it; None where it is not known.
    bounds
        Part of the time.

    Returns
    -------
    list of dict
        By column; times in ns.

    Raises
    ------
    TickwireError
        It cannot be read, or has no table gaps.
    """
    import duckdb

    from tickwire.ledger.coverage import coverage_sql
    from tickwire.serve.outputs import opened

    try:
        with opened(path) as (connection, relations):
            if "gaps" not in relations:
                raise TickwireError(f"{path}: has no table gaps, which says what is missing")
            result = connection.execute(coverage_sql(relations, sink, bounds))
            names = [column[0] for column in result.description or ()]
            rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    except duckdb.Error as error:
        text = " ".join(str(error).split("See also")[0].split())
        raise TickwireError(f"{path}: cannot be read: {text}") from None
    return [_stream(row) for row in rows]


def _stream(row: dict[str, Any]) -> dict[str, Any]:
    """Name a row as the JSON does."""
    times = {"from": row.pop("ts_from"), "to": row.pop("ts_to")}
    return {
        "venue": row.pop("venue"),
        "table": row.pop("table_name"),
        "symbol": row.pop("symbol"),
        **{key: f"{time.isoformat()}Z" for key, time in times.items()},
        **row,
    }


def _outputs(source: Path) -> list[tuple[str | None, Path]]:
    """Give each sink with its path; of what is no configuration, the path alone."""
    if source.suffix != ".toml":
        if not source.exists():
            raise TickwireError(f"{source}: there is no such file or folder")
        return [(None, source)]
    from tickwire.config import FileSinkSettings, load

    sinks = [sink for sink in load(source).sinks if isinstance(sink, FileSinkSettings)]
    found: list[tuple[str | None, Path]] = [
        (sink.name, Path(sink.path))
        for sink in sinks
        if sink.takes_tables
        and Path(sink.path).exists()
        and (sink.tables is None or "gaps" in sink.tables)
    ]
    if not found:
        raise TickwireError(f"{source}: none of its sinks has written a table gaps yet")
    return found


def _lines(streams: list[dict[str, Any]]) -> list[str]:
    """Lay the streams out in columns."""
    if not streams:
        return ["no stream"]
    head = (
        *("sink", "venue", "table", "symbol", "seconds"),
        *("complete", "missing", "unverifiable", "gaps", "rows"),
    )
    rows = [
        (
            each["sink"] or "",
            each["venue"],
            each["table"],
            each["symbol"],
            f"{each['seconds']:,.3f}",
            *(_share(each[key]) for key in ("complete", "missing", "unverifiable")),
            f"{each['gaps']:,}",
            f"{each['rows']:,}",
        )
        for each in streams
    ]
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    return [
        "  ".join(
            text.ljust(width) if i < 4 else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (head, *rows)
    ]


def _share(share: float | None) -> str:
    """Give per cent that never round up to 100 nor down to 0."""
    if share is None:
        return "-"
    percent = 100 * share
    if 0 < percent < 0.001:
        return "<0.001%"
    return ">99.999%" if 99.999 < percent < 100 else f"{percent:.3f}%"
