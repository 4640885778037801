"""Keeping within a venue's limits: evenly spaced requests, so many connects a minute."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tickwire.clock import Clock, Sleep

LONGEST_DEBT_S = 10.0


class Pacer:
    """Spaces what one connection sends evenly.

    A venue that counts per second counts in windows that we cannot see, so no bursts are saved up.

    Parameters
    ----------
    per_s
        Messages per second; 0 for no limit.
    clock, sleep
        Seconds of a monotonic clock, and what waits.
    """

    def __init__(
        self, per_s: float, *, clock: Clock = time.monotonic, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._interval_s = 1.0 / per_s if per_s > 0 else 0.0
        self._clock = clock
        self._sleep = sleep
        self._next_at = 0.0

    async def turn(self) -> None:
        """Wait until one more message may be sent, and count it."""
        wait_s = self._next_at - self._clock()
        self.charge()
        if wait_s > 0:
            await self._sleep(wait_s)

    def charge(self) -> None:
        """Count a message that could not wait, such as an answer to a ping.

        However many there were, the next one waits for `LONGEST_DEBT_S` at most.
        """
        now = self._clock()
        soonest = max(now, self._next_at) + self._interval_s
        # What asked for a longer wait (`hold`) still gets it.
        self._next_at = max(self._next_at, min(soonest, now + LONGEST_DEBT_S))

    def hold(self, seconds: float) -> None:
        """Let nothing more go for this long, because the other side asked for it."""
        self._next_at = max(self._next_at, self._clock() + seconds)


@dataclass(eq=False, frozen=True, slots=True)
class Turn:
    """One use of a limit.

    Parameters
    ----------
    at_s
        When it is allowed, by the limiter's clock.
    source
        Whose it is.
    first
        It may come from the reserve.
    """

    at_s: float
    source: str = ""
    first: bool = False


class WindowLimiter:
    """At most so many within any `window_s` seconds; shared by all sessions of a venue.

    A part of them is a reserve for what comes first after all was well, so that connections that
    fail again and again do not use up what others need to come back. Of the rest each source has
    half of an equal share to itself; the other halves are for the first to come.

    Parameters
    ----------
    count
        How many; 0 for no limit.
    window_s
        The length of the window.
    n_reserved
        How many of them are the reserve.
    clock, sleep
        Seconds of a monotonic clock, and what waits.
    """

    def __init__(
        self,
        count: int,
        window_s: float = 60.0,
        *,
        n_reserved: int = 0,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._count = count
        self._window_s = window_s
        self._n_reserved = n_reserved
        self._clock = clock
        self._sleep = sleep
        self._sources: set[str] = set()
        self._turns: list[Turn] = []  # by time: of the last window, and those to come
        self.waited_s = 0.0  # by all who came for a turn

    def join(self, source: str) -> None:
        """Let a source have its share."""
        self._sources.add(source)

    async def turn(self, source: str = "") -> None:
        """Wait until one more is allowed, and count it."""
        wait_s = self.reserve(source).at_s - self._clock()
        if wait_s > 0:
            await self._sleep(wait_s)

    def reserve(self, source: str = "", *, first: bool = False) -> Turn:
        """Count one more; give when it is allowed.

        Who waits has its turn already, so several waiters get theirs in order.

        Parameters
        ----------
        source
            Who wants it.
        first
            Whether the reserve may be used.
        """
        now_s = self._clock()
        if self._count <= 0:
            return Turn(now_s, source, first)
        self._turns = [turn for turn in self._turns if turn.at_s > now_s - self._window_s]
        limits = [(self._times(lambda _: True), self._count)]
        if not first:
            shared = max(1, self._count - self._n_reserved)
            used = Counter(turn.source for turn in self._turns if not turn.first)
            half = shared // (2 * max(1, len(self._sources)))
            owed = sum(max(0, half - used[other]) for other in self._sources - {source})
            limits.append((self._times(lambda turn: not turn.first), shared - owed))
        free = [now_s, *(turn.at_s + self._window_s for turn in self._turns)]
        at_s = next(at for at in sorted(free) if all(self._fits(at, *limit) for limit in limits))
        turn = Turn(at_s, source, first)
        insort(self._turns, turn, key=lambda each: each.at_s)
        self.waited_s += at_s - now_s
        return turn

    def give_back(self, turn: Turn) -> None:
        """Count one less: this turn was not used."""
        if turn in self._turns:
            self._turns.remove(turn)

    def _times(self, counts: Callable[[Turn], bool]) -> list[float]:
        return [turn.at_s for turn in self._turns if counts(turn)]

    def _fits(self, at_s: float, times: list[float], limit: int) -> bool:
        """Whether one more at that time leaves no window with more than the limit."""
        behind = bisect_right(times, at_s)
        if behind - bisect_right(times, at_s - self._window_s) + 1 > limit:
            return False
        for n, later_s in enumerate(times[behind:], behind + 1):
            if later_s >= at_s + self._window_s:
                break
            if n - bisect_right(times, later_s - self._window_s) + 1 > limit:
                return False
        return True
