"""How long to wait before trying again.

Twenty lines of our own: a retry library wraps calls, while here one delay is needed at a time, and
when to start over (once data has flowed) is decided elsewhere.
"""

from __future__ import annotations

import random


class Backoff:
    """Exponential backoff with base 2, jitter and a cap.

    Parameters
    ----------
    first_s
        The longest first delay.
    cap_s
        The longest delay of all.
    rng
        Gives the jitter.
    """

    def __init__(
        self, first_s: float = 1.0, cap_s: float = 60.0, *, rng: random.Random | None = None
    ) -> None:
        self.first_s = first_s
        self.cap_s = cap_s
        self.attempts = 0
        self._rng = rng or random.Random()  # noqa: S311 - jitter is no secret

    def next_delay_s(self) -> float:
        """Give the next delay: between half of its longest and its longest.

        The jitter keeps connections that were lost together from coming back together.
        """
        # Past 2**32 the cap has long been reached; the bound keeps the power from overflowing.
        longest = min(self.cap_s, self.first_s * 2.0 ** min(self.attempts, 32))
        self.attempts += 1
        return longest * self._rng.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Start over with the first delay."""
        self.attempts = 0
