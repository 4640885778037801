"""From settings to a sink."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tickwire.errors import SinkError
from tickwire.sinks.base import Sink
from tickwire.sinks.duckdb import DuckDBSink
from tickwire.sinks.ipc import IpcSink
from tickwire.sinks.parquet import ParquetSink
from tickwire.sinks.settings import SinkSettings

SINK_TYPES: dict[str, type[Sink]] = {
    "duckdb": DuckDBSink,
    "parquet": ParquetSink,
    "ipc": IpcSink,
}


def make_sink(
    settings: SinkSettings,
    feed: str,
    latency: Any = None,
    on_failure: Callable[[Sink], None] | None = None,
) -> Sink:
    """The sink that `settings` describe, not yet open.

    Parameters
    ----------
    settings
        The `[[sink]]` of the configuration.
    feed
        The feed's name.
    latency
        Histogram for read-to-commit latencies; None: they are not recorded.
    on_failure
        Called once, in the sink's thread, when it fails while running.

    Returns
    -------
    Sink
        Of the type asked for.

    Raises
    ------
    SinkError
        There is no such type.
    """
    if settings.type not in SINK_TYPES:
        raise SinkError(f"no sink type {settings.type!r}; there are {', '.join(SINK_TYPES)}")
    return SINK_TYPES[settings.type](settings, feed, latency, on_failure)
