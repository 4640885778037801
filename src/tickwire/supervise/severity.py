"""How bad an error is: a table of error and context, and what is done about each severity.

Rules of this file
------------------
- Pure: `failures.py` counts, logs and acts.
- The first line that fits counts: those of the user, then the feed's own. A line fits where the
  error, or one that it came from, is of its class or has its errno, in its context.
- What ends a feed stands here, too (`Action.STOP`): what is of the context `feed`. Errors of the
  start (a configuration, a state or a sink that cannot be opened) are raised by it and come here
  never; neither does what makes a run a failure after its end: that no source ever connected, a
  sink that has not got all rows, a stop that hung.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tickwire import errors
from tickwire.config import Context, Severity, SeveritySettings
from tickwire.config.objects import load_object
from tickwire.config.severities import ERRNO_NAMES, built_in

MOST_CAUSES = 8  # that are looked at


class Action(Enum):
    """What is done about an error."""

    COUNT = "count"
    RETRY = "retry"  # a warning; the part that reports it tries again
    DEGRADE = "degrade"  # an error in the log and in health; what can be done with less is
    STOP = "stop"  # the run ends and fails
    EMERGENCY = "emergency"


ACTIONS = {
    Severity.LOW: Action.COUNT,
    Severity.MEDIUM: Action.RETRY,
    Severity.HIGH: Action.DEGRADE,
    Severity.CRITICAL: Action.EMERGENCY,
}


@dataclass(frozen=True, slots=True)
class SeverityRule:
    """A line of the table.

    Parameters
    ----------
    error
        A class of errors, or an errno.
    severity
        How bad it is.
    context
        Where it happened; None: anywhere.
    action
        Instead of the severity's own.
    """

    error: type[BaseException] | int
    severity: Severity
    context: Context | None = None
    action: Action | None = None

    def fits(self, chain: Sequence[BaseException], context: Context) -> bool:
        """Whether it is about an error, with those that it came from, in a context."""
        if self.context is not None and self.context is not context:
            return False
        if isinstance(self.error, int):
            return any(isinstance(each, OSError) and each.errno == self.error for each in chain)
        return any(isinstance(each, self.error) for each in chain)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an error is taken for."""

    severity: Severity
    action: Action


TABLE = (
    SeverityRule(errors.DictionaryFull, Severity.HIGH),
    SeverityRule(errors.RingCorrupted, Severity.CRITICAL),
    SeverityRule(errors.NothingTakesRows, Severity.CRITICAL),
    SeverityRule(Exception, Severity.CRITICAL, Context.RING),
    SeverityRule(Exception, Severity.HIGH, Context.FEED, Action.STOP),
    SeverityRule(MemoryError, Severity.HIGH),
    SeverityRule(errno.ENOSPC, Severity.HIGH),
    SeverityRule(errno.EDQUOT, Severity.HIGH),
    SeverityRule(errno.EMFILE, Severity.HIGH),
    SeverityRule(errno.ENFILE, Severity.HIGH),
    SeverityRule(Exception, Severity.LOW, Context.DECODE),
    # Tried again by those who report it; degradation sees when that does not help.
    SeverityRule(errors.TickwireError, Severity.MEDIUM, Context.CONNECT),
    SeverityRule(errors.TickwireError, Severity.MEDIUM, Context.HANDSHAKE),
    SeverityRule(errors.TickwireError, Severity.MEDIUM, Context.SESSION),
    SeverityRule(errors.TickwireError, Severity.MEDIUM, Context.SUBSCRIBE),
    SeverityRule(errors.TickwireError, Severity.MEDIUM, Context.BOOK),
    SeverityRule(errors.TickwireError, Severity.MEDIUM, Context.REST),
    SeverityRule(Exception, Severity.MEDIUM, Context.STATE),
    SeverityRule(Exception, Severity.MEDIUM, Context.HOOK),
    SeverityRule(Exception, Severity.HIGH, Context.SINK),
    SeverityRule(Exception, Severity.HIGH, Context.TASK),  # a mistake in a program
)
ELSE = SeverityRule(BaseException, Severity.HIGH)


class SeverityTable:
    """The table of a feed.

    Parameters
    ----------
    rules
        The user's, the first one first.
    """

    def __init__(self, rules: Sequence[SeverityRule] = ()) -> None:
        self._rules = (*rules, *TABLE, ELSE)

    def judge(self, error: BaseException, context: Context) -> Judgement:
        """Give what an error is taken for.

        Parameters
        ----------
        error
            What failed.
        context
            Where.
        """
        chain = tuple(_chain(error))
        rule = next(rule for rule in self._rules if rule.fits(chain, context))
        return Judgement(rule.severity, rule.action or ACTIONS[rule.severity])


def rule_of(settings: SeveritySettings, folders: Sequence[Path] = ()) -> SeverityRule:
    """Give the line of the table that a section of the configuration stands for.

    Parameters
    ----------
    settings
        The section.
    folders
        Where else to look for the module of an error.

    Raises
    ------
    ConfigError
        The error cannot be imported, or is none.
    """
    given = settings.error
    if isinstance(given, type):
        kind: type[BaseException] | int = given
    elif given in ERRNO_NAMES:
        kind = getattr(errno, given)
    else:
        found = built_in(given) or load_object(given, folders)
        if not (isinstance(found, type) and issubclass(found, BaseException)):
            raise errors.ConfigError([f"is {given!r}, which is no class of errors"])
        kind = found
    return SeverityRule(kind, settings.severity, settings.context)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Give an error and those that it came from, also where its text hides them."""
    found: BaseException | None = error
    for _ in range(MOST_CAUSES):
        if found is None:
            return
        yield found
        found = found.__cause__ or found.__context__
