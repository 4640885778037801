"""Whether an endpoint takes a TCP connection: no more is asked of it."""

from __future__ import annotations

import asyncio

from tickwire.config import ConnectionOptions
from tickwire.errors import ConnectionFailed
from tickwire.net.dial import dial
from tickwire.net.proxies import proxy_for
from tickwire.wire import parse_url

TIMEOUT_S = 2.0


async def takes_connections(url: str, options: ConnectionOptions) -> bool:
    """Connect to a WebSocket URL's host, by the proxy if there is one, and hang up."""
    parts = parse_url(url)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            sock = await dial(parts.host, parts.port, proxy_for(url, options.proxy))
    except (ConnectionFailed, OSError):  # TimeoutError is an OSError
        return False
    sock.close()
    return True
