"""Time in which the event loop ran: what a peer's deadlines are counted in.

Rules of this file
------------------
- A loop that stood still (SIGSTOP, a suspended machine, a callback that blocks, a long garbage
  collection) finds its timers due and its sockets full. What the peer sent meanwhile lies in the
  kernel, so the time does not count against the peer.
- A stall is a gap of more than `LATE_S` between two looks at the clock; all of it but `STEP_S` is
  left out. Somebody looks every `STEP_S` while anybody counts (`counting`).
- After a stall nothing is judged for `GRACE_S`: first everything is read that has come.
- Whatever looks from time to time does so at the same times (`to_step_s`): a wake of an idle
  processor costs more than most looks.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from weakref import WeakKeyDictionary

STEP_S = 0.25
LATE_S = 0.5
GRACE_S = 0.5
REMEMBERED_STALLS = 64


def to_step_s(loop: asyncio.AbstractEventLoop, seconds: float = STEP_S) -> float:
    """Give how long to wait for the multiple of `STEP_S` that is nearest after `seconds`.

    Parameters
    ----------
    loop
        Whose clock counts.
    seconds
        About how long to wait; the answer is up to `STEP_S` / 2 more or less.
    """
    now_s = loop.time()
    return max(round((now_s + seconds) / STEP_S) * STEP_S - now_s, STEP_S / 2)


class AwakeClock:
    """A monotonic clock that leaves out the stalls of an event loop.

    Parameters
    ----------
    mono_ns
        The monotonic clock.

    Attributes
    ----------
    n_stalls
        How many there were.
    """

    def __init__(self, mono_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self.n_stalls = 0
        self._mono_ns = mono_ns
        self._looked_ns = mono_ns()
        self._late_ns = 0  # in all
        # The end of each stall, monotonic, and how much of it is left out.
        self._stalls: deque[tuple[int, int]] = deque(maxlen=REMEMBERED_STALLS)

    def restart(self) -> None:
        """Look for the first time after a pause without looks: that was no stall."""
        self._looked_ns = self._mono_ns()

    def look(self) -> int:
        """Note a stall that has just ended; give the monotonic time, ns."""
        now_ns = self._mono_ns()
        gap_ns = now_ns - self._looked_ns
        self._looked_ns = now_ns
        if gap_ns > LATE_S * 1e9:
            late_ns = gap_ns - round(STEP_S * 1e9)
            self.n_stalls += 1
            self._late_ns += late_ns
            self._stalls.append((now_ns, late_ns))
        return now_ns

    def now_s(self) -> float:
        """Give the seconds since some time in the past, without stalls."""
        return (self.look() - self._late_ns) / 1e9

    def since_s(self, then_ns: int) -> float:
        """Give the seconds since a monotonic time, without stalls.

        Parameters
        ----------
        then_ns
            Of the same monotonic clock.
        """
        now_ns = self.look()
        late_ns = sum(min(late, end - then_ns) for end, late in self._stalls if end > then_ns)
        return max(0, now_ns - then_ns - late_ns) / 1e9

    def grace_s(self) -> float:
        """Give how long nothing must be judged yet, because the loop stood still; 0 for not."""
        now_ns = self.look()
        if not self._stalls:
            return 0.0
        return max(0.0, GRACE_S - (now_ns - self._stalls[-1][0]) / 1e9)


class _Ticker:
    """Looks at the clock of a loop while anybody counts."""

    def __init__(self) -> None:
        self.clock = AwakeClock()
        self.n_counting = 0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self.n_counting += 1
        if self._timer is None:
            self.clock.restart()
            self._tick(loop)

    def end(self) -> None:
        self.n_counting -= 1
        if not self.n_counting and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self.clock.look()
        self._timer = loop.call_later(to_step_s(loop), self._tick, loop)


_TICKERS: WeakKeyDictionary[asyncio.AbstractEventLoop, _Ticker] = WeakKeyDictionary()


@contextlib.contextmanager
def counting() -> Iterator[AwakeClock]:
    """Give the running loop's clock, which notices stalls as long as this is open."""
    loop = asyncio.get_running_loop()
    ticker = _TICKERS.setdefault(loop, _Ticker())
    ticker.begin(loop)
    try:
        yield ticker.clock
    finally:
        ticker.end()


@contextlib.asynccontextmanager
async def awake_timeout(seconds: float) -> AsyncIterator[asyncio.Timeout]:
    """Do as `asyncio.timeout` does, in time in which the loop ran.

    Parameters
    ----------
    seconds
        How long the body may take.
    """
    loop = asyncio.get_running_loop()
    with counting() as clock:
        async with asyncio.timeout(None) as limit:
            end_s = clock.now_s() + seconds
            timers: list[asyncio.TimerHandle] = []  # one at a time

            def judge() -> None:
                left_s = max(end_s - clock.now_s(), clock.grace_s())
                if left_s > 0:
                    timers[:] = [loop.call_later(left_s, judge)]
                else:
                    limit.reschedule(loop.time())

            timers.append(loop.call_later(seconds, judge))
            try:
                yield limit
            finally:
                timers[-1].cancel()
