"""The other clients, each with its settings for speed: no keep-alive, and queues that are long."""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import Callable, Sequence
from typing import Protocol

import aiohttp
import picows
import websockets
from benchmarks.pipelines.parsers import Parser
from benchmarks.pipelines.rows import FLUSH_S

from tickwire.bench.baselines import OFFER
from tickwire.bench.jobs import Endpoint

try:
    from zlib_ng import zlib_ng as inflating  # what tickwire takes too, where it is installed
except ImportError:
    inflating = zlib

TEXT = picows.WSMsgType.TEXT
# As fast as one without bound, which would fill in the warm-up and leave less to measure.
QUEUE_MESSAGES = 1024
DEFLATE_TAIL = b"\x00\x00\xff\xff"  # RFC 7692 section 7.2.2


class Receive(Protocol):
    """How a client receives: one connection per endpoint and parser, until `done` is."""

    async def __call__(
        self,
        endpoints: Sequence[tuple[Endpoint, Parser]],
        context: ssl.SSLContext | None,
        done: asyncio.Future[None],
        *,
        deflated: bool,
    ) -> None:
        """Receive until the last message has been delivered."""


class _Listener(picows.WSListener):
    """Gives every text frame to a parser."""

    def __init__(self, parser: Parser) -> None:
        self._add = parser.add

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        # A view, valid in this call: it saves a copy, and both parsers take it.
        if frame.msg_type is TEXT:
            self._add(frame.get_payload_as_memoryview())


class _InflatingListener(picows.WSListener):
    """The same for compressed frames, which picows leaves to its listener."""

    def __init__(self, parser: Parser) -> None:
        self._add = parser.add
        self._inflate = inflating.decompressobj(wbits=-15).decompress

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type is TEXT:
            payload = frame.get_payload_as_bytes()
            self._add(self._inflate(payload + DEFLATE_TAIL) if frame.rsv1 else payload)


async def receive_picows(
    endpoints: Sequence[tuple[Endpoint, Parser]],
    context: ssl.SSLContext | None,
    done: asyncio.Future[None],
    *,
    deflated: bool,
) -> None:
    """By a listener's callback."""
    listener: Callable[[Parser], picows.WSListener] = _InflatingListener if deflated else _Listener
    transports = []
    for endpoint, parser in endpoints:
        transport, _ = await picows.ws_connect(
            lambda parser=parser: listener(parser),
            endpoint.url,
            ssl_context=context,
            extra_headers=OFFER if deflated else None,
        )
        transports.append(transport)
    for transport, (endpoint, _) in zip(transports, endpoints, strict=True):
        for request in endpoint.requests:
            transport.send(TEXT, request.encode())
    await _flush_until(done, [parser for _, parser in endpoints])
    for transport in transports:
        transport.disconnect(graceful=False)


async def receive_websockets(
    endpoints: Sequence[tuple[Endpoint, Parser]],
    context: ssl.SSLContext | None,
    done: asyncio.Future[None],
    *,
    deflated: bool,
) -> None:
    """By `recv`, bytes undecoded: the parsers check UTF-8 themselves."""

    async def read(endpoint: Endpoint, parser: Parser) -> None:
        async with websockets.connect(
            endpoint.url,
            ssl=context,
            compression="deflate" if deflated else None,
            ping_interval=None,
            max_queue=QUEUE_MESSAGES,
            proxy=None,
            close_timeout=0.1,
        ) as connection:
            for request in endpoint.requests:
                await connection.send(request)
            receive, add = connection.recv, parser.add
            while True:
                add(await receive(decode=False))

    await _read_until(done, endpoints, read)


async def receive_aiohttp(
    endpoints: Sequence[tuple[Endpoint, Parser]],
    context: ssl.SSLContext | None,
    done: asyncio.Future[None],
    *,
    deflated: bool,
) -> None:
    """By `receive`, bytes undecoded."""
    async with aiohttp.ClientSession() as session:

        async def read(endpoint: Endpoint, parser: Parser) -> None:
            async with session.ws_connect(
                endpoint.url,
                ssl=context or True,
                max_msg_size=0,
                decode_text=False,
                compress=15 if deflated else 0,
            ) as connection:
                for request in endpoint.requests:
                    await connection.send_str(request)
                receive, add = connection.receive, parser.add
                while True:
                    message = await receive()
                    if message.type is not aiohttp.WSMsgType.TEXT:
                        raise ConnectionError(str(message))
                    add(message.data)

        await _read_until(done, endpoints, read)


async def _read_until(
    done: asyncio.Future[None],
    endpoints: Sequence[tuple[Endpoint, Parser]],
    read: Callable[[Endpoint, Parser], object],
) -> None:
    """Read each connection in a task of its own, until the last message has been delivered."""

    def fail(task: asyncio.Future[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not done.done():
            done.set_exception(error)

    tasks = [asyncio.ensure_future(read(endpoint, parser)) for endpoint, parser in endpoints]
    for task in tasks:
        task.add_done_callback(fail)
    try:
        await _flush_until(done, [parser for _, parser in endpoints])
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _flush_until(done: asyncio.Future[None], parsers: Sequence[Parser]) -> None:
    """Make batches of what there is every 50 ms, until the last message has been delivered."""
    while not done.done():
        await asyncio.wait({done}, timeout=FLUSH_S)
        for parser in parsers:
            if not done.done():
                parser.flush()
    done.result()
