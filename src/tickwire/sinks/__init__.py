"""Record batches to DuckDB, Parquet and Arrow IPC, each on its own thread.

Knows nothing of: where batches come from. Words: sink, flush, commit, checkpoint. Its C part: nowhere.
"""
