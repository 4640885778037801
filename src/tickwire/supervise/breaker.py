"""Circuit breakers: what has failed again and again is left alone for a while.

Rules of this file
------------------
- Pure: decided from events and a clock; who holds a breaker does the I/O.
- A breaker is closed while all is well. It opens after `THRESHOLD` failures in a row, and at once
  where the other side says how long to stay away. While it is open, no one tries. Then it is half
  open: one may try, the others follow its result.
- Each time it opens without having been well between, it stays open for twice as long, up to
  `LONGEST_OPEN_S`, or as long as the other side asked for, if that is longer. Before `THRESHOLD`
  failures in a row what the other side asks for is enough: it knows when it will have us again.
- What could not be reached at all may be probed while its breaker is open, by what costs nothing;
  the first probe that gets through makes it half open. A refusal is an answer: after one, nothing
  is probed before the time is over, whatever fails meanwhile.
- To have been reached does not end a row of failures: what breaks down soon after counts too. What
  works for long enough does (`healthy`); but what was begun before it opened says nothing about a
  new try, so it leaves an open breaker as it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum

from tickwire.clock import Clock
from tickwire.supervise.backoff import Backoff

THRESHOLD = 5
FIRST_OPEN_S = 5.0
LONGEST_OPEN_S = 60.0
PROBE_EVERY_S = 2.0
LONGEST_TRIAL_S = 60.0  # after that another one may try


class BreakerState(Enum):
    """Whether to try."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


class Failure(Enum):
    """Why something failed, as far as it matters when to try again."""

    UNREACHABLE = "unreachable"  # nothing answered: no name, refused, no route, no answer in time
    REFUSED = "refused"  # it answered, and wants us to stay away
    OTHER = "other"


OnChange = Callable[["CircuitBreaker", BreakerState], None]


class CircuitBreaker:
    """Whether to try something that may be down.

    Parameters
    ----------
    name
        What it is about.
    on_change
        Called with the breaker and its new state.
    clock
        Monotonic, seconds.
    """

    def __init__(
        self, name: str, on_change: OnChange | None = None, *, clock: Clock = time.monotonic
    ) -> None:
        self.name = name
        self.n_failures = 0  # in a row
        self._failing_since_s = 0.0
        self.last_failure: Failure | None = None
        self._on_change = on_change
        self._clock = clock
        self._state = BreakerState.CLOSED
        self._open_until_s = 0.0
        self._backoff = Backoff(FIRST_OPEN_S, LONGEST_OPEN_S, at_once=0, jitter=0.0)
        self._next_probe_s = 0.0
        self._is_refused = False  # since it opened
        self._trial_until_s: float | None = None

    @property
    def state(self) -> BreakerState:
        """Its state now."""
        if self._state is BreakerState.OPEN and self._clock() >= self._open_until_s:
            self._become(BreakerState.HALF_OPEN)
        return self._state

    def wait_s(self) -> float:
        """Give how long no one may try; 0: `try_acquire` may succeed now."""
        state = self.state
        if state is BreakerState.OPEN:
            return self._open_until_s - self._clock()
        if state is BreakerState.HALF_OPEN and self._trial_until_s is not None:
            return max(0.0, self._trial_until_s - self._clock())
        return 0.0

    @property
    def down_s(self) -> float:
        """How long its row of failures has lasted, while it is not closed; else 0."""
        is_closed = self.state is BreakerState.CLOSED
        return 0.0 if is_closed else self._clock() - self._failing_since_s

    def try_acquire(self) -> bool:
        """Ask to try; where it is half open, one at a time may. Report the result."""
        if self.wait_s() > 0:
            return False
        if self._state is BreakerState.HALF_OPEN:
            self._trial_until_s = self._clock() + LONGEST_TRIAL_S
        return True

    def release(self) -> None:
        """Report that a try was given up without a result."""
        self._trial_until_s = None

    def failed(self, failure: Failure = Failure.OTHER, *, stay_away_s: float = 0.0) -> None:
        """Report a failure.

        Parameters
        ----------
        failure
            Why.
        stay_away_s
            How long the other side wants not to be asked.
        """
        state = self.state
        now_s = self._clock()
        if self.n_failures == 0:
            self._failing_since_s = now_s
        self.n_failures += 1
        self.last_failure = failure
        self._trial_until_s = None
        is_refusal = failure is Failure.REFUSED
        self._is_refused = is_refusal or (state is BreakerState.OPEN and self._is_refused)
        if state is BreakerState.OPEN:  # begun before it opened
            self._open_until_s = max(self._open_until_s, now_s + stay_away_s)
        elif state is BreakerState.HALF_OPEN or self.n_failures >= THRESHOLD or stay_away_s > 0:
            open_s = stay_away_s
            if stay_away_s <= 0 or self.n_failures >= THRESHOLD:
                open_s = max(stay_away_s, self._backoff.next_delay_s())
            self._open_until_s = now_s + open_s
            self._next_probe_s = now_s + PROBE_EVERY_S
            self._become(BreakerState.OPEN)

    def reached(self) -> None:
        """Report that it is there: half open becomes closed."""
        self._trial_until_s = None
        if self.state is BreakerState.HALF_OPEN:
            self.n_failures = 0
            self._become(BreakerState.CLOSED)

    def healthy(self) -> None:
        """Report that it works and has for long enough: the row of failures ends."""
        if self.state is BreakerState.CLOSED:
            self.n_failures = 0
            self._backoff.reset()

    @property
    def may_be_probed(self) -> bool:
        """Whether it is open because nothing could be reached."""
        return (
            self.state is BreakerState.OPEN
            and self.last_failure is Failure.UNREACHABLE
            and not self._is_refused
        )

    def try_probe(self) -> bool:
        """Ask to probe it; one may, every `PROBE_EVERY_S`."""
        if not self.may_be_probed or self._clock() < self._next_probe_s:
            return False
        self._next_probe_s = self._clock() + PROBE_EVERY_S
        return True

    def probed(self) -> None:
        """Report a probe that got through: half open at once."""
        if self.may_be_probed:
            self._become(BreakerState.HALF_OPEN)

    def _become(self, state: BreakerState) -> None:
        self._state = state
        if self._on_change is not None:
            self._on_change(self, state)


class Breakers:
    """Breakers by name, shared by all who try the same thing.

    Parameters
    ----------
    on_change
        Called with a breaker and its new state.
    clock
        Monotonic, seconds.
    """

    def __init__(self, on_change: OnChange | None = None, *, clock: Clock = time.monotonic) -> None:
        self._on_change = on_change
        self._clock = clock
        self._found: dict[str, CircuitBreaker] = {}

    def of(self, name: str) -> CircuitBreaker:
        """Give the breaker of that name; a new one is closed."""
        if name not in self._found:
            self._found[name] = CircuitBreaker(name, self._on_change, clock=self._clock)
        return self._found[name]

    def count(self, state: BreakerState) -> int:
        """Give how many are in that state."""
        return sum(each.state is state for each in self._found.values())
