"""A TCP connection, straight or by way of an HTTP proxy: RFC 9110 section 9.3.6, CONNECT."""

from __future__ import annotations

import asyncio
import base64
import socket
from urllib.parse import unquote, urlsplit

from tickwire import errors
from tickwire.wire.url import WebSocketUrl

MAX_ANSWER_BYTES = 16_384


async def dial_through_proxy(proxy: str, url: WebSocketUrl) -> socket.socket:
    """Connect to a host through a proxy.

    Parameters
    ----------
    proxy
        `http://host:port`, with `user:password@` where the proxy asks for it.
    url
        Where to.

    Returns
    -------
    socket.socket
        Connected to the host, non-blocking.

    Raises
    ------
    ConnectionFailed
        If the proxy refuses, or answers what it should not.
    OSError
        If the proxy cannot be reached.
    """
    parts = urlsplit(proxy)
    if parts.scheme != "http" or not parts.hostname:
        raise errors.ConnectionFailed("a proxy is given as http://host:port")
    loop = asyncio.get_running_loop()
    sock = await dial(parts.hostname, parts.port or 80)
    try:
        host = f"[{url.host}]" if ":" in url.host else url.host
        request = f"CONNECT {host}:{url.port} HTTP/1.1\r\nHost: {host}:{url.port}\r\n"
        if parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            credentials = base64.b64encode(user.encode()).decode("ascii")
            request += f"Proxy-Authorization: Basic {credentials}\r\n"
        await loop.sock_sendall(sock, f"{request}\r\n".encode("ascii"))
        await _read_answer(sock)
    except BaseException:
        sock.close()
        raise
    return sock


async def dial(host: str, port: int) -> socket.socket:
    """Connect to the first address of a name that can be connected to.

    Raises
    ------
    OSError
        If there is none.
    """
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in addresses:
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure


async def _read_answer(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    answer = b""
    while b"\r\n\r\n" not in answer:
        if len(answer) > MAX_ANSWER_BYTES:
            raise errors.ConnectionFailed("the proxy's answer has too long a header")
        data = await loop.sock_recv(sock, 4096)
        if not data:
            raise errors.ConnectionFailed("the proxy closed the connection")
        answer += data
    status_line, _, _ = answer.partition(b"\r\n")
    words = status_line.decode("latin-1").split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdecimal():
        raise errors.ConnectionFailed("the proxy did not answer in HTTP/1.1")
    if not words[1].startswith("2"):
        shown = "".join(c for c in " ".join(words[1:])[:100] if c.isprintable())
        raise errors.ConnectionFailed(f"the proxy refused: {shown}")
    # The server speaks only when spoken to, so nothing can stand behind the header.
    if not answer.endswith(b"\r\n\r\n"):
        raise errors.ConnectionFailed("the proxy sent more than its answer")
