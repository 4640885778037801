"""Messages that could not be decoded, as failures: many at once, by reason."""

from __future__ import annotations

import time

from tickwire.clock import Clock
from tickwire.config import Context
from tickwire.errors import DecodeError
from tickwire.logs import get_logger
from tickwire.observe import Registry
from tickwire.supervise import Failures

LOG_EVERY_S = 60.0  # at most, of one reason

_log = get_logger("tickwire.feed")


class Undecoded:
    """Reports what decoders count; they count where no Python runs.

    Parameters
    ----------
    registry
        Where they count.
    failures
        Where it is reported.
    clock
        Monotonic, seconds.
    """

    def __init__(
        self, registry: Registry, failures: Failures, clock: Clock = time.monotonic
    ) -> None:
        self._registry = registry
        self._failures = failures
        self._clock = clock
        self._seen: dict[tuple[str, ...], int] = {}
        self._log_due_s: dict[tuple[str, ...], float] = {}

    def look(self) -> None:
        """Report what has been counted since the last look; once a second."""
        for labels, total in self._registry.figures("decode_errors"):
            n_new = int(total) - self._seen.get(labels, 0)
            if n_new <= 0:
                continue
            self._seen[labels] = int(total)
            source, venue, reason = labels
            now_s = self._clock()
            is_due = now_s >= self._log_due_s.get(labels, 0.0)
            if is_due:
                self._log_due_s[labels] = now_s + LOG_EVERY_S
            self._failures.report(
                DecodeError(reason, f"messages of {venue}"), Context.DECODE, "not decoded",
                part=f"{source} {venue}", log=_log, count=n_new, quiet=not is_due,
                venue=venue, reason=reason, messages=int(total), error="",
            )  # fmt: skip
