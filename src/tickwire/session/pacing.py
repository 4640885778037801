"""Keeping within a venue's limits: evenly spaced requests, so many connects a minute."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right, insort
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from tickwire.clock import Clock, Sleep
from tickwire.logs import Logger
from tickwire.observe import Counter

LONGEST_DEBT_S = 10.0
LOGGED_WAIT_S = 1.0  # what waited so long in all is logged
LOG_EVERY_S = 10.0  # at most: many symbols may wait


class Pacer:
    """Spaces what one connection sends evenly.

    A venue that counts per second counts in windows that we cannot see, so no bursts are saved up.

    Parameters
    ----------
    per_s
        Messages per second; 0 for no limit.
    shared
        The venue's limit for all connections.
    source
        Whose share of that it is.
    on_wait
        Called with each wait, seconds.
    clock, sleep
        Seconds of a monotonic clock, and what waits.
    """

    def __init__(
        self,
        per_s: float,
        *,
        shared: WindowLimiter | None = None,
        source: str = "",
        on_wait: Callable[[float], None] = lambda _: None,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._shared = shared
        self._source = source
        self._on_wait = on_wait
        self._interval_s = 1.0 / per_s if per_s > 0 else 0.0
        self._clock = clock
        self._sleep = sleep
        self._next_at = 0.0

    async def turn(self) -> None:
        """Wait until one more message may be sent, and count it."""
        wait_s = self._next_at - self._clock()
        self._space()
        if wait_s > 0:
            self._on_wait(wait_s)
            await self._sleep(wait_s)
        if self._shared is None:
            return
        turn = self._shared.reserve(self._source)  # not before: it is a time to send at
        wait_s = turn.at_s - self._clock()
        if wait_s <= 0:
            return
        self._on_wait(wait_s)
        try:
            await self._sleep(wait_s)
        except asyncio.CancelledError:
            self._shared.give_back(turn)
            raise

    def charge(self) -> None:
        """Count a message that could not wait, such as an answer to a ping.

        However many there were, the next one waits for `LONGEST_DEBT_S` at most.
        """
        self._space()
        if self._shared is not None:
            self._shared.reserve(self._source)

    def _space(self) -> None:
        now = self._clock()
        soonest = max(now, self._next_at) + self._interval_s
        # What asked for a longer wait (`hold`) still gets it.
        self._next_at = max(self._next_at, min(soonest, now + LONGEST_DEBT_S))

    def hold(self, seconds: float) -> None:
        """Let nothing more go for this long, because the other side asked for it."""
        self._next_at = max(self._next_at, self._clock() + seconds)


class LimitWaits:
    """Counts and logs what waits for a venue's limit.

    Parameters
    ----------
    counter
        Counts ns.
    log
        Gives the logger.
    event
        The line.
    clock
        Monotonic, seconds.
    """

    def __init__(
        self, counter: Counter, log: Callable[[], Logger], event: str, clock: Clock
    ) -> None:
        self._counter = counter
        self._log = log
        self._event = event
        self._clock = clock
        self._due_s = float("-inf")
        self._unlogged_s = 0.0

    def add(self, wait_s: float, **values: object) -> None:
        """Take a wait that begins."""
        self._counter.add(int(wait_s * 1e9))
        self._unlogged_s += wait_s
        now_s = self._clock()
        if self._unlogged_s >= LOGGED_WAIT_S and now_s >= self._due_s:
            self._due_s = now_s + LOG_EVERY_S
            self._log().info(self._event, wait_s=round(self._unlogged_s, 3), **values)
            self._unlogged_s = 0.0


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
    own
        It is of what its source has to itself.
    """

    at_s: float
    source: str = ""
    first: bool = False
    own: bool = False


class WindowLimiter:
    """At most so many connects or requests within any `window_s` seconds, for all of a venue.

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
    keeps_shares
        Whether a source that has used none in this window has its share, too; it need not, where
        the window is so short that it can wait for the next.
    clock, sleep
        Seconds of a monotonic clock, and what waits.
    """

    def __init__(
        self,
        count: int,
        window_s: float = 60.0,
        *,
        n_reserved: int = 0,
        keeps_shares: bool = True,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._count = count
        self._window_s = window_s
        self._n_reserved = n_reserved
        self._keeps_shares = keeps_shares
        self._clock = clock
        self._sleep = sleep
        self._sources: set[str] = set()
        self._turns: list[Turn] = []  # by time: of the last window, and those to come

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
        every = (self._times(lambda _: True), self._count)
        if first:
            turn = Turn(self._soonest(now_s, every), source, first)
        else:
            shared = max(1, self._count - self._n_reserved)
            half = shared // (2 * max(1, len(self._sources)))
            active = {source, *(turn.source for turn in self._turns if not turn.first)}
            n_halves = len(self._sources if self._keeps_shares else self._sources & active)
            both = (every, (self._times(lambda turn: not turn.first), shared))
            own = (self._times(lambda turn: turn.own and turn.source == source), half)
            common = (
                self._times(lambda turn: not (turn.first or turn.own)),
                shared - half * n_halves,
            )
            own_s = self._soonest(now_s, *both, own) if half and source in self._sources else inf
            common_s = self._soonest(now_s, *both, common)
            turn = Turn(min(own_s, common_s), source, own=own_s <= common_s)
        insort(self._turns, turn, key=lambda each: each.at_s)
        return turn

    def _soonest(self, now_s: float, *limits: tuple[list[float], int]) -> float:
        """Give when one more fits within each limit: how many in any window, beside these."""
        free = [now_s, *(turn.at_s + self._window_s for turn in self._turns)]
        return next(
            (at for at in sorted(free) if all(self._fits(at, *limit) for limit in limits)), inf
        )

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
