"""Callbacks of a program: the gaps, reconnects and emergencies of its feed.

Rules of this file
------------------
- A callback that fails or hangs is logged and holds up nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tickwire.feed.consumers.following import Following, GapEvent, GapStream, ReconnectEvent
from tickwire.feed.emergency import EmergencyStop
from tickwire.supervise import HOOK_S

EmergencyHook = TypeVar("EmergencyHook", bound=Callable[..., object])
GapCallback = TypeVar("GapCallback", bound=Callable[[GapEvent], object])
ReconnectCallback = TypeVar("ReconnectCallback", bound=Callable[[ReconnectEvent], object])


class FeedCallbacks:
    """The part of a `FeedHandler` that calls programs."""

    _following: Following
    _emergency: EmergencyStop

    def on_gap(self, callback: GapCallback) -> GapCallback:
        """Call a function with each gap that opens, and again when it ends; usable as a decorator.

        Parameters
        ----------
        callback
            Takes a `GapEvent`; plain (it runs in a thread of its own) or a coroutine function.
            One that fails or hangs is logged and holds up nothing else.

        Returns
        -------
        callable
            As given.
        """
        self._following.add_gap(callback)
        return callback

    def on_reconnect(self, callback: ReconnectCallback) -> ReconnectCallback:
        """Call a function when a session has a connection again; usable as a decorator.

        Parameters
        ----------
        callback
            Takes a `ReconnectEvent`; as for `on_gap`.

        Returns
        -------
        callable
            As given.
        """
        self._following.add_reconnect(callback)
        return callback

    def on_emergency(
        self, hook: EmergencyHook, *, deadline_s: float = HOOK_S, name: str = ""
    ) -> EmergencyHook:
        """Run a coroutine function when the feed shuts down in an emergency; usable as a decorator.

        Hooks run at the same time, as soon as intake stops, beside the flush. One that
        fails or hangs stops no other.

        Parameters
        ----------
        hook
            Takes an `EmergencyEvent`, or nothing. What it returns is in the log and the summary. A
            plain function runs in a thread of its own: so should what blocks.
        deadline_s
            How long it may take; then it is cancelled.
        name
            For log and summary; by default the function's.

        Returns
        -------
        callable
            As given.
        """
        self._emergency.add(hook, deadline_s, name)
        return hook

    def declare_emergency(self, reason: str) -> None:
        """Shut the feed down at once: stop intake, flush, run the hooks; from any thread.

        The run ends with `EmergencyShutdown`, and `tickwire run` with exit code 70.

        Parameters
        ----------
        reason
            One line. The first one counts; others are logged.
        """
        self._emergency.emergency.declare(reason)

    @property
    def emergency_reason(self) -> str:
        """Why the feed shuts down in an emergency; empty where it does not."""
        return self._emergency.reason

    @property
    def longest_hook_s(self) -> float:
        """The longest deadline of an emergency hook."""
        return self._emergency.emergency.longest_s

    def on_emergency_declared(self, callback: Callable[[str], None]) -> None:
        """Call a function with the reason, at once and in the thread that declares it."""
        self._emergency.emergency.follow(callback)

    def gaps(self) -> GapStream:
        """Give an iterator over gaps as they open and as they end, from now until the feed ends."""
        return self._following.add_stream()
