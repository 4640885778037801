"""Where a feed can be asked, and where its rows are while it does not run.

Rules of this file
------------------
- A feed is a name (its state in ./.tickwire), a configuration, or an output itself: a DuckDB file
  or a folder.
- A socket that refuses connections is one that a killed feed has left.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from tickwire.config import STATE_DIR, FileSinkSettings, load_readable, state_file
from tickwire.config.sockets import query_socket
from tickwire.errors import TickwireError

KINDS = ("duckdb", "parquet", "ipc")


@dataclass(frozen=True, slots=True)
class Output:
    """Where a sink writes.

    Parameters
    ----------
    type
        duckdb, parquet or ipc.
    path
        The file or folder.
    tables
        Those that it has; None: all.
    """

    type: str
    path: Path
    tables: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A feed, as it is looked for.

    Parameters
    ----------
    feed
        As it was given.
    socket
        Where it answers while it runs; None where it has none.
    outputs
        What its sinks have written, in the order in which tables are looked for.
    """

    feed: str
    socket: Path | None
    outputs: list[Output] = field(default_factory=list)


def noted_outputs(state_dir: Path, feed: str) -> Path:
    """Give the file in which a feed has noted its outputs."""
    return state_file(state_dir, feed, ".outputs.json")


def find(feed: str) -> Place:
    """Find a feed.

    Parameters
    ----------
    feed
        A name, a configuration, a DuckDB file or a folder.

    Raises
    ------
    ConfigError
        The configuration is none.
    TickwireError
        What it has noted cannot be read.
    """
    if feed.endswith(".toml"):
        return _of_config(feed)
    path, notes = Path(feed), noted_outputs(STATE_DIR, feed)
    if not notes.exists() and path.is_file():
        return Place(feed, None, [Output("duckdb", path)])
    if not notes.exists() and path.is_dir():
        return Place(feed, None, [Output(_kind_of(path), path)])
    outputs = []
    if notes.exists():
        try:
            for each in json.loads(notes.read_text(encoding="utf-8"))["outputs"]:
                tables = None if each["tables"] is None else tuple(each["tables"])
                outputs.append(Output(each["type"], Path(each["path"]), tables))
        except (OSError, ValueError, KeyError, TypeError):
            raise TickwireError(f"{notes}: cannot be read; give the configuration") from None
    return Place(feed, query_socket(STATE_DIR, feed), _sorted(outputs))


def _of_config(path: str) -> Place:
    config = load_readable(path)
    state_dir = config.feed.state_dir
    return Place(
        path,
        None if state_dir is None else query_socket(Path(state_dir), config.feed.name),
        _sorted(
            [
                Output(
                    sink.type, Path(sink.path), None if sink.tables is None else tuple(sink.tables)
                )
                for sink in config.sinks
                if isinstance(sink, FileSinkSettings) and sink.type in KINDS
            ]
        ),
    )


def _sorted(outputs: list[Output]) -> list[Output]:
    return sorted(outputs, key=lambda output: KINDS.index(output.type))


def _kind_of(folder: Path) -> str:
    return "ipc" if next(folder.glob("*/*.arrows"), None) is not None else "parquet"
