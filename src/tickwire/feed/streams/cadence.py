"""Cadence: how often a venue sends messages of a kind, and whether that has changed.

Rules of this file
------------------
- Only a beat can change: counts of equal times that vary far less than those of events that come by
  chance (index of dispersion, variance by mean). What a market does makes no beat.
- A change is one from a beat to another beat that differs by `FACTOR`. So a quiet market, a lost
  connection, a full ring or a loop that stands still is none: what they leave is no beat.
- What is asked for, and over how many connections, must be the same. While one connection of a
  source is lost, nothing is compared with before; when it is back, what was known is known still.
- A beat is learned from `N_COUNTS` counts of at least `FEWEST` messages: some 24 s where a second
  brings so many, 8 minutes where one comes every 5 s.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

N_COUNTS = 24
FEWEST = 4  # messages of a count
MOST_DISPERSED = 0.1  # by chance once in a billion times
FACTOR = 1.5
MOST_ASKED = 16  # that beats are known of
LONGEST_S = 60.0  # of a count: what comes more seldom has no beat that could be learned


@dataclass(frozen=True, slots=True)
class Change:
    """A beat that has changed.

    Parameters
    ----------
    message
        The kind of message.
    before_per_s, after_per_s
        Messages a second, of all symbols together.
    """

    message: str
    before_per_s: float
    after_per_s: float


@dataclass(slots=True)
class _Beat:
    step_s: float = 0.0  # how long a count lasts; 0: not known yet
    started_s: float = 0.0
    n_started: int = 0
    per_s: deque[float] = field(default_factory=lambda: deque(maxlen=N_COUNTS))

    def restart(self, now_s: float, n: int, *, step_s: float) -> None:
        self.step_s, self.started_s, self.n_started = step_s, now_s, n
        self.per_s.clear()

    def add(self, now_s: float, n: int) -> float:
        """Take how many have come by now; gives the beat, 0 where there is none."""
        passed_s = now_s - self.started_s
        n_new = n - self.n_started
        if not self.step_s:
            if n_new >= FEWEST or passed_s > LONGEST_S:
                # A little less, or looks that come early take two for a count.
                self.restart(now_s, n, step_s=0.8 * passed_s if n_new >= FEWEST else 0.0)
            return 0.0
        if passed_s < self.step_s:
            return 0.0
        self.per_s.append(n_new / passed_s)
        self.started_s, self.n_started = now_s, n
        mean = sum(self.per_s) / len(self.per_s)
        if len(self.per_s) >= FEWEST and 4 * mean * self.step_s < 3 * FEWEST:
            # Longer counts, so that a slower beat is seen as one.
            self.restart(now_s, n, step_s=min(FEWEST / mean, LONGEST_S) if mean else 0.0)
            return 0.0
        if len(self.per_s) < N_COUNTS or mean == 0.0:
            return 0.0
        variance = sum((each - mean) ** 2 for each in self.per_s) / (N_COUNTS - 1)
        return mean if variance * self.step_s / mean < MOST_DISPERSED else 0.0


class Cadences:
    """The beats of one source's messages."""

    def __init__(self) -> None:
        self._beats: dict[str, _Beat] = {}
        self._asked: Hashable = None
        self._known: dict[Hashable, dict[str, float]] = {}  # by what was asked for and message

    def look(self, counts: Mapping[str, int], now_s: float, asked: Hashable = None) -> list[Change]:
        """Give the beats that have changed.

        Parameters
        ----------
        counts
            Messages of each kind since the start.
        now_s
            A clock; called about once a second.
        asked
            What the numbers of messages depend on: what is subscribed, by how many connections.
        """
        if asked != self._asked:
            self._asked = asked
            self._beats.clear()
        known = self._known.get(asked, {})
        changes = []
        for message, n in counts.items():
            if not n:
                continue
            beat = self._beats.get(message)
            if beat is None:
                beat = self._beats[message] = _Beat()
                beat.restart(now_s, n, step_s=0.0)
                continue
            per_s, before_per_s = beat.add(now_s, n), known.get(message)
            if not per_s:
                continue
            if before_per_s is not None:
                if 1 / FACTOR < per_s / before_per_s < FACTOR:
                    continue  # what is known stays, or a slow drift would never be one
                changes.append(Change(message, before_per_s, per_s))
            known[message] = per_s
            self._keep(known)
        return changes

    def _keep(self, known: dict[str, float]) -> None:
        self._known[self._asked] = known
        if len(self._known) > MOST_ASKED:
            del self._known[next(iter(self._known))]
