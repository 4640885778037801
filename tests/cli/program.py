"""The program as a user starts it: a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

TIMEOUT_S = 100


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "tickwire", *map(str, arguments)]


def environment() -> dict[str, str]:
    # Without a terminal's settings the output is the same everywhere.
    return {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}


def tickwire(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(  # noqa: S603 - our own program
        command(*arguments),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env=environment(),
        cwd=cwd,
        check=False,
    )


def started(*arguments: object) -> subprocess.Popen[str]:
    """Start a command."""
    return subprocess.Popen(  # noqa: S603 - our own program
        command(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def write_config(
    folder: Path, *sources: dict[str, Any], sinks: str = "both", feed: str = ""
) -> Path:
    """Write a configuration with a DuckDB file and a Parquet dataset in `folder`."""
    lines = ["[feed]", feed]
    for source in sources:
        lines.append("[[source]]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in source.items()]
    if sinks in ("both", "duckdb"):
        lines += ["[[sink]]", 'type = "duckdb"', 'path = "market.duckdb"']
    if sinks in ("both", "parquet"):
        lines += ["[[sink]]", 'type = "parquet"', 'path = "data"']
    path = folder / "feeds.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def from_duckdb(folder: Path, table: str) -> pa.Table:
    """Read a table in the order of seq."""
    with duckdb.connect(str(folder / "market.duckdb"), read_only=True) as connection:
        return connection.sql(f'SELECT * FROM "{table}" ORDER BY seq').to_arrow_table()  # noqa: S608 - our own name


def from_parquet(folder: Path, table: str) -> pa.Table:
    """Read a table in the order of seq."""
    dataset = ds.dataset(folder / "data" / table, format="parquet", partitioning="hive")
    return dataset.to_table().sort_by("seq")
