"""Holes of counted connections, of which another connection may have brought the messages.

Rules of this file
------------------
- Where several connections bring the same, a hole of one is a gap only where no other one was there
  for all of it: subscribed before it began, there still `WAIT_NS` later (or `SETTLED_NS`, where it
  has ended meanwhile), and without a hole of its own within `WAIT_NS` of it.
- Which messages were missing is not known, so nothing finer can be said. Where two connections have
  holes about the same time, both are gaps.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from dataclasses import dataclass

NEVER = 2**62
WAIT_NS = 2_000_000_000  # by which one connection may be behind another
SETTLED_NS = 100_000_000
KEPT_NS = 60_000_000_000  # a connection that has ended is remembered for so long


@dataclass(frozen=True, slots=True)
class LegHole:
    """A hole of a connection.

    Parameters
    ----------
    session, conn
        Whose.
    since_ns, until_ns
        When the last message before it was received, and the first one after; wall time.
    detail
        For a person.
    noted_ns
        When it was noted, by the monotonic clock.
    """

    session: int
    conn: int
    since_ns: int
    until_ns: int
    detail: str
    noted_ns: int

    def meets(self, other: LegHole) -> bool:
        """Whether another one may be of the same messages."""
        return (
            self.since_ns - WAIT_NS <= other.until_ns and other.since_ns - WAIT_NS <= self.until_ns
        )


class LegHoles:
    """The holes of a source's connections, until it is known whether they are gaps."""

    def __init__(self) -> None:
        # By session and connection: since when it brings all, and until when; wall time.
        self._others: dict[tuple[int, int], tuple[int, int]] = {}
        self._waiting: deque[LegHole] = deque()
        # By session and connection, in their order, the decided ones too: another connection may
        # still come to the place.
        self._known: dict[tuple[int, int], list[LegHole]] = {}

    def completed(self, session: int, conn: int, now_ns: int) -> None:
        """Note that a connection brings everything from now on; wall time."""
        self._others.setdefault((session, conn), (now_ns, NEVER))
        self._others = {
            each: (since_ns, until_ns)
            for each, (since_ns, until_ns) in self._others.items()
            if now_ns - until_ns < KEPT_NS
        }

    def left(self, session: int, conn: int, now_ns: int) -> None:
        """Note that a connection has ended; wall time."""
        if (session, conn) in self._others:
            self._others[session, conn] = self._others[session, conn][0], now_ns

    def has_others(self, hole: LegHole) -> bool:
        """Whether another connection was there for all of a hole."""
        return bool(self._beside(hole, 0))

    def _beside(self, hole: LegHole, settled_ns: int) -> list[int]:
        return [
            conn
            for (session, conn), (since_ns, until_ns) in self._others.items()
            if session == hole.session
            and conn != hole.conn
            and since_ns <= hole.since_ns
            and until_ns >= hole.until_ns + settled_ns
        ]

    def wait(self, hole: LegHole) -> None:
        """Keep a hole, until `take`."""
        self._waiting.append(hole)
        self._known.setdefault((hole.session, hole.conn), []).append(hole)

    def take(self, now_ns: int, *, is_last: bool = False) -> list[LegHole]:
        """Give the holes that are gaps; by the monotonic clock, all of them at the end."""
        due = []
        while self._waiting and (is_last or now_ns - self._waiting[0].noted_ns >= WAIT_NS):
            due.append(self._waiting.popleft())
        found = [each for each in due if not self._is_had(each)]
        for key, known in list(self._known.items()):
            n_old = bisect_right(known, now_ns - 4 * WAIT_NS, key=lambda each: each.noted_ns)
            del known[:n_old]
            if not known:
                del self._known[key]
        return found

    def _is_had(self, hole: LegHole) -> bool:
        """Whether another connection has brought what is missing from one."""
        return any(
            not self._has_met(hole.session, conn, hole) for conn in self._beside(hole, SETTLED_NS)
        )

    def _has_met(self, session: int, conn: int, hole: LegHole) -> bool:
        """Whether a connection has a hole that may be of the same messages."""
        known = self._known.get((session, conn), [])
        # Those of a connection do not overlap: the first that has not ended before tells.
        first = bisect_left(known, hole.since_ns - WAIT_NS, key=lambda each: each.until_ns)
        return first < len(known) and known[first].meets(hole)
