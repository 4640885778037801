"""What a venue says beside data: understood whatever its shape, told on but not without end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tickwire.clock import Clock
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
        hash((meant.acknowledged, meant.refused, meant.request_id))
    except _NOT_UNDERSTOOD as error:
        # What comes from the network may have any shape.
        begin = payload[:200].decode("utf-8", "replace")
        meant = Reply(text=f"{kind} that {venue.name} did not understand ({error}): {begin}")
    return replace(meant, text=shown(meant.text)) if meant.text else meant


class BoundedWarnings:
    """Warnings that are told, up to `MAX_WARNINGS` in each `WARNING_WINDOW_S`.

    Parameters
    ----------
    tell
        Called with each that is told.
    clock
        Seconds, monotonic.
    """

    def __init__(self, tell: Callable[[str], None], clock: Clock) -> None:
        self.n_heard = 0
        self.n_untold = 0
        self._tell = tell
        self._clock = clock
        self._window_start_s = float("-inf")
        self._n_told_in_window = 0
        self._n_untold_in_window = 0

    def add(self, text: str) -> None:
        """Tell a warning, or count it."""
        self.n_heard += 1
        now_s = self._clock()
        if now_s >= self._window_start_s + WARNING_WINDOW_S:
            if self._n_untold_in_window:
                self._tell(f"{self._n_untold_in_window} more warnings were not told")
            self._window_start_s, self._n_told_in_window, self._n_untold_in_window = now_s, 0, 0
        if self._n_told_in_window >= MAX_WARNINGS:
            self._n_untold_in_window += 1
            self.n_untold += 1
            return
        self._n_told_in_window += 1
        self._tell(text)
