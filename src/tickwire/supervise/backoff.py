"""How long to wait before trying again.

Our own: a retry library wraps calls, while here one delay is needed at a time, and when to start
over is decided elsewhere.
"""

from __future__ import annotations

import os
import random

AT_ONCE = 2
AT_ONCE_S = 0.1
JITTER = random.Random()  # noqa: S311 - no secret; of all: one takes 2.5 kB
os.register_at_fork(after_in_child=JITTER.seed)  # or all processes would come back together


class Backoff:
    """Some retries at once, then exponential backoff with base 2, jitter and a cap.

    Jitter keeps what failed together from coming back together.

    Parameters
    ----------
    first_s
        The longest delay after those at once.
    cap_s
        The longest delay of all.
    at_once
        How many retries wait for nothing but jitter.
    at_once_s
        The longest delay of those: jitter takes up to all of it.
    jitter
        Which share of a later delay jitter takes at most.
    rng
        Gives the jitter.
    """

    def __init__(
        self,
        first_s: float = 1.0,
        cap_s: float = 30.0,
        *,
        at_once: int = AT_ONCE,
        at_once_s: float = AT_ONCE_S,
        jitter: float = 0.5,
        rng: random.Random | None = None,
    ) -> None:
        self.first_s = first_s
        self.cap_s = cap_s
        self.attempts = 0
        self._at_once = at_once
        self._at_once_s = at_once_s
        self._jitter = jitter
        self._rng = rng or JITTER

    def next_delay_s(self) -> float:
        """Count one more failure; give the delay after it."""
        self.attempts += 1
        return self.delay_s(self.attempts)

    def delay_s(self, n_failures: int) -> float:
        """Give the delay after so many failures in a row, counted by the caller.

        Parameters
        ----------
        n_failures
            At least 1.
        """
        n_waited = n_failures - 1 - self._at_once
        if n_waited < 0:
            return min(self._at_once_s, self.cap_s) * self._rng.uniform(0.0, 1.0)
        # Past 2**32 the cap has long been reached; the bound keeps the power from overflowing.
        longest_s = min(self.cap_s, self.first_s * 2.0 ** min(n_waited, 32))
        return longest_s * self._rng.uniform(1.0 - self._jitter, 1.0)

    def reset(self) -> None:
        """Start over."""
        self.attempts = 0
