"""When to connect next, and where to: decided from events and a clock, without any I/O.

Rules of this file
------------------
- A connection that has been fully subscribed for `HEALTHY_S` is well: from then on the delays and
  the row of failures begin anew, and the attempt after it comes at once, at the same endpoint. One
  that dies younger is a failure, whatever it brought. After a failure the delays grow, and the next
  endpoint has its turn.
- An endpoint whose breaker is open is passed over. Where all are open, there is nothing but to wait
  and, where nothing could be reached, to probe.
- What could not be reached at all (no name, no route, refused) costs the venue nothing: it is
  tried again soon, and its turn in the venue's limit of connects is given back.
- The venue's limit is asked for last, once the delay is over, so that no turn is held in vain.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from tickwire.clock import Clock
from tickwire.errors import ConnectionFailed, HandshakeError, Unreachable
from tickwire.session.pacing import Turn, WindowLimiter
from tickwire.session.refusals import CONNECT_PAUSE_S, stay_away_s
from tickwire.supervise import Backoff, Breakers, CircuitBreaker, Failure

HEALTHY_S = 10.0
REFUSALS = frozenset({403, 418, 429, 503})
LOOK_S = 0.25  # between two looks at breakers that are open


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait, then ask again.

    Parameters
    ----------
    seconds
        How long.
    reason
        `backoff`; `limit`: the venue's, of connects; `breaker`: all endpoints are left alone.
    """

    seconds: float
    reason: Literal["backoff", "limit", "breaker"]


@dataclass(frozen=True, slots=True)
class Connect:
    """Connect now.

    Parameters
    ----------
    url
        Where to.
    """

    url: str


