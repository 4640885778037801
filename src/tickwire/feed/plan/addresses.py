"""Where to connect where a venue says so by REST: asked before each connection.

Rules of this file
------------------
- A request that fails is a connection that could not be made: the session waits and tries again.
- The answer may hold a token: neither it nor the URL is shown.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol
from urllib.parse import urljoin

from tickwire.errors import ConnectionFailed, RequestRefused
from tickwire.feed.plan.endpoints import request_url
from tickwire.feed.plan.plans import SourcePlan
from tickwire.wire import parse_url


class Rest(Protocol):
    """What fetches documents."""

    async def get(self, url: str, body: str | None = None) -> tuple[bytes, int]:
        """Give a document and when it came."""


def address_by(plan: SourcePlan, rest: Rest) -> Callable[[str], Awaitable[str]] | None:
    """Give what finds the URL to connect to, by an endpoint's own; None: nothing is asked.

    Parameters
    ----------
    plan
        Of a source. Where it names another server, and no REST interface of its own, nothing is
        asked: it is connected to as it is given.
    rest
        Asks.
    """
    asked = plan.venue.before
    if asked is None or plan.is_elsewhere:
        return None

    async def address(url: str) -> str:
        try:
            answer, _ = await rest.get(request_url(plan.rest_url, asked.path), asked.body)
        except RequestRefused as error:
            raise ConnectionFailed(f"where to connect is not known: {error}") from error
        try:
            found = urljoin(url, asked.read(answer))
            parse_url(found)
        except Exception as error:  # what came from the network, and another's code
            wrong = f"where to connect is not known: {asked.path} gave {type(error).__name__}"
            raise ConnectionFailed(wrong) from None
        return found

    return address
