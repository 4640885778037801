"""Record batches to DuckDB, Parquet and Arrow IPC, messages to recordings, each on its thread.

Each sink's settings stand beside it; the entry points of the group `tickwire.sinks` name them, so
that `config` finds a sink by its type. Knows nothing of: where batches come from.
Words: sink, flush, commit, checkpoint, rotate. Its C part: nowhere.
"""

from tickwire.sinks.base import Sink
from tickwire.sinks.duckdb import DuckDBSettings, DuckDBSink
from tickwire.sinks.identity import CONN, Held, Identity
from tickwire.sinks.intake import BatchSource
from tickwire.sinks.ipc import IpcSettings, IpcSink
from tickwire.sinks.parquet import ParquetSettings, ParquetSink
from tickwire.sinks.raw import RawSettings, RawSink
from tickwire.sinks.replays import Replayed
from tickwire.sinks.stalls import Stalls

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
