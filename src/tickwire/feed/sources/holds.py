"""Sources on hold: those that a program has paused, until it resumes them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from tickwire.feed.sources.sources import LiveSource
from tickwire.supervise import Coordinator


class Holds:
    """Pauses and resumes sources; made in the loop's thread.

    Parameters
    ----------
    sources
        The feed's, as they are when one is asked for.
    coordinator
        Knows what is paused.
    """

    def __init__(self, sources: Sequence[LiveSource], coordinator: Coordinator) -> None:
        self._sources = sources
        self._coordinator = coordinator
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()

    def named(self, name: str | int) -> list[LiveSource]:
        """Give the sources of a number, a name as in `0 binance`, or a venue.

        Raises
        ------
        KeyError
            There is none.
        """
        found = [
            source
            for number, source in enumerate(self._sources)
            if name in (number, source.name, source.plan.venue.name)
        ]
        if not found:
            names = ", ".join(source.name for source in self._sources) or "none"
            raise KeyError(f"no source {name!r}: {names}")
        return found

    def hold(self, name: str | int, *, is_held: bool) -> None:
        """Pause or resume sources; from any thread."""
        for source in self.named(name):
            if is_held:
                self._coordinator.pause(f"source {source.name}")
            else:
                self._coordinator.resume(f"source {source.name}")
            if threading.get_ident() == self._thread:
                self._apply(source)
            else:
                self._loop.call_soon_threadsafe(self._apply, source)

    def _apply(self, source: LiveSource) -> None:
        """Do what was asked for last."""
        if f"source {source.name}" in self._coordinator.paused:
            source.pause()
        else:
            source.resume()
