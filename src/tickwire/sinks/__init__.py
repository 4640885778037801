"""Record batches to DuckDB, Parquet and Arrow IPC, messages to recordings, each on its thread.

Each sink's settings stand beside it; the entry points of the group `tickwire.sinks` name them, so
that `config` finds a sink by its type. Knows nothing of: where batches come from.
Words: sink, flush, commit, checkpoint, rotate. Its C part: nowhere.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tickwire.sinks.base import Sink
from tickwire.sinks.identity import CONN, Held, Identity
from tickwire.sinks.intake import BatchSource
from tickwire.sinks.replays import Replayed
from tickwire.sinks.stalls import Stalls

if TYPE_CHECKING:
    from tickwire.sinks.duckdb import DuckDBSettings, DuckDBSink
    from tickwire.sinks.ipc import IpcSettings, IpcSink
    from tickwire.sinks.parquet import ParquetSettings, ParquetSink
    from tickwire.sinks.raw import RawSettings, RawSink

__all__ = [
    "CONN",
    "BatchSource",
    "DuckDBSettings",
    "DuckDBSink",
    "Held",
    "Identity",
    "IpcSettings",
    "IpcSink",
    "ParquetSettings",
    "ParquetSink",
    "RawSettings",
    "RawSink",
    "Replayed",
    "Sink",
    "Stalls",
]

# A feed pays for the sinks that it has.
_HOMES = {
    "DuckDBSettings": "duckdb",
    "DuckDBSink": "duckdb",
    "IpcSettings": "ipc",
    "IpcSink": "ipc",
    "ParquetSettings": "parquet",
    "ParquetSink": "parquet",
    "RawSettings": "raw",
    "RawSink": "raw",
}

if not TYPE_CHECKING:  # a type checker knows the names above and no others

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
