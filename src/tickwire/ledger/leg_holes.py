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
        self._waiting: list[LegHole] = []
        self._past: list[LegHole] = []  # decided; another connection may still come to the place

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

    def take(self, now_ns: int, *, is_last: bool = False) -> list[LegHole]:
        """Give the holes that are gaps; by the monotonic clock, all of them at the end."""
        if not self._waiting and not self._past:
            return []
        known = [*self._past, *self._waiting]
        due = [each for each in self._waiting if is_last or now_ns - each.noted_ns >= WAIT_NS]
        self._waiting = [each for each in self._waiting if each not in due]
        self._past = [each for each in known if now_ns - each.noted_ns < 4 * WAIT_NS]
        self._past = [each for each in self._past if each not in self._waiting]
        return [each for each in due if not self._is_had(each, known)]

    def _is_had(self, hole: LegHole, known: list[LegHole]) -> bool:
        """Whether another connection has brought what is missing from one."""
        return any(
            not any(each.conn == conn and each.meets(hole) for each in known)
            for conn in self._beside(hole, SETTLED_NS)
        )
