"""The configuration's shape: its keys, their defaults and what they may be.

Knows nothing of: venues and tables (feed checks it against them), nor of single sinks, whose keys
stand beside them.
Words: feed, source, sink, key, problem, plugin. Its C part: nowhere.
"""

from tickwire.config.loading import Config, load
from tickwire.config.models import Feed, FeedKeys, FileSinkSettings, SinkSettings, Source
from tickwire.config.signatures import with_keys_of

__all__ = [
    "Config",
    "Feed",
    "FeedKeys",
    "FileSinkSettings",
    "SinkSettings",
    "Source",
    "load",
    "with_keys_of",
]
