"""Record batches to DuckDB, Parquet and Arrow IPC, each on its own thread.

Knows nothing of: where batches come from. Words: sink, flush, commit, checkpoint, rotate.
Its C part: nowhere.
"""

from tickwire.sinks.base import BatchSource, Sink, Stalls
from tickwire.sinks.duckdb import DuckDBSink
from tickwire.sinks.ipc import IpcSink
from tickwire.sinks.make import make_sink
from tickwire.sinks.parquet import ParquetSink

__all__ = [
    "BatchSource",
    "DuckDBSink",
    "IpcSink",
    "ParquetSink",
    "Sink",
    "Stalls",
    "make_sink",
]
