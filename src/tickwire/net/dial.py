"""A TCP connection to a host, whichever of its addresses answers first; directly or by a proxy.

aiohappyeyeballs races the addresses as RFC 8305 says, python-socks talks to proxies.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

import aiohappyeyeballs

from tickwire import errors
from tickwire.net.proxies import SCHEMES, Proxy
from tickwire.redaction import shown

ATTEMPT_DELAY_S = 0.25  # until the next address is tried as well, RFC 8305 section 8
MAX_ANSWER_BYTES = 16_384
NO_LIMIT_S = 86_400.0  # the caller has one; python-socks takes no "none"
# Scheme to python-socks's name of the protocol, and whether the proxy resolves the names of hosts.
_PROTOCOLS = {
    "http": ("HTTP", True),
    "socks4": ("SOCKS4", False),
    "socks4a": ("SOCKS4", True),
    "socks5": ("SOCKS5", True),
    "socks5h": ("SOCKS5", True),
}


async def dial(host: str, port: int, proxy: Proxy | None = None) -> socket.socket:
    """Connect to a host.

    Parameters
    ----------
    host, port
        Where to.
    proxy
        On the way.

    Returns
    -------
    socket.socket
        Connected to the host, non-blocking.

    Raises
    ------
    Unreachable
        If there is no address, or none of them, or of the proxy's, takes a connection.
    ConnectionFailed
        If the proxy refuses, or answers what it should not.
    """
    if proxy is None:
        return await _race(host, port)
    return await _dial_by(proxy, host, port)


async def _dial_by(proxy: Proxy, host: str, port: int) -> socket.socket:
    # Most programs have no proxy, and their start does not wait for this import.
    from python_socks import ProxyError, ProxyType
    from python_socks.async_.asyncio import Proxy as SocksProxy

    parts = proxy.parts
    protocol, resolves = _PROTOCOLS[parts.scheme]
    way = _Way(is_http=protocol == "HTTP")
    talker = SocksProxy(
        ProxyType[protocol],
        parts.hostname or "",
        parts.port or SCHEMES[parts.scheme],
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password or "") if parts.username else None,
        rdns=resolves,
        forward=way,  # type: ignore[arg-type] # asks it for the socket to the proxy, no more
        loop=way,  # type: ignore[arg-type] # reads and writes by it, no more
    )
    try:  # python-socks's frames hold the password: its errors are not chained
        return await talker.connect(host, port, timeout=NO_LIMIT_S)
    except errors.Unreachable as error:
        raise errors.Unreachable(f"the proxy cannot be reached: {error}") from None
    except ProxyError as error:
        raise errors.ConnectionFailed(f"the proxy refused: {shown(str(error))}") from None
    except (OSError, ValueError) as error:
        raise errors.ConnectionFailed(f"the proxy failed: {shown(str(error))}") from None


async def _race(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    try:
        found = await resolve(host, port)
        sock = await aiohappyeyeballs.start_connection(
            found, happy_eyeballs_delay=ATTEMPT_DELAY_S, loop=loop
        )
    # RuntimeError is uvloop's; ValueError: a name that cannot be one, or without any address.
    except (OSError, RuntimeError, ValueError) as error:
        raise errors.Unreachable(_why(error)) from error
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _why(error: Exception) -> str:
    """Give the system's words for an error; asyncio's own leave them out."""
    if not isinstance(error, OSError) or isinstance(error, socket.gaierror) or not error.errno:
        return getattr(error, "strerror", None) or str(error)
    text, meaning = error.strerror or "", os.strerror(error.errno)
    return text if meaning in text else f"{meaning}: {text}".removesuffix(": ")


async def resolve(host: str, port: int) -> Sequence[aiohappyeyeballs.AddrInfoType]:
    """Give the addresses of a host, those to try first before others."""
    loop = asyncio.get_running_loop()
    return await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)


class _Way:
    """What python-socks asks for the socket to the proxy, and by which it reads and writes.

    By itself it tries one address of the proxy only, and takes what the first read brings for the
    whole answer of an HTTP proxy (docs/upstream.md).
    """

    def __init__(self, *, is_http: bool) -> None:
        self._loop = asyncio.get_running_loop()
        self._is_http = is_http

    async def connect(self, *, dest_host: str, dest_port: int, **_: object) -> socket.socket:
        """Connect to the proxy."""
        return await _race(dest_host, dest_port)

    async def sock_sendall(self, sock: socket.socket, data: bytes) -> None:
        """Send to the proxy."""
        await self._loop.sock_sendall(sock, data)

    async def sock_recv(self, sock: socket.socket, n_bytes: int) -> bytes:
        """Give the next bytes of the proxy; an HTTP proxy's answer whole."""
        if not self._is_http:
            return await self._loop.sock_recv(sock, n_bytes)
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            # The server speaks only when spoken to, so nothing can stand behind the header.
            if b"\r\n\r\n" in answer:
                raise errors.ConnectionFailed("the proxy sent more than its answer")
            if len(answer) > MAX_ANSWER_BYTES:
                raise errors.ConnectionFailed("the proxy's answer has too long a header")
            data = await self._loop.sock_recv(sock, 4096)
            if not data:
                raise errors.ConnectionFailed("the proxy closed the connection")
            answer += data
        if not answer.startswith(b"HTTP/1."):
            raise errors.ConnectionFailed("the proxy did not answer in HTTP/1.1")
        return answer

    async def getaddrinfo(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Resolve the name of the host, where the proxy cannot."""
        return await self._loop.getaddrinfo(*args, **kwargs)
