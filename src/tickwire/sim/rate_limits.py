"""Limits of the REST server: how many connections, and how long without a request.

aiohttp bounds a request's header and body, but not the time that a client takes over them, nor how
many clients there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

MAX_REST_CONNECTIONS = 256
# Without a whole request for so long, a connection is closed.
REST_IDLE_S = 20.0


class RestLimits:
    """Closes connections of a web server that bring no request, or are too many.

    Parameters
    ----------
    server
        Whose.

    Attributes
    ----------
    n_closed
        Connections that were closed.
    """

    def __init__(self, server: web.Server) -> None:
        self._server = server
        self._idle_since_s: dict[Any, float] = {}
        self._busy: set[Any] = set()
        self.n_closed = 0

    @contextmanager
    def serving(self, protocol: Any) -> Iterator[None]:
        """Leave a connection alone while its request is dealt with."""
        self._busy.add(protocol)
        self._idle_since_s.pop(protocol, None)
        try:
            yield
        finally:
            self._busy.discard(protocol)

    def look(self, now_s: float) -> None:
        """Close what has been idle for too long, and the oldest of too many.

        Parameters
        ----------
        now_s
            Monotonic.
        """
        here = self._server.connections
        idle = [each for each in here if each not in self._busy]
        known = self._idle_since_s
        self._idle_since_s = {each: known.get(each, now_s) for each in idle}
        idle.sort(key=self._idle_since_s.__getitem__)
        n_over = len(here) - MAX_REST_CONNECTIONS
        for number, each in enumerate(idle):
            if number < n_over or now_s - self._idle_since_s[each] >= REST_IDLE_S:
                each.force_close()
                self.n_closed += 1