class ReconnectPolicy:
    """Decides what a session does next while it has no connection.

    Parameters
    ----------
    urls
        The endpoints, the best first.
    connects
        The venue's limit of connects; shared among its sessions.
    breaker_of
        Gives the breaker of an endpoint; shared among all sessions. None: breakers of its own.
    source
        Whose share of the limit it is.
    first_delay_s, longest_delay_s
        Of the backoff.
    unreachable_delay_s
        The longest delay while nothing can be reached.
    rng
        Gives the jitter.
    clock
        Monotonic, seconds.
    """

    def __init__(
        self,
        urls: Sequence[str],
        connects: WindowLimiter,
        breaker_of: Callable[[str], CircuitBreaker] | None = None,
        *,
        source: str = "",
        first_delay_s: float = 1.0,
        longest_delay_s: float = 30.0,
        unreachable_delay_s: float = 3.0,
        rng: random.Random | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        if not urls:
            raise ValueError("no endpoint to connect to")
        self._urls = tuple(urls)
        self._at = 0  # of the endpoint whose turn it is
        self._connects = connects
        self._breaker_of = breaker_of or Breakers(clock=clock).of
        self._source = source
        self._backoff = Backoff(first_delay_s, longest_delay_s, rng=rng)
        self._unreachable_delay_s = unreachable_delay_s
        self._clock = clock
        self._not_before_s = float("-inf")
        self._turn: Turn | None = None  # of the next attempt, or of the last
        self._has_turn = False  # of the next
        self._is_well = False  # the open connection, or the last one where no attempt has failed
        self._tried_url = self.url  # of the open connection or the last attempt
        connects.join(source)

    @property
    def url(self) -> str:
        """The endpoint whose turn it is."""
        return self._urls[self._at]

    @property
    def is_away(self) -> bool:
        """Whether the open connection, or the last attempt, is not at the first endpoint."""
        return self._tried_url != self._urls[0]

    @property
    def first_url(self) -> str:
        """The first endpoint."""
        return self._urls[0]

    def may_return(self) -> bool:
        """Whether the breaker of the first endpoint lets it be tried."""
        return self._breaker_of(self._urls[0]).wait_s() == 0

    def turn_to_first(self) -> None:
        """Let the first endpoint have its turn."""
        self._at = 0

    @property
    def _tried(self) -> CircuitBreaker:
        return self._breaker_of(self._tried_url)

    def next_step(self) -> Wait | Connect:
        """Give what to do now; after a `Wait`, ask again."""
        now_s = self._clock()
        if now_s < self._not_before_s:
            return Wait(self._not_before_s - now_s, "backoff")
        if not self._choose():
            return self._wait_for_breakers()
        if not self._has_turn:
            self._turn = self._connects.reserve(self._source, first=self._is_well)
            self._has_turn = True
            now_s = self._clock()  # a turn that is now comes after the first look at the clock
        if self._turn is not None and now_s < self._turn.at_s:
            return Wait(self._turn.at_s - now_s, "limit")
        if not self._breaker_of(self.url).try_acquire():
            return self._wait_for_breakers()
        self._has_turn = False
        self._tried_url = self.url
        return Connect(self.url)

    def endpoint_to_probe(self) -> str | None:
        """Give an endpoint that this session is to probe now, where there is one."""
        return next((url for url in self._urls if self._breaker_of(url).try_probe()), None)

    def probed(self, url: str) -> None:
        """Note that an endpoint took a probe."""
        self._breaker_of(url).probed()

    def connected(self) -> None:
        """Note that a connection is open."""
        self._is_well = False
        self._tried.reached()

    def given_up(self) -> None:
        """Note that an attempt was given up before it had a result."""
        self._tried.release()

    def connect_failed(self, error: ConnectionFailed | HandshakeError) -> None:
        """Note what became of an attempt that brought no connection."""
        if isinstance(error, Unreachable):
            self.unreachable()
        elif isinstance(error, HandshakeError):
            away_s = stay_away_s(error.status, error.retry_after, CONNECT_PAUSE_S)
            self.failed(error.status, stay_away_s=away_s)
        else:
            self.failed()

    def unreachable(self) -> None:
        """Note that nothing took the connection."""
        if self._turn is not None:
            self._connects.give_back(self._turn)
        self._tried.failed(Failure.UNREACHABLE)
        self._delay(self._unreachable_delay_s)
        self._turn_away()

    def failed(self, status: int | None = None, *, stay_away_s: float = 0.0) -> None:
        """Note that the endpoint was reached, and that no connection came of it.

        Parameters
        ----------
        status
            The HTTP status that it answered, if it did.
        stay_away_s
            How long it wants not to be asked.
        """
        failure = Failure.REFUSED if status in REFUSALS else Failure.OTHER
        self._is_well = False
        self._tried.failed(failure, stay_away_s=stay_away_s)
        self._delay()
        self._turn_away()

    def healthy(self) -> None:
        """Note that the open connection has been fully subscribed for long enough."""
        self._is_well = True
        self._backoff.reset()
        self._tried.healthy()

    def ended(self) -> None:
        """Note that a connection has ended; without `healthy` before, it is a failure."""
        if not self._is_well:
            self._tried.failed()
            self._turn_away()
        self._delay()

    def _choose(self) -> bool:
        """Turn to an endpoint that may be tried, the nearest one; False where there is none."""
        for step in range(len(self._urls)):
            at = (self._at + step) % len(self._urls)
            if self._breaker_of(self._urls[at]).wait_s() == 0:
                self._at = at
                return True
        return False

    def _wait_for_breakers(self) -> Wait:
        if self._has_turn and self._turn is not None:  # others may have it meanwhile
            self._connects.give_back(self._turn)
            self._has_turn = False
        soonest_s = min(self._breaker_of(url).wait_s() for url in self._urls)
        return Wait(min(max(soonest_s, 0.001), LOOK_S), "breaker")

    def _delay(self, longest_s: float = float("inf")) -> None:
        self._not_before_s = self._clock() + min(self._backoff.next_delay_s(), longest_s)

    def _turn_away(self) -> None:
        """Let the endpoint after the one that failed have its turn, unless another one has it."""
        if self.url == self._tried_url:
            self.turn_to_next()

    def turn_to_next(self) -> None:
        """Let the next endpoint have its turn."""
        self._at = (self._at + 1) % len(self._urls)
