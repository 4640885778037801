"""From settings to a sink."""

from __future__ import annotations

from collections.abc import Callable

from tickwire.config import DuckDBSettings, ParquetSettings, SinkSettings
from tickwire.observe import Histogram
from tickwire.sinks.base import Sink
from tickwire.sinks.duckdb import DuckDBSink
from tickwire.sinks.ipc import IpcSink
from tickwire.sinks.parquet import ParquetSink


def make_sink(
    settings: SinkSettings,
    feed: str,
    latency: Histogram | None = None,
    on_failure: Callable[[Sink], None] | None = None,
) -> Sink:
    """Make the sink that `settings` describe, not yet open.

    Parameters
    ----------
    settings
        The `[[sink]]` of the configuration.
    feed
        The feed's name.
    latency
        Where read-to-commit latencies go; by default a histogram of the sink's own.
    on_failure
        Called once, in the sink's thread, when it fails while running.

    Returns
    -------
    Sink
        Of the type asked for.
    """
    if isinstance(settings, DuckDBSettings):
        return DuckDBSink(settings, feed, latency, on_failure)
    if isinstance(settings, ParquetSettings):
        return ParquetSink(settings, feed, latency, on_failure)
    return IpcSink(settings, feed, latency, on_failure)
