"""Everything that fails in a feed: classified, counted, acted upon and logged in one place.

Rules of this file
------------------
- Who notices a failure reports it here with its context, and does what its own business is (waits,
  tries again, writes down a gap). What the severity asks for beyond that is done here.
- First it is counted, then acted upon, and logged last.
- May be called from any thread.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tickwire.clock import Clock
from tickwire.config import Context, Severity
from tickwire.logs import Logger, get_logger
from tickwire.observe import Metrics
from tickwire.redaction import hidden
from tickwire.supervise.severity import Action, Judgement, SeverityTable

SHOWN_S = 60.0  # how long health shows an error of severity high
MOST_SHOWN = 16
LONGEST_TEXT = 500

_log = get_logger("tickwire.failures")
_LEVELS = {
    Severity.LOW: "info",
    Severity.MEDIUM: "warning",
    Severity.HIGH: "error",
    Severity.CRITICAL: "error",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error of severity high.

    Parameters
    ----------
    at_s
        When, monotonic.
    context
        Where.
    part
        Which source, sink or task.
    text
        For a person.
    """

    at_s: float
    context: Context
    part: str
    text: str


class Failures:
    """Takes reports of failures.

    Parameters
    ----------
    table
        Tells how bad an error is.
    metrics
        Counts them by context and severity.
    clock
        Monotonic, seconds.

    Attributes
    ----------
    on_stop
        Called with an error that ends the feed; such are reported in the loop's thread.
    on_emergency
        Called with the reason of an emergency, in the thread that reports it.
    on_trouble
        Called with an error of severity high, in the thread that reports it.
    """

    def __init__(
        self,
        table: SeverityTable | None = None,
        metrics: Metrics | None = None,
        *,
        clock: Clock = time.monotonic,
    ) -> None:
        self.on_stop: Callable[[BaseException], None] = lambda _: None
        self.on_emergency: Callable[[str], None] = lambda _: None
        self.on_trouble: Callable[[Trouble], None] = lambda _: None
        self._table = table or SeverityTable()
        self._clock = clock
        self._troubles: deque[Trouble] = deque(maxlen=MOST_SHOWN)
        self._metrics = Metrics() if metrics is None else metrics

    def report(
        self,
        error: BaseException,
        context: Context,
        event: str = "",
        /,
        *,
        part: str = "",
        log: Logger = _log,
        count: int = 1,
        quiet: bool = False,
        **values: Any,
    ) -> Judgement:
        """Take a failure.

        Parameters
        ----------
        error
            What failed.
        context
            Where.
        event
            The line in the log; by default `failed`.
        part
            Which source, sink or task.
        log
            Whose line it is.
        count
            How many there were.
        quiet
            Whether the line is left out below `critical`, because there were many.
        **values
            Of the line; `error` is the error's text where it is not given, left out where empty.

        Returns
        -------
        Judgement
            What it was taken for.
        """
        judged = self._table.judge(error, context)
        labels = {"context": context.value, "severity": judged.severity.value}
        self._metrics.counter("errors", **labels).add(count)
        text = hidden(" ".join(str(error).split()) or type(error).__name__)[:LONGEST_TEXT]
        self._act(judged, error, context, part, text)
        if not quiet or judged.severity is Severity.CRITICAL:
            values = {"error": text, **values, "severity": judged.severity.value}
            if not values["error"]:
                del values["error"]
            getattr(log, _LEVELS[judged.severity])(event or "failed", **values)
        return judged

    def troubles(self) -> list[Trouble]:
        """Give the errors of severity high of the last minute, the last one of each part."""
        now_s = self._clock()
        last = {
            (each.context, each.part): each
            for each in list(self._troubles)
            if now_s - each.at_s < SHOWN_S
        }
        return list(last.values())

    def _act(
        self, judged: Judgement, error: BaseException, context: Context, part: str, text: str
    ) -> None:
        if judged.action is Action.EMERGENCY:
            self.on_emergency(f"{context.value} {part}: {text}" if part else text)
        elif judged.action is Action.STOP:
            self.on_stop(error)
        elif judged.action is Action.DEGRADE:
            trouble = Trouble(self._clock(), context, part, text)
            self._troubles.append(trouble)
            self.on_trouble(trouble)
