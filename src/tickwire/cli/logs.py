"""Logs on standard error: one line per event, for people or as JSON."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from enum import StrEnum
from typing import Any, TextIO, cast

from tickwire.cli.terminal import STDERR
from tickwire.log_writer import LOG_WRITER
from tickwire.redaction import shown

LONGEST_VALUE = 16_384


class LogFormat(StrEnum):
    """How a line looks."""

    PLAIN = "plain"
    JSON = "json"


def set_up_logs(log_format: LogFormat, *, verbose: bool) -> None:
    """Send structlog's events to standard error, so that standard output stays clean.

    What other libraries log (asyncio's own warnings) goes the same way.

    Parameters
    ----------
    log_format
        Key=value, or a JSON object, per line.
    verbose
        Debug events too.
    """
    import structlog

    renderer: Any
    if log_format is LogFormat.JSON:
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.processors.LogfmtRenderer(
            key_order=["timestamp", "level", "event"], bool_as_flag=False
        )
    processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _fit_to_be_shown,
        renderer,
    ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger("debug" if verbose else "info"),
        # Standard error as it is when the logger is made: a live line puts itself in its place.
        logger_factory=lambda *_: structlog.WriteLogger(cast("TextIO", STDERR)),
        cache_logger_on_first_use=False,
    )

    def notice(n_lines: int) -> str:
        line: Any = {"event": "log lines dropped", "lines": n_lines}
        for process in processors:
            line = process(None, "warning", line)
        return f"{line}\n"

    LOG_WRITER.notice = notice
    logging.getLogger().handlers[:] = [_OfLibraries(logging.WARNING)]


class _OfLibraries(logging.Handler):
    """Takes what libraries log by the standard library."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record with the events of tickwire; never raises."""
        import structlog

        try:
            method = getattr(structlog.get_logger(record.name), record.levelname.lower())
            method(record.getMessage(), logger=record.name, exc_info=record.exc_info)
        except Exception:  # a library's record may have anything in it
            LOG_WRITER.count_dropped()


def _fit_to_be_shown(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep secrets and control characters out of a line, whatever its source."""
    for key, value in event.items():
        if value is not None and not isinstance(value, bool | int | float):
            event[key] = shown(str(value), LONGEST_VALUE)
    return event
