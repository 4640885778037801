"""Logs on standard error: one line per event, for people or as JSON."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Any

import structlog


class LogFormat(StrEnum):
    """How a line looks."""

    PLAIN = "plain"
    JSON = "json"


def set_up_logs(log_format: LogFormat, *, verbose: bool) -> None:
    """Send structlog's events to standard error, so that standard output stays clean.

    Parameters
    ----------
    log_format
        Key=value, or a JSON object, per line.
    verbose
        Debug events too.
    """
    renderer: Any
    if log_format is LogFormat.JSON:
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.processors.LogfmtRenderer(
            key_order=["timestamp", "level", "event"], bool_as_flag=False
        )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger("debug" if verbose else "info"),
        # Standard error as it is when the logger is made: a live line puts itself in its place.
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
