"""What tickwire logs, and where a program finds it.

Rules of this file
------------------
- A program that has configured structlog gets events there. Any other gets lines from the standard
  library's `logging`, from loggers below `tickwire`: their levels, handlers and filters hold.
- A level that was set for `tickwire`, or a logger below it, holds in both cases.
- This never configures anything that belongs to the program.
"""

from __future__ import annotations

import logging
from typing import Any

import structlog

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
        values = self._context | values
        standard = logging.getLogger(self._name)
        if structlog.is_configured():
            if level >= _level_set(standard):
                method = logging.getLevelName(level).lower()
                getattr(structlog.get_logger(self._name), method)(event, **values)
        elif standard.isEnabledFor(level):
            texts = [f"{name}={shown(str(value))}" for name, value in values.items()]
            standard.log(level, "%s", " ".join([event, *texts]), stacklevel=3)


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
