"""The configuration's shape: its keys, their defaults and what they may be.

Knows nothing of: venues and tables (feed checks it against them), nor of single sinks, whose keys
stand beside them.
Words: feed, source, sink, key, problem, plugin. Its C part: nowhere.
"""

from tickwire.config.loading import Config, load
from tickwire.config.models import Feed, FileSinkSettings, SinkSettings, Source

__all__ = [
    "Config",
    "Feed",
    "FileSinkSettings",
    "SinkSettings",
    "Source",
    "load",
]
