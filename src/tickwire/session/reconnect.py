"""When to connect next, and where to: decided from events and a clock, without any I/O.

Rules of this file
------------------
- After a connection that brought data the delays start over, at the same endpoint. After anything
  else they double, and the next endpoint has its turn.
- What could not be reached at all (no name, no route, refused) costs the venue nothing: it is
  tried again soon, and its turn in the venue's limit of connects is given back.
- The venue's limit is asked for last, once the delay is over, so that no turn is held in vain.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tickwire.clock import Clock
from tickwire.session.backoff import Backoff
from tickwire.session.pacing import WindowLimiter


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait, then ask again.

    Parameters
    ----------
    seconds
        How long.
    reason
        `backoff`, or `limit`: the venue's, of connects.
    """

    seconds: float
    reason: Literal["backoff", "limit"]


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
        *,
        first_delay_s: float = 1.0,
        longest_delay_s: float = 60.0,
        unreachable_delay_s: float = 3.0,
        rng: random.Random | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        if not urls:
            raise ValueError("no endpoint to connect to")
        self._urls = tuple(urls)
        self._at = 0  # of the endpoint whose turn it is
        self._connects = connects
        self._backoff = Backoff(first_delay_s, longest_delay_s, rng=rng)
        self._unreachable_delay_s = unreachable_delay_s
        self._clock = clock
        self._not_before_s = float("-inf")
        self._turn_s: float | None = None  # when the venue's limit lets the next attempt go

    @property
    def url(self) -> str:
        """The endpoint whose turn it is."""
        return self._urls[self._at]

    def next_step(self) -> Wait | Connect:
        """Give what to do now; after a `Wait`, ask again."""
        now_s = self._clock()
        if now_s < self._not_before_s:
            return Wait(self._not_before_s - now_s, "backoff")
        if self._turn_s is None:
            self._turn_s = self._connects.reserve()
            now_s = self._clock()  # a turn that is now comes after the first look at the clock
        if now_s < self._turn_s:
            return Wait(self._turn_s - now_s, "limit")
        self._turn_s = None
        return Connect(self.url)

    def unreachable(self) -> None:
        """Note that nothing took the connection."""
        self._connects.give_back()
        self._delay(self._unreachable_delay_s)
        self.turn_to_next()

    def failed(self) -> None:
        """Note that the endpoint was reached, and that no connection came of it."""
        self._delay()
        self.turn_to_next()

    def ended(self, *, had_data: bool) -> None:
        """Note that a connection has ended."""
        if had_data:
            self._backoff.reset()
        else:
            self.turn_to_next()
        self._delay()

    def _delay(self, longest_s: float = float("inf")) -> None:
        self._not_before_s = self._clock() + min(self._backoff.next_delay_s(), longest_s)

    def turn_to_next(self) -> None:
        """Let the next endpoint have its turn."""
        self._at = (self._at + 1) % len(self._urls)
