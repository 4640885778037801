"""Degradation: less, in an ordered list with a way back, where all cannot be had.

Rules of this file
------------------
- Pure: decided from the causes that hold and a clock; who owns a list takes and undoes the steps.
- A step answers some causes. While one of them holds, the first step that answers it is taken, a
  level at a time; the next one only where that has had `SETTLE_S` to help.
- Steps are undone in reverse order, a level at a time, once none of their causes has held for a
  while: `FIRST_CALM_S`, and twice as long each time that a step is needed again soon after it was
  undone, up to `LONGEST_CALM_S`. So it does not swing between two states.
- What cannot be taken (no poorer channel, the last symbol) is passed over.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum

from tickwire.clock import Clock
from tickwire.supervise.backoff import Backoff

SETTLE_S = 10.0
FIRST_CALM_S = 60.0
LONGEST_CALM_S = 3600.0


class Cause(Enum):
    """Why less must do."""

    UNREACHABLE = "unreachable"  # a breaker is open
    FAILING = "failing"  # it fails again and again
    REFUSED = "refused"  # the venue does not give it
    OVERLOAD = "overload"  # rings stay full, or reading stays paused


class Hysteresis:
    """How long all must be calm before a step is undone.

    Parameters
    ----------
    first_s
        The first time.
    longest_s
        At most.
    clock
        Monotonic, seconds.
    """

    def __init__(
        self,
        first_s: float = FIRST_CALM_S,
        longest_s: float = LONGEST_CALM_S,
        *,
        clock: Clock = time.monotonic,
    ) -> None:
        self._backoff = Backoff(first_s, longest_s, at_once=0, jitter=0.0)
        self._clock = clock
        self._undone_s = float("-inf")
        self._calm_s = first_s

    @property
    def calm_s(self) -> float:
        """How long."""
        return self._calm_s

    def taken(self) -> None:
        """Note that the step is needed: again, where it was undone not long ago."""
        if self._clock() - self._undone_s > 2 * self._calm_s:
            self._backoff.reset()
        self._calm_s = self._backoff.next_delay_s()

    def undone(self) -> None:
        """Note that the step was undone."""
        self._undone_s = self._clock()


@dataclass(frozen=True, slots=True)
class Step:
    """One way to do with less.

    Parameters
    ----------
    name
        For log, metrics and health.
    answers
        The causes that it helps against.
    levels
        How often it can be taken, each time more of it.
    """

    name: str
    answers: frozenset[Cause]
    levels: int = 1


@dataclass(frozen=True, slots=True)
class Change:
    """What to do now.

    Parameters
    ----------
    step
        Of which step.
    level
        Where it is to be: 0 is undone.
    cause
        Why it is taken; None where it is undone.
    """

    step: Step
    level: int
    cause: Cause | None


class Sustained:
    """Whether a measure is high, and has been for a while; then, whether it still is not low.

    Parameters
    ----------
    high, low
        It must reach one to begin, and fall below the other to end.
    for_s
        How long it must be high.
    clock
        Monotonic, seconds.
    """

    def __init__(
        self, high: float, low: float, for_s: float, *, clock: Clock = time.monotonic
    ) -> None:
        self._high = high
        self._low = low
        self._for_s = for_s
        self._clock = clock
        self._since_s: float | None = None
        self._holds = False

    def look(self, value: float) -> bool:
        """Take a measure; tell whether it holds."""
        now_s = self._clock()
        if value < self._low or (value < self._high and not self._holds):
            self._since_s = None
            self._holds = False
        elif self._since_s is None:
            self._since_s = now_s
        if self._since_s is not None and now_s - self._since_s >= self._for_s:
            self._holds = True
        return self._holds


class Degradation:
    """The list of steps of one part of a feed.

    Parameters
    ----------
    steps
        The first one costs least.
    settle_s
        What a step has to help before the next one is taken, and between two that are undone.
    first_calm_s, longest_calm_s
        See `Hysteresis`.
    clock
        Monotonic, seconds.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        *,
        settle_s: float = SETTLE_S,
        first_calm_s: float = FIRST_CALM_S,
        longest_calm_s: float = LONGEST_CALM_S,
        clock: Clock = time.monotonic,
    ) -> None:
        self.steps = tuple(steps)
        self._settle_s = settle_s
        self._clock = clock
        self._levels = [0] * len(self.steps)
        self._most = [step.levels for step in self.steps]
        self._hysteresis = [
            Hysteresis(first_calm_s, longest_calm_s, clock=clock) for _ in self.steps
        ]
        self._changed_s = float("-inf")
        self._held_s: dict[Cause, float] = {}  # when each cause held last

    def level(self, name: str) -> int:
        """Give the level of a step; 0 where it is not taken."""
        return next(
            level for step, level in zip(self.steps, self._levels, strict=True) if step.name == name
        )

    @property
    def taken(self) -> list[tuple[Step, int]]:
        """The steps that are taken, and how far."""
        return [
            (step, level) for step, level in zip(self.steps, self._levels, strict=True) if level
        ]

    def look(self, causes: Collection[Cause]) -> Change | None:
        """Give the change to make now; to be called a few times a second.

        It counts as made, unless `refuse` says that it cannot be.

        Parameters
        ----------
        causes
            Those that hold.
        """
        now_s = self._clock()
        self._held_s.update(dict.fromkeys(causes, now_s))
        if now_s - self._changed_s < self._settle_s:
            return None
        for at, step in enumerate(self.steps):
            cause = next((each for each in causes if each in step.answers), None)
            if cause is not None and self._levels[at] < self._most[at]:
                if not self._levels[at]:
                    self._hysteresis[at].taken()
                return self._change(at, self._levels[at] + 1, cause)
        at = max((at for at, level in enumerate(self._levels) if level), default=-1)
        if at < 0:
            return None
        last_s = max(
            (self._held_s.get(cause, float("-inf")) for cause in self.steps[at].answers),
            default=float("-inf"),
        )
        if now_s - max(last_s, self._changed_s) < self._hysteresis[at].calm_s:
            return None
        if self._levels[at] == 1:
            self._hysteresis[at].undone()
        return self._change(at, self._levels[at] - 1, None)

    def refuse(self, change: Change) -> None:
        """Say that a change cannot be made: the step has no such level."""
        at = self.steps.index(change.step)
        self._most[at] = self._levels[at] = change.level - 1
        self._changed_s = float("-inf")

    def _change(self, at: int, level: int, cause: Cause | None) -> Change:
        self._levels[at] = level
        self._changed_s = self._clock()
        return Change(self.steps[at], level, cause)
