"""aiohttp's client on connections of our own: imported with a process's first request alone.

To import aiohttp takes as long as a third of all else that a feed imports, and a feed whose books
come without REST needs none of it before its first row.
"""

from __future__ import annotations

import ssl
from typing import Any

import aiohttp

from tickwire.config import ConnectionOptions
from tickwire.net.carriers.target import shared_context
from tickwire.net.dial import dial
from tickwire.net.proxies import Proxy, proxy_for


def open_session(options: ConnectionOptions) -> aiohttp.ClientSession:
    """Make a client with the authorities, headers and proxy of some options."""
    return aiohttp.ClientSession(
        connector=_Connector(shared_context(options.ca_file), options.proxy),
        headers=options.headers,
        cookie_jar=aiohttp.DummyCookieJar(),  # a venue has nothing to keep with us
    )


class _Connector(aiohttp.BaseConnector):
    """Gives aiohttp connections of our own; its own knows no SOCKS, and reads no `off`.

    Parameters
    ----------
    context
        For TLS.
    proxy
        As in `connect`.
    """

    def __init__(self, context: ssl.SSLContext, proxy: str | None) -> None:
        super().__init__()
        self._context = context
        self._proxy_setting = proxy

    async def _create_connection(self, req: Any, *unused: object) -> Any:
        """Connect; what a connector must implement (`aiohttp.UnixConnector` is the example)."""
        proxy: Proxy | None = proxy_for(str(req.url), self._proxy_setting)
        sock = await dial(req.url.raw_host, req.url.port, proxy)
        tls = req.url.scheme == "https"
        try:
            _, protocol = await self._loop.create_connection(
                self._factory,
                sock=sock,
                ssl=self._context if tls else None,
                server_hostname=req.url.raw_host if tls else None,
            )
        except BaseException:
            sock.close()
            raise
        return protocol
