"""A general WebSocket client, for feeds that tickwire has no venue for."""

from __future__ import annotations

import asyncio
import ssl as ssl_module
from collections.abc import AsyncIterator, Generator, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Literal

from tickwire import errors
from tickwire.config import ConnectionOptions
from tickwire.net.connection import TEXT, Connection
from tickwire.net.ending import ABNORMAL, Ending
from tickwire.net.keepalive import watch_silence
from tickwire.net.opening import CarrierName, open_connection
from tickwire.net.outgoing import COMPRESS_FROM_BYTES
from tickwire.supervise import ManagedTask, spawn
from tickwire.wire import Deflate, DeflateOffer, MessageQueue

# After these the peer meant to go: an iteration ends instead of raising.
_GOOD_ENDS = (1000, 1001)


class WebSocket:
    """An open connection; made by `connect`.

    Iterating over it gives the messages, str for text and bytes for binary, until the connection is
    closed. Messages that wait are bounded by their bytes: past that, reading pauses.
    """

    def __init__(self, connection: Connection, queue: MessageQueue) -> None:
        self._connection = connection
        self._queue = queue
        self._waiter: asyncio.Future[None] | None = None
        self._keeper: ManagedTask[None] | None = None
        connection.ended.add_done_callback(self._on_ended)

    @property
    def subprotocol(self) -> str | None:
        """The one that the server chose."""
        return self._connection.subprotocol

    @property
    def compression(self) -> Deflate | None:
        """What was agreed on of permessage-deflate; None: messages are not compressed."""
        return self._connection.compression

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._connection.is_open

    @property
    def close_code(self) -> int | None:
        """The close code received, 1005 where there was none, 1006 without a close frame.

        None while the connection is not closed.
        """
        ending = self._ending()
        return ending.code if ending else None

    @property
    def close_reason(self) -> str | None:
        """The peer's reason, or what was wrong; None while the connection is not closed."""
        ending = self._ending()
        return ending.reason if ending else None

    def _ending(self) -> Ending | None:
        ended = self._connection.ended
        return ended.result() if ended.done() else None

    async def recv(self) -> str | bytes:
        """Wait for a message.

        Returns
        -------
        str or bytes
            Text or binary.

        Raises
        ------
        ConnectionClosed
            If the connection is closed and all that came before has been taken.
        ProtocolError
            The same, because the peer broke RFC 6455.
        RuntimeError
            If somebody else waits already.
        """
        while True:
            message = self._queue.take()
            if message is not None:
                if self._connection.receiver.paused:
                    self._connection.room_made()
                if message.opcode == TEXT:
                    return message.payload.decode()
                return message.payload
            ending = self._ending()
            if ending is not None:
                raise ending.exception()
            if self._waiter is not None:
                raise RuntimeError("another task waits for a message of this connection")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        while True:
            try:
                message = await self.recv()
            except errors.ConnectionClosed as closed:
                ending = self._ending()
                if closed.code in _GOOD_ENDS or (ending is not None and ending.by_us):
                    return
                raise
            yield message

    async def send(self, message: str | bytes | bytearray | memoryview) -> None:
        """Send a message, str as text and bytes as binary, and wait while too much is unsent.

        Raises
        ------
        ConnectionClosed, ProtocolError
            If the connection is not open.
        """
        if isinstance(message, str):
            self._connection.send_text(message)
        else:
            self._connection.send_binary(message)
        try:
            await self._connection.carrier.drain()
        except OSError as error:
            ending = self._ending() or Ending(ABNORMAL, str(error))
            raise ending.exception() from error

    def ping(self, payload: bytes | None = None) -> asyncio.Future[float]:
        """Send a ping: `latency_s = await ws.ping()`.

        Parameters
        ----------
        payload
            At most 125 bytes; random ones if left out.

        Returns
        -------
        asyncio.Future of float
            Done when the pong comes, with the seconds it took. A pong answers all older pings too.

        Raises
        ------
        ConnectionClosed, ProtocolError
            If the connection is not open, or ends before the pong.
        ValueError
            If the payload is too long, or the same one waits for its pong.
        """
        return self._connection.ping(payload)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection, and wait for its end for at most about `close_timeout_s`."""
        await self._connection.close(code, reason)

    def _on_events(self) -> None:
        self._queue.has_events = False
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _on_ended(self, _: asyncio.Future[Ending]) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
        self._on_events()

    def _keep_alive(self, every_s: float, timeout_s: float) -> None:
        async def send() -> None:
            if self._connection.is_open:
                self._connection.ping()

        async def keep() -> None:
            silent_s = await watch_silence(
                self._connection, send, every_s=every_s, timeout_s=every_s + timeout_s
            )
            self._connection.give_up(f"nothing received for {silent_s:.1f} s")

        if every_s > 0:
            self._keeper = spawn("keep alive", keep())


class connect:  # noqa: N801 - used like a function
    """Open a WebSocket connection: `async with connect(url) as ws` or `ws = await connect(url)`.

    Parameters
    ----------
    url
        `ws://` or `wss://`.
    carrier
        What brings the bytes: `protocol`, `stream` or `picows`.
    headers, subprotocols
        For the handshake.
    ca_file, ssl
        The authorities to trust, or a whole TLS context; the system's authorities if left out. A
        context that verifies less than it could is used, and logged.
    proxy
        `http://host:port`, or of the schemes socks4, socks4a, socks5, socks5h, with
        `user:password@` where it asks for them; `off` for none. Left out: what HTTPS_PROXY,
        HTTP_PROXY, ALL_PROXY and NO_PROXY say.
    connect_timeout_s
        For name, TCP, TLS and handshake together.
    close_timeout_s
        For the close handshake.
    max_message_bytes
        Largest message that is accepted; of a compressed one, when inflated.
    compression
        `deflate` offers permessage-deflate (RFC 7692) as browsers do; a
        `tickwire.wire.DeflateOffer` offers it with other parameters; None offers nothing.
    compress_from_bytes
        Where compression was agreed on, shorter messages are sent as they are.
    max_queue_bytes
        Messages that wait to be received; past this, reading pauses.
    ping_every_s, ping_timeout_s
        A ping is sent this often; when nothing at all comes for the sum of both, the connection is
        given up. `ping_every_s=0` for no pings.

    Raises
    ------
    ConnectionFailed
        If name, address, TLS or time fail.
    HandshakeError
        If the server refuses the handshake or answers it wrongly.
    ValueError
        If the URL is not one, or the carrier or the compression is unknown.
    """

    def __init__(
        self,
        url: str,
        *,
        carrier: CarrierName = "protocol",
        headers: Mapping[str, str] | None = None,
        subprotocols: Sequence[str] = (),
        ca_file: str | None = None,
        ssl: ssl_module.SSLContext | None = None,
        proxy: str | None = None,
        connect_timeout_s: float = 10.0,
        close_timeout_s: float = 5.0,
        max_message_bytes: int = 16_777_216,
        compression: Literal["deflate"] | DeflateOffer | None = None,
        compress_from_bytes: int = COMPRESS_FROM_BYTES,
        max_queue_bytes: int = 16_777_216,
        ping_every_s: float = 20.0,
        ping_timeout_s: float = 20.0,
    ) -> None:
        if isinstance(compression, str):
            if compression != "deflate":
                raise ValueError(f"compression {compression!r}: 'deflate', a DeflateOffer or None")
            compression = DeflateOffer()
        self._queue = MessageQueue(max_bytes=max_queue_bytes)
        self._opening = partial(
            open_connection,
            url,
            self._queue,
            # As given, checked as it is used: a program's mistake is a ValueError.
            ConnectionOptions.model_construct(
                carrier=carrier,
                headers=dict(headers or {}),
                ca_file=ca_file,
                proxy=proxy,
                connect_timeout_s=connect_timeout_s,
                close_timeout_s=close_timeout_s,
                max_message_bytes=max_message_bytes,
            ),
            subprotocols=subprotocols,
            ssl_context=ssl,
            compression=compression,
            compress_from_bytes=compress_from_bytes,
        )
        self._pings = (ping_every_s, ping_timeout_s)
        self._web_socket: WebSocket | None = None

    async def _open(self) -> WebSocket:
        connection = await self._opening()
        web_socket = WebSocket(connection, self._queue)
        connection.on_events = web_socket._on_events
        connection.begin()
        web_socket._keep_alive(*self._pings)
        return web_socket

    def __await__(self) -> Generator[object, None, WebSocket]:
        return self._open().__await__()

    async def __aenter__(self) -> WebSocket:
        self._web_socket = await self._open()
        return self._web_socket

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._web_socket is not None:
            await self._web_socket.close()
