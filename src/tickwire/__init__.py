"""tickwire: a market-data feed handler. WebSocket in, Arrow out.

The names here are loaded when they are first used, so that a program that wants one room only
does not load them all.
"""

import gc
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tickwire._version import __version__

if TYPE_CHECKING:
    from tickwire import errors, session, venues, wire
    from tickwire.config import (
        AlertSettings,
        BooksSettings,
        Config,
        EmergencySettings,
        Feed,
        MetricsSettings,
        SeveritySettings,
        Source,
    )
    from tickwire.feed import (
        BatchConsumer,
        BookView,
        FeedHandler,
        GapEvent,
        GapStream,
        LightConsumer,
        QueueEmpty,
        QueueFull,
        QueueShutDown,
        ReconnectEvent,
        RowConsumer,
        Status,
        run,
    )
    from tickwire.feed.attaching import attach
    from tickwire.feed.replays.recorded_replay import replay
    from tickwire.ring import AttachedRing, Batch, Row
    from tickwire.serve.client import connect
    from tickwire.sinks import DuckDBSettings as DuckDBSink
    from tickwire.sinks import IpcSettings as IpcSink
    from tickwire.sinks import ParquetSettings as ParquetSink
    from tickwire.sinks import RawSettings as RawSink
    from tickwire.supervise import Coordinator, EmergencyEvent, ManagedTask, TaskManager, TaskStatus

__all__ = [
    "AlertSettings",
    "AttachedRing",
    "Batch",
    "BatchConsumer",
    "BookView",
    "BooksSettings",
    "Config",
    "Coordinator",
    "DuckDBSink",
    "EmergencyEvent",
    "EmergencySettings",
    "Feed",
    "FeedHandler",
    "GapEvent",
    "GapStream",
    "IpcSink",
    "LightConsumer",
    "ManagedTask",
    "MetricsSettings",
    "ParquetSink",
    "QueueEmpty",
    "QueueFull",
    "QueueShutDown",
    "RawSink",
    "ReconnectEvent",
    "Row",
    "RowConsumer",
    "SeveritySettings",
    "Source",
    "Status",
    "TaskManager",
    "TaskStatus",
    "__version__",
    "attach",
    "connect",
    "errors",
    "replay",
    "run",
    "session",
    "venues",
    "wire",
]

_ROOMS = ("errors", "session", "venues", "wire")
_HOMES = {
    "AlertSettings": ("tickwire.config", "AlertSettings"),
    "AttachedRing": ("tickwire.ring", "AttachedRing"),
    "Batch": ("tickwire.ring", "Batch"),
    "BatchConsumer": ("tickwire.feed", "BatchConsumer"),
    "BookView": ("tickwire.feed", "BookView"),
    "BooksSettings": ("tickwire.config", "BooksSettings"),
    "Coordinator": ("tickwire.supervise", "Coordinator"),
    "EmergencySettings": ("tickwire.config", "EmergencySettings"),
    "EmergencyEvent": ("tickwire.supervise", "EmergencyEvent"),
    "Config": ("tickwire.config", "Config"),
    "DuckDBSink": ("tickwire.sinks.duckdb", "DuckDBSettings"),
    "Feed": ("tickwire.config", "Feed"),
    "FeedHandler": ("tickwire.feed", "FeedHandler"),
    "GapEvent": ("tickwire.feed", "GapEvent"),
    "GapStream": ("tickwire.feed", "GapStream"),
    "IpcSink": ("tickwire.sinks.ipc", "IpcSettings"),
    "LightConsumer": ("tickwire.feed", "LightConsumer"),
    "ManagedTask": ("tickwire.supervise", "ManagedTask"),
    "MetricsSettings": ("tickwire.config", "MetricsSettings"),
    "ParquetSink": ("tickwire.sinks.parquet", "ParquetSettings"),
    "RawSink": ("tickwire.sinks.raw", "RawSettings"),
    "QueueEmpty": ("tickwire.feed", "QueueEmpty"),
    "QueueFull": ("tickwire.feed", "QueueFull"),
    "QueueShutDown": ("tickwire.feed", "QueueShutDown"),
    "ReconnectEvent": ("tickwire.feed", "ReconnectEvent"),
    "Row": ("tickwire.ring", "Row"),
    "RowConsumer": ("tickwire.feed", "RowConsumer"),
    "SeveritySettings": ("tickwire.config", "SeveritySettings"),
    "Source": ("tickwire.config", "Source"),
    "Status": ("tickwire.feed", "Status"),
    "TaskManager": ("tickwire.supervise", "TaskManager"),
    "TaskStatus": ("tickwire.supervise", "TaskStatus"),
    "attach": ("tickwire.feed.attaching", "attach"),
    "connect": ("tickwire.serve.client", "connect"),
    "replay": ("tickwire.feed.replays.recorded_replay", "replay"),
    "run": ("tickwire.feed", "run"),
}


if not TYPE_CHECKING:  # a type checker knows the names above and no others

    def __getattr__(name: str) -> Any:
        if name in _ROOMS:
            return import_module(f"tickwire.{name}")
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, attribute = _HOMES[name]
        # Modules are no garbage: collections while thousands of objects are made find nothing, and
        # take a tenth of the time of an import.
        is_enabled = gc.isenabled()
        gc.disable()
        try:
            value = getattr(import_module(module), attribute)
        finally:
            if is_enabled:
                gc.enable()
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
