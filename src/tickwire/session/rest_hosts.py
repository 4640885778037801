"""The hosts of REST requests: of all sources, one asks a host that is down, now and then.

Rules of this file
------------------
- A host has a breaker, which the sources of a feed share: a failure of one request speaks for all.
- A failure is no connection, no answer in time, or an answer that says that the host is at fault
  (500 and above). A refusal (400 to 499) is an answer: it says nothing of other requests.
- While the breaker is open nothing is asked, and no turn of the venue's limit is spent. What could
  not be reached is probed by TCP, by the first that wants to ask.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from tickwire.config import ConnectionOptions
from tickwire.errors import ConnectionFailed, HostDown
from tickwire.net.http import Answer
from tickwire.net.probe import takes_connections
from tickwire.supervise import Breakers, CircuitBreaker, Failure


class RestHosts:
    """The breakers of the hosts that one client asks.

    Parameters
    ----------
    breakers
        By host, shared with other clients.
    options
        How a host is reached by TCP.
    """

    def __init__(self, breakers: Breakers, options: ConnectionOptions) -> None:
        self._breakers = breakers
        self._options = options

    async def look(self, url: str) -> None:
        """Find out whether a host may be asked, as far as that is known.

        Raises
        ------
        HostDown
            It is left alone.
        """
        breaker = self._of(url)
        is_probed = breaker.wait_s() > 0 and breaker.try_probe()
        if is_probed and await takes_connections(_as_websocket(breaker.name), self._options):
            breaker.probed()
        if breaker.wait_s() > 0:
            raise _down(breaker)

    async def ask(self, url: str, request: Callable[[], Awaitable[Answer]]) -> Answer:
        """Make a request, and note what comes of it.

        Raises
        ------
        HostDown
            It is left alone: the request was not made.
        ConnectionFailed
            As the request says.
        """
        breaker = self._of(url)
        if not breaker.try_acquire():
            raise _down(breaker)
        try:
            answer = await request()
        except ConnectionFailed:
            breaker.failed(Failure.UNREACHABLE)
            raise
        except BaseException:
            breaker.release()
            raise
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            breaker.failed(Failure.OTHER)  # Retry-After is the client's to keep
        else:
            breaker.reached()
            breaker.healthy()
        return answer

    def _of(self, url: str) -> CircuitBreaker:
        return self._breakers.of(_host_of(url))


def _down(breaker: CircuitBreaker) -> HostDown:
    return HostDown(breaker.name, breaker.wait_s(), breaker.down_s)


def _host_of(url: str) -> str:
    """Give scheme, host and port of a URL, without a user and a password.

    What else is wrong with it is said by the request, which takes it apart.
    """
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{re.split('[/?#]', rest, maxsplit=1)[0].rpartition('@')[2]}".lower()


def _as_websocket(host: str) -> str:
    """Give the WebSocket URL of the same host and port; `http` and `https` are `ws` and `wss`."""
    return "ws" + host.removeprefix("http")
