"""The section `[[severity]]`: how bad an error is, where the feed's own table is not right.

The words stand here because a configuration is made of them; the table is `supervise.severity`.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator

from tickwire.config.section import Section


class Severity(StrEnum):
    """How bad an error is, which decides what is done about it.

    `low` is counted; `medium` is a warning, and what failed is tried again; `high` is an error,
    degrades the feed's health and what can be done with less; `critical` shuts the feed down.
    """

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Context(StrEnum):
    """Where an error happened."""

    CONNECT = "connect"  # name, TCP, TLS
    HANDSHAKE = "handshake"  # the opening handshake
    SESSION = "session"  # a connection that was open
    SUBSCRIBE = "subscribe"
    DECODE = "decode"
    BOOK = "book"
    REST = "rest"
    SINK = "sink"
    STATE = "state"  # the feed's own files
    RING = "ring"
    HOOK = "hook"  # a program's callback, an alert's command or webhook
    TASK = "task"
    FEED = "feed"  # what nothing goes on without


ERRNO_NAMES = frozenset(errno.errorcode.values())


def _one_of(words: type[StrEnum]) -> BeforeValidator:
    def check(given: Any) -> Any:
        if given is None or (isinstance(given, str) and given in list(words)):
            return given and words(given)
        raise ValueError(f"should be one of {', '.join(map(repr, map(str, words)))}")

    return BeforeValidator(check)


def _error(given: Any) -> Any:
    """Take the name of an error, or from Python its class."""
    if isinstance(given, type) and issubclass(given, BaseException):
        return given
    if isinstance(given, str) and (":" in given or given in ERRNO_NAMES or _is_built_in(given)):
        return given
    raise ValueError(
        "should be 'package.module:NAME', the name of an errno such as 'ENOSPC', "
        "or that of an error of Python such as 'TimeoutError'"
    )


def built_in(name: str) -> type[BaseException] | None:
    """Give an error of Python's own by its name."""
    builtins: Mapping[str, Any] = vars(__import__("builtins"))
    found = builtins.get(name)
    return found if isinstance(found, type) and issubclass(found, BaseException) else None


def _is_built_in(name: str) -> bool:
    return built_in(name) is not None


class SeveritySettings(Section):
    """`[[severity]]`: how bad an error is. The first that fits counts, before the feed's own table.

    Parameters
    ----------
    error
        `package.module:NAME` of its class, the name of an errno such as `ENOSPC`, or that of an
        error of Python such as `TimeoutError`; from Python the class. Those that it came from
        count, too.
    severity
        `low`: counted. `medium`: a warning, and tried again. `high`: an error; health and what can
        be done with less are degraded. `critical`: the feed shuts down.
    context
        Where it happened: `connect`, `handshake`, `session`, `subscribe`, `decode`, `book`, `rest`,
        `sink`, `state`, `ring`, `hook`, `task`, `feed`; anywhere where left out.
    """

    error: Annotated[Any, BeforeValidator(_error)]
    severity: Annotated[Severity, _one_of(Severity)]
    context: Annotated[Context | None, _one_of(Context)] = None
