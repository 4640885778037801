"""Record batches to DuckDB, Parquet and Arrow IPC, each on its own thread.

Knows nothing of: where batches come from. Words: sink, flush, commit, checkpoint. Its C part: nowhere.
"""

from tickwire.sinks.base import BatchSource, Sink, Stalls
from tickwire.sinks.duckdb import DuckDBSink
from tickwire.sinks.ipc import IpcSink
from tickwire.sinks.make import SINK_TYPES, make_sink
from tickwire.sinks.parquet import ParquetSink
from tickwire.sinks.settings import SinkSettings

__all__ = [
    "SINK_TYPES",
    "BatchSource",
    "DuckDBSink",
    "IpcSink",
    "ParquetSink",
    "Sink",
    "SinkSettings",
    "Stalls",
    "make_sink",
]
