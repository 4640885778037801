"""What nothing can be faster than: reading without decoding."""

from __future__ import annotations

import asyncio
import socket
import ssl
from urllib.parse import urlsplit

import picows

from tickwire.bench.meter import Meter

TEXT = picows.WSMsgType.TEXT
_BUFFER_BYTES = 1 << 18


class _Empty(picows.WSListener):
    """Does nothing with a frame."""

    def __init__(self, left: asyncio.Future[None]) -> None:
        self._left = left

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        pass

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        if not self._left.done():
            self._left.set_result(None)


async def receive_empty(
    url: str, requests: list[str], meter: Meter, context: ssl.SSLContext | None
) -> None:
    """Give every frame to a callback that does nothing, until the sender hangs up.

    The callback cannot count, so there is no warm-up: the main phase is everything from the request
    on, and its end is the end of the connection.
    """
    left: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    transport, _ = await picows.ws_connect(lambda: _Empty(left), url, ssl_context=context)
    meter.start(0)
    for request in requests:
        transport.send(TEXT, request.encode())
    await left
    meter.stop()


def receive_nothing(
    url: str, requests: list[str], n_bytes: int, meter: Meter, context: ssl.SSLContext | None
) -> None:
    """Read all bytes with a blocking recv into one buffer: what the sender and the kernel can do.

    With TLS they are decrypted too.

    Parameters
    ----------
    url
        Of the load generator.
    requests
        To send first.
    n_bytes
        How many bytes the load has.
    meter
        Its main phase begins after the same share of the bytes as of messages elsewhere.
    context
        For TLS.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    connected = socket.create_connection((host, parts.port or 0))
    with context.wrap_socket(connected, server_hostname=host) if context else connected as reader:
        reader.sendall(
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += reader.recv(1)
        # A mask of zeros leaves the text as it is, RFC 6455 section 5.3.
        for request in requests:
            text = request.encode()
            reader.sendall(bytes((0x81, 0x80 | len(text))) + bytes(4) + text)
        _skip_replies(reader, len(requests))
        buffer = bytearray(_BUFFER_BYTES)
        n_warm = n_bytes * meter.amount.n_warm // meter.amount.n_messages
        n_read = 0
        while n_read < n_warm:
            n_read += reader.recv_into(buffer)
        meter.start(n_read * meter.amount.n_messages // n_bytes)
        while n_read < n_bytes:
            n_more = reader.recv_into(buffer)
            if not n_more:
                raise ConnectionError("the load generator left")
            n_read += n_more
        meter.stop()


def _skip_replies(reader: socket.socket, n_replies: int) -> None:
    """Read the acknowledgements, one byte-exact frame each."""
    for _ in range(n_replies):
        head = _exactly(reader, 2)
        n_bytes = head[1]
        if n_bytes == 126:
            n_bytes = int.from_bytes(_exactly(reader, 2), "big")
        _exactly(reader, n_bytes)


def _exactly(reader: socket.socket, n_bytes: int) -> bytes:
    data = b""
    while len(data) < n_bytes:
        more = reader.recv(n_bytes - len(data))
        if not more:
            raise ConnectionError("the load generator left")
        data += more
    return data
