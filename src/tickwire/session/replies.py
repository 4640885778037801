"""What a venue says beside data: understood whatever its shape, logged within a bound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tickwire.clock import Clock
from tickwire.observe import Metrics
from tickwire.redaction import shown
from tickwire.venues.base import Reply, Venue

# A venue may send errors without end; past this many they are counted.
MAX_WARNINGS = 20
WARNING_WINDOW_S = 60.0
# What a venue's `reply` may raise for a text of any shape, however deep or large.
_NOT_UNDERSTOOD = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


def understand(venue: Venue, kind: str, payload: bytes) -> Reply:
    """Give what a message of the venue means; one that it does not know is a warning.

    Parameters
    ----------
    venue
        Who said it.
    kind
        Of the message, as the venue's declarations name it.
    payload
        The message.

    Returns
    -------
    Reply
        Its text can be shown.
    """
    try:
        meant = venue.reply(kind, payload)
        # Keys that cannot be any subscription's: lists or objects instead of words.
        hash((meant.acknowledged, meant.refused, meant.ended, meant.request_id))
    except _NOT_UNDERSTOOD as error:
        # What comes from the network may have any shape.
        begin = payload[:200].decode("utf-8", "replace")
        meant = Reply(text=f"{kind} that {venue.name} did not understand ({error}): {begin}")
    return replace(meant, text=shown(meant.text)) if meant.text else meant


class BoundedWarnings:
    """Reports warnings, up to `MAX_WARNINGS` in each `WARNING_WINDOW_S`; the rest is counted.

    Parameters
    ----------
    report
        Called with each that is reported.
    clock
        Seconds, monotonic.
    metrics
        Counts all of them, and those that were suppressed.
    """

    def __init__(self, report: Callable[[str], None], clock: Clock, metrics: Metrics) -> None:
        self._report = report
        self._clock = clock
        self._n_all = metrics.counter("warnings")
        self._n_suppressed = metrics.counter("warnings_suppressed")
        self._window_start_s = float("-inf")
        self._n_reported_in_window = 0
        self._n_suppressed_in_window = 0

    def add(self, text: str) -> None:
        """Report a warning, or count it."""
        self._n_all.add()
        now_s = self._clock()
        if now_s >= self._window_start_s + WARNING_WINDOW_S:
            if self._n_suppressed_in_window:
                self._report(f"{self._n_suppressed_in_window} more warnings were suppressed")
            self._window_start_s = now_s
            self._n_reported_in_window = self._n_suppressed_in_window = 0
        if self._n_reported_in_window >= MAX_WARNINGS:
            self._n_suppressed_in_window += 1
            self._n_suppressed.add()
            return
        self._n_reported_in_window += 1
        self._report(text)
