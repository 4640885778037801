"""Keeping within a venue's limits: evenly spaced requests, so many connects a minute."""

from __future__ import annotations

import asyncio
import time
from collections import deque

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


class WindowLimiter:
    """At most so many within any `window_s` seconds; shared by all sessions of a venue.

    Parameters
    ----------
    count
        How many; 0 for no limit.
    window_s
        The length of the window.
    clock, sleep
        Seconds of a monotonic clock, and what waits.
    """

    def __init__(
        self,
        count: int,
        window_s: float = 60.0,
        *,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._count = count
        self._window_s = window_s
        self._clock = clock
        self._sleep = sleep
        self._turns: deque[float] = deque()  # when each of the last ones was, or will be

    async def turn(self) -> None:
        """Wait until one more is allowed, and count it."""
        wait_s = self.reserve() - self._clock()
        if wait_s > 0:
            await self._sleep(wait_s)

    def reserve(self) -> float:
        """Count one more; give when it is allowed.

        Who waits has its turn already, so several waiters get theirs in order.
        """
        at = self._clock()
        if self._count <= 0:
            return at
        if len(self._turns) >= self._count:
            at = max(at, self._turns.popleft() + self._window_s)
        self._turns.append(at)
        return at

    def give_back(self) -> None:
        """Count one less: the last turn was not used."""
        if self._turns:
            self._turns.pop()
