"""What tickwire logs, and where a program finds it.

Rules of this file
------------------
- A program that has configured structlog gets events there. Any other gets lines from the standard
  library's `logging`, from loggers below `tickwire`: their levels, handlers and filters hold.
- A level that was set for `tickwire`, or a logger below it, holds in both cases.
- This never configures anything that belongs to the program.
- Logging never raises: an event that a program's handler does not take is counted as a dropped
  line. Where no handler is set, lines go to standard error without ever blocking; handlers that a
  program has set are called at once, in the thread that logs (a `QueueHandler` keeps a slow one
  from the event loop).
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from tickwire.log_writer import LOG_WRITER
from tickwire.redaction import shown

ROOT = "tickwire"


class Logger:
    """Logs events with values; made by `get_logger`.

    Parameters
    ----------
    name
        Such as `tickwire.feed`.
    context
        Values that go with every event.
    """

    __slots__ = ("_context", "_name")

    def __init__(self, name: str, context: dict[str, Any] | None = None) -> None:
        self._name = name
        self._context = context or {}

    def __repr__(self) -> str:
        return f"<Logger {self._name}>"

    def bind(self, **context: Any) -> Logger:
        """Give a logger whose events have these values, too."""
        return Logger(self._name, self._context | context)

    def debug(self, event: str, **values: Any) -> None:
        """Log what helps to find a mistake."""
        self._log(logging.DEBUG, event, values)

    def info(self, event: str, **values: Any) -> None:
        """Log what happens in the course of things."""
        self._log(logging.INFO, event, values)

    def warning(self, event: str, **values: Any) -> None:
        """Log what a person should know."""
        self._log(logging.WARNING, event, values)

    def error(self, event: str, **values: Any) -> None:
        """Log what has failed."""
        self._log(logging.ERROR, event, values)

    def _log(self, level: int, event: str, values: dict[str, Any]) -> None:
        try:
            self._hand_on(level, event, self._context | values)
        except Exception:  # nothing that happens to a line may happen to the feed
            LOG_WRITER.count_dropped()

    def _hand_on(self, level: int, event: str, values: dict[str, Any]) -> None:
        standard = logging.getLogger(self._name)
        if structlog.is_configured():
            if level >= _level_set(standard):
                method = logging.getLevelName(level).lower()
                getattr(structlog.get_logger(self._name), method)(event, **values)
        elif standard.isEnabledFor(level):
            texts = [f"{name}={shown(str(value))}" for name, value in values.items()]
            text = " ".join([event, *texts])
            if not _has_last_resort_only(standard):
                standard.log(level, "%s", text, stacklevel=4)
            elif level >= logging.WARNING:
                LOG_WRITER.write(f"{text}\n")


def get_logger(name: str) -> Logger:
    """Give a logger.

    Parameters
    ----------
    name
        Below `tickwire`, such as `tickwire.feed`.
    """
    return Logger(name)


def _level_set(logger: logging.Logger) -> int:
    """Give the level that was set for tickwire's loggers; the root's is none of theirs."""
    found: logging.Logger | None = logger
    while found is not None and found.name.startswith(ROOT):
        if found.level:
            return found.level
        found = found.parent
    return logging.NOTSET


def _has_last_resort_only(logger: logging.Logger) -> bool:
    """Whether `logging` itself would write to the process's own standard error, and may block."""
    return (
        not logger.hasHandlers() and logging.lastResort is not None and sys.stderr is sys.__stderr__
    )
