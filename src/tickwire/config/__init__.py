"""The configuration's shape: its keys, their defaults and what they may be.

Knows nothing of: venues and tables (feed checks it against them), nor of single sinks, whose keys
stand beside them.
Words: feed, source, sink, key, problem, plugin. Its C part: nowhere.
"""

from tickwire.config.books import BooksSettings
from tickwire.config.loading import Config, load, load_readable
from tickwire.config.models import (
    ConnectionOptions,
    Feed,
    FeedKeys,
    FileSinkSettings,
    SessionOptions,
    SinkSettings,
    Source,
)
from tickwire.config.severities import Context, Severity, SeveritySettings
from tickwire.config.signatures import with_keys_of
from tickwire.config.state_files import STATE_DIR, state_file
from tickwire.config.watching import AlertSettings, EmergencySettings, MetricsSettings

__all__ = [
    "STATE_DIR",
    "AlertSettings",
    "BooksSettings",
    "Config",
    "ConnectionOptions",
    "Context",
    "EmergencySettings",
    "Feed",
    "FeedKeys",
    "FileSinkSettings",
    "MetricsSettings",
    "SessionOptions",
    "Severity",
    "SeveritySettings",
    "SinkSettings",
    "Source",
    "load",
    "load_readable",
    "state_file",
    "with_keys_of",
]
