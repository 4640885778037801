"""Times as options of commands take them."""

from __future__ import annotations

import datetime
import re

import typer

# Digits of a second past the microsecond, which `datetime` does not read.
_NS = re.compile(r"(\.\d{6})(\d{1,3})")


def time_ns(text: str | None, option: str) -> int | None:
    """Read a time as ns since the epoch."""
    if text is None:
        return None
    try:
        time = datetime.datetime.fromisoformat(_NS.sub(r"\1", text))
    except ValueError:
        raise typer.BadParameter(
            f"is {text!r}, should be ISO 8601, such as 2026-01-31T12:00", param_hint=option
        ) from None
    if time.tzinfo is None:
        time = time.replace(tzinfo=datetime.UTC)
    since = time - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    below_us = _NS.search(text)
    ns = int(below_us[2].ljust(3, "0")) if below_us else 0
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000 + ns
