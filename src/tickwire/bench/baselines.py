"""What nothing can be faster than: reading without decoding."""

from __future__ import annotations

import asyncio
import selectors
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from urllib.parse import urlsplit

import picows

from tickwire.bench.bare import open_by_hand, send_requests, skip_replies
from tickwire.bench.jobs import Endpoint, Job
from tickwire.bench.meter import Meter

TEXT = picows.WSMsgType.TEXT
OFFER = {"Sec-WebSocket-Extensions": "permessage-deflate"}
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


async def receive_empty(job: Job, meter: Meter) -> None:
    """Give every frame to a callback that does nothing, until the sender hangs up.

    The callback cannot count, so there is no warm-up: the main phase is everything from the last
    request on, and its end is the end of the connections.
    """
    loop = asyncio.get_running_loop()
    transports, ends = [], []
    for endpoint in job.endpoints:
        ends.append(left := loop.create_future())
        transport, _ = await picows.ws_connect(
            partial(_Empty, left),
            endpoint.url,
            ssl_context=job.context,
            extra_headers=OFFER if job.case.deflated else None,
        )
        transports.append(transport)
    meter.start(0)
    for transport, endpoint in zip(transports, job.endpoints, strict=True):
        for request in endpoint.requests:
            transport.send(TEXT, request.encode())
    await asyncio.gather(*ends)
    meter.stop()


def receive_nothing(job: Job, meter: Meter) -> None:
    """Read all bytes into one buffer: what the sender and the kernel can do.

    One connection with a blocking recv, decrypted where it is TLS; several by turns, whichever has
    something. The main phase begins after the same share of the bytes as of messages elsewhere.
    """
    with ExitStack() as stack:
        readers = [
            stack.enter_context(_connected(endpoint, job.context)) for endpoint in job.endpoints
        ]
        for reader, endpoint in zip(readers, job.endpoints, strict=True):
            send_requests(reader, endpoint.requests)
        for reader, endpoint in zip(readers, job.endpoints, strict=True):
            skip_replies(reader, len(endpoint.requests))
        chunks = _chunks(readers[0]) if len(readers) == 1 else _chunks_of_many(readers)
        n_warm = job.n_bytes * meter.amount.n_warm // meter.amount.n_messages
        n_read = 0
        for n_more in chunks:
            n_read += n_more
            if n_read >= n_warm and not meter.is_started:
                meter.start(n_read * meter.amount.n_messages // job.n_bytes)
            if n_read >= job.n_bytes:
                break
        meter.stop()


@contextmanager
def _connected(endpoint: Endpoint, context: ssl.SSLContext | None) -> Iterator[socket.socket]:
    parts = urlsplit(endpoint.url)
    host = parts.hostname or ""
    connected = socket.create_connection((host, parts.port or 0))
    with context.wrap_socket(connected, server_hostname=host) if context else connected as reader:
        open_by_hand(reader, "permessage-deflate")
        yield reader


def _chunks(reader: socket.socket) -> Iterator[int]:
    """Yield how many bytes each recv brought."""
    buffer = bytearray(_BUFFER_BYTES)
    while True:
        n_bytes = reader.recv_into(buffer)
        if not n_bytes:
            raise ConnectionError("the load generator left")
        yield n_bytes


def _chunks_of_many(readers: list[socket.socket]) -> Iterator[int]:
    """Yield how many bytes each recv brought, of whichever connection has some."""
    buffer = bytearray(_BUFFER_BYTES)
    with selectors.DefaultSelector() as selector:
        for reader in readers:
            selector.register(reader, selectors.EVENT_READ, reader)
        while True:
            for key, _ in selector.select():
                n_bytes = key.data.recv_into(buffer)
                if not n_bytes:
                    raise ConnectionError("the load generator left")
                yield n_bytes
