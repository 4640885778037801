"""The other clients, each with its settings for speed: no compression, no keep-alive, no queue."""

from __future__ import annotations

import asyncio
import ssl

import aiohttp
import picows
import websockets
from benchmarks.pipelines.parsers import Parser
from benchmarks.pipelines.rows import FLUSH_S

TEXT = picows.WSMsgType.TEXT


class _Listener(picows.WSListener):
    """Gives every text frame to a parser."""

    def __init__(self, parser: Parser) -> None:
        self._add = parser.add

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        # A view, valid in this call: it saves a copy, and both parsers take it.
        if frame.msg_type is TEXT:
            self._add(frame.get_payload_as_memoryview())


async def receive_picows(
    url: str,
    context: ssl.SSLContext | None,
    requests: list[str],
    parser: Parser,
    done: asyncio.Future[None],
) -> None:
    """By a listener's callback."""
    transport, _ = await picows.ws_connect(lambda: _Listener(parser), url, ssl_context=context)
    for request in requests:
        transport.send(TEXT, request.encode())
    await _flush_until(done, parser)
    transport.disconnect(graceful=False)


async def receive_websockets(
    url: str,
    context: ssl.SSLContext | None,
    requests: list[str],
    parser: Parser,
    done: asyncio.Future[None],
) -> None:
    """By `recv`, bytes undecoded: the parsers check UTF-8 themselves."""
    async with websockets.connect(
        url,
        ssl=context,
        compression=None,
        ping_interval=None,
        max_queue=None,
        proxy=None,
        close_timeout=0.1,
    ) as connection:
        for request in requests:
            await connection.send(request)

        async def read() -> None:
            receive, add = connection.recv, parser.add
            while True:
                add(await receive(decode=False))

        await _read_until(done, parser, asyncio.ensure_future(read()))


async def receive_aiohttp(
    url: str,
    context: ssl.SSLContext | None,
    requests: list[str],
    parser: Parser,
    done: asyncio.Future[None],
) -> None:
    """By `receive`, bytes undecoded."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            url, ssl=context or True, max_msg_size=0, decode_text=False
        ) as connection,
    ):
        for request in requests:
            await connection.send_str(request)

        async def read() -> None:
            receive, add = connection.receive, parser.add
            while True:
                message = await receive()
                if message.type is not aiohttp.WSMsgType.TEXT:
                    raise ConnectionError(str(message))
                add(message.data)

        await _read_until(done, parser, asyncio.ensure_future(read()))


async def _read_until(
    done: asyncio.Future[None], parser: Parser, reading: asyncio.Future[None]
) -> None:
    def fail(task: asyncio.Future[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not done.done():
            done.set_exception(error)

    reading.add_done_callback(fail)
    try:
        await _flush_until(done, parser)
    finally:
        reading.cancel()


async def _flush_until(done: asyncio.Future[None], parser: Parser) -> None:
    """Make batches of what there is every 50 ms, until the last message has been delivered."""
    while not done.done():
        await asyncio.wait({done}, timeout=FLUSH_S)
        if not done.done():
            parser.flush()
    done.result()
