"""How long to wait before trying again.

Our own: a retry library wraps calls, while here one delay is needed at a time, and when to start
over is decided elsewhere.
"""

from __future__ import annotations

import random

AT_ONCE = 2
JITTER_S = 0.1


class Backoff:
    """Two retries at once, then exponential backoff with base 2, jitter and a cap.

    Parameters
    ----------
    first_s
        The longest delay after those at once.
    cap_s
        The longest delay of all.
    at_once
        How many retries wait for nothing but the jitter.
    rng
        Gives the jitter.
    """

    def __init__(
        self,
        first_s: float = 1.0,
        cap_s: float = 30.0,
        *,
        at_once: int = AT_ONCE,
        rng: random.Random | None = None,
    ) -> None:
        self.first_s = first_s
        self.cap_s = cap_s
        self.attempts = 0
        self._at_once = at_once
        self._rng = rng or random.Random()  # noqa: S311 - jitter is no secret

    def next_delay_s(self) -> float:
        """Give the next delay.

        The jitter keeps connections that were lost together from coming back together: up to
        `JITTER_S` of those at once, later between half of the longest delay and the longest.
        """
        n_waited = self.attempts - self._at_once
        self.attempts += 1
        if n_waited < 0:
            return min(JITTER_S, self.cap_s) * self._rng.uniform(0.0, 1.0)
        # Past 2**32 the cap has long been reached; the bound keeps the power from overflowing.
        longest_s = min(self.cap_s, self.first_s * 2.0 ** min(n_waited, 32))
        return longest_s * self._rng.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Start over."""
        self.attempts = 0
