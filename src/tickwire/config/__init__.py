"""The configuration's shape: its keys, their defaults and what they may be.

Knows nothing of: venues and tables (feed checks it against them).
Words: feed, source, sink, key, problem. Its C part: nowhere.
"""

from tickwire.config.loading import Config, load
from tickwire.config.models import (
    DuckDBSettings,
    Feed,
    IpcSettings,
    ParquetSettings,
    SinkSettings,
    Source,
)

__all__ = [
    "Config",
    "DuckDBSettings",
    "Feed",
    "IpcSettings",
    "ParquetSettings",
    "SinkSettings",
    "Source",
    "load",
]
