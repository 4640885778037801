"""An HTTP client for one host's documents, on connections that are dialled as a WebSocket's are."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from tickwire import errors
from tickwire.clock import wall_ns
from tickwire.config import ConnectionOptions
from tickwire.net.awake import awake_timeout
from tickwire.net.proxies import proxy_for
from tickwire.net.reasons import reason_of
from tickwire.redaction import hide_headers, hide_url, shown_url

if TYPE_CHECKING:
    import aiohttp

DEFAULTS = ConnectionOptions()
READ_BYTES = 65_536
SHOWN_BYTES = 500  # of an answer that is not 200


class Answer(NamedTuple):
    """An answer.

    Parameters
    ----------
    status
        Its code.
    headers
        Its headers; names in any case.
    body
        The document; of an answer that is not 200 the beginning.
    ts_recv_ns
        When its last byte came.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    ts_recv_ns: int


class HttpClient:
    """Fetches documents.

    Parameters
    ----------
    timeout_s
        For one request, everything included.
    max_bytes
        Largest document.
    options
        Authorities, headers and proxy.
    """

    def __init__(
        self,
        options: ConnectionOptions = DEFAULTS,
        *,
        timeout_s: float = 10.0,
        max_bytes: int = 33_554_432,
    ) -> None:
        hide_headers(options.headers.items())
        hide_url(options.proxy or "")
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._options = options
        self._client: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def get(self, url: str, body: str | None = None) -> Answer:
        """Fetch a document.

        Parameters
        ----------
        url
            `http://` or `https://`.
        body
            JSON to ask with, by POST; None: asked by GET.

        Raises
        ------
        ConnectionFailed
            If there is no answer in time, or none that HTTP allows.
        RequestRefused
            If the document is too large.
        """
        hide_url(url)
        name = shown_url(url)
        try:
            proxy = proxy_for(url, self._options.proxy)
            name = name if proxy is None else f"{name} by {proxy}"
            async with awake_timeout(self._timeout_s):
                return await self._fetch(url, body)
        except errors.ConnectionFailed as error:
            raise type(error)(f"{name}: {error}") from None
        except TimeoutError:
            raise errors.ConnectionFailed(f"{name}: no answer in {self._timeout_s:g} s") from None
        except Exception as error:
            if not isinstance(error, _answer_errors()):
                raise
            # aiohttp's text names the URL as it was given.
            reason = reason_of(error, tls=url.startswith("https")).replace(url, shown_url(url))
            raise errors.ConnectionFailed(f"{name}: {reason}") from None

    async def _fetch(self, url: str, body: str | None) -> Answer:
        if self._client is None:
            # In a thread: the loop reads from venues meanwhile.
            module = await asyncio.to_thread(import_module, "tickwire.net.http_session")
            if self._client is None:  # another request may have come first
                self._client = module.open_session(self._options)
        # Redirects would take the request to a host that is not configured.
        asking = (
            self._client.get(url, allow_redirects=False)
            if body is None
            else self._client.post(
                url,
                data=body,
                headers={"Content-Type": "application/json"},
                allow_redirects=False,
            )
        )
        async with asking as answer:
            if answer.status != 200:
                begin = await answer.content.read(SHOWN_BYTES)
                return Answer(answer.status, answer.headers, begin, wall_ns())
            payload = bytearray()
            while data := await answer.content.read(READ_BYTES):
                payload += data
                if len(payload) > self._max_bytes:
                    raise errors.RequestRefused(
                        f"{shown_url(url)}: more than {self._max_bytes} bytes"
                    )
            return Answer(200, answer.headers, bytes(payload), wall_ns())


def _answer_errors() -> tuple[type[Exception], ...]:
    """Give what a request without an answer raises: aiohttp's own, once it is imported."""
    client = sys.modules.get("aiohttp")
    return (OSError, ValueError, *(() if client is None else (client.ClientError,)))
