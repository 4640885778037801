"""Counts that should not grow: a line of the log where one has, a minute at most."""

from __future__ import annotations

import time

from tickwire.clock import Clock
from tickwire.logs import get_logger

LOG_EVERY_S = 60.0  # of one count

_log = get_logger("tickwire.feed")


class GrowingCounts:
    """Logs the counts of one source that should not grow.

    Parameters
    ----------
    venue
        The source's.
    clock
        Monotonic, seconds.
    """

    def __init__(self, venue: str, clock: Clock = time.monotonic) -> None:
        self._venue = venue
        self._clock = clock
        self._logged: dict[str, object] = {}
        self._due_s: dict[str, float] = {}

    def look(self, event: str, count: int | dict[str, int]) -> None:
        """Log a count that is another one than was logged last.

        Parameters
        ----------
        event
            Of the line, and what is counted.
        count
            As it is now: one, or by name.
        """
        now_s = self._clock()
        if not count or count == self._logged.get(event) or now_s < self._due_s.get(event, 0.0):
            return
        self._logged[event] = count
        self._due_s[event] = now_s + LOG_EVERY_S
        _log.warning(event, venue=self._venue, count=count)
