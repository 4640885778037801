"""The carrier `picows`: picows reads the frames, our parser takes them.

picows leaves fragments, reserved bits and UTF-8 to its listener; so the frames that it finds go
through our parser once more, and everything from there on is the same as for the other carriers.
What we send goes to picows's transport directly: picows would mask with `rand()`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket

import picows

from tickwire import errors
from tickwire.net._picows import Listener
from tickwire.net._receiver import Receiver
from tickwire.net.backlog import has_unread
from tickwire.net.carriers.base import Opened
from tickwire.net.carriers.target import Target
from tickwire.supervise import spawn
from tickwire.wire.handshake import accept_extensions

READ_BYTES = 65_536

# What picows has to say reaches those who configure logging; nothing else gets its errors twice.
_LOGGER = logging.getLogger("tickwire.net.picows")
_LOGGER.addHandler(logging.NullHandler())
# At level debug it would tell the whole handshake, and with it the secrets in its headers.
_LOGGER.setLevel(logging.INFO)


async def open_picows(target: Target, receiver: Receiver) -> Opened:
    """Connect and shake hands."""
    headers = list(target.headers)
    if target.subprotocols:
        headers.append(("Sec-WebSocket-Protocol", ", ".join(target.subprotocols)))
    if target.compression is not None:
        headers.append(("Sec-WebSocket-Extensions", target.compression.header()))
    listener = Listener(receiver)
    try:
        transport, opened = await picows.ws_connect(
            lambda: listener,
            target.text,
            ssl_context=target.context,
            websocket_handshake_timeout=None,  # the caller's covers it
            logger_name=_LOGGER,
            enable_auto_ping=False,
            enable_auto_pong=False,
            max_frame_size=target.max_message_bytes,
            extra_headers=headers,
            max_redirects=0,
            socket_factory=lambda _: target.dial(),
            read_buffer_init_size=READ_BYTES,
        )
    except asyncio.CancelledError:
        # picows leaves its transport open when the wait for the answer is cancelled, and gives
        # no handle to it: the end of the stream makes it close itself.
        for sock in target.dialled:
            with contextlib.suppress(OSError):  # closed already
                sock.shutdown(socket.SHUT_RDWR)
        raise
    except picows.WSHandshakeError as error:
        response = error.response
        if response is None:
            raise errors.HandshakeError(str(error.args[0])) from error
        told = response.headers.get("Retry-After", "")
        raise errors.HandshakeError(str(error.args[0]), int(response.status), told) from error
    if opened is None:  # picows's way to tell that the connection was lost before the answer
        raise errors.HandshakeError("the server closed the connection during the opening handshake")
    carrier = PicowsCarrier(transport, listener)
    try:
        answered = transport.response.headers
        subprotocol = _subprotocol(target, answered)
        # picows does not look at it, and leaves RSV1 to us like all of a frame's rules.
        named = answered.getall("Sec-WebSocket-Extensions", [])
        return Opened(carrier, subprotocol, accept_extensions(target.compression, named))
    except BaseException:
        carrier.abort()
        raise


def _subprotocol(target: Target, headers: object) -> str | None:
    """Check what picows does not, RFC 6455 section 4.1."""
    chosen: list[str] = headers.getall("Sec-WebSocket-Protocol", [])  # type: ignore[attr-defined] # a CIMultiDict
    if not chosen:
        return None
    if len(chosen) > 1 or chosen[0] not in target.subprotocols:
        raise errors.HandshakeError("the server chose a subprotocol that was not offered", 101)
    return chosen[0]


class PicowsCarrier:
    """The bytes of a connection, by way of picows."""

    def __init__(self, transport: picows.WSTransport, listener: Listener) -> None:
        self._transport = transport
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[Exception | None] = self._loop.create_future()
        self._watcher = spawn("watch", self._watch())

    async def _watch(self) -> None:
        failure: Exception | None = None
        try:
            await self._transport.wait_disconnected()
        except picows.WSProtocolError as error:
            failure = errors.ProtocolError(str(error.args[1]), int(error.args[0]), "5")
        except Exception as error:  # the waiter on `lost` gets it
            failure = error
        self._listener.resume_writing()
        if not self.lost.done():
            self.lost.set_result(failure)

    @property
    def transport(self) -> asyncio.Transport:
        """What owns the socket."""
        return self._transport.underlying_transport

    def begin(self) -> None:
        """Start to read."""
        self.resume_reading()

    def write(self, data: bytes) -> None:
        """Send, or keep to be sent; drop where the transport takes no more."""
        if not self._transport.underlying_transport.is_closing():
            self._transport.underlying_transport.write(data)

    def unsent_bytes(self) -> int:
        """Give how much is kept to be sent."""
        return self._transport.underlying_transport.get_write_buffer_size()

    def has_unread(self, *, or_end: bool = True) -> bool:
        """Tell whether bytes, or the end if that counts, have come and wait to be read."""
        return has_unread(self._transport.underlying_transport, or_end=or_end)

    async def drain(self) -> None:
        """Wait until little enough is kept to be sent."""
        if self._listener.writable is not None:
            await asyncio.shield(self._listener.writable)
        if self._transport.underlying_transport.is_closing():
            raise ConnectionResetError("connection lost")

    def pause_reading(self) -> None:
        """Read no more; the frames of the last read still come."""
        if not self._transport.underlying_transport.is_closing():
            self._transport.underlying_transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        if not self._transport.underlying_transport.is_closing():
            self._transport.underlying_transport.resume_reading()

    def close(self) -> None:
        """Send what is kept, then close the transport."""
        self._transport.underlying_transport.close()

    def abort(self) -> None:
        """Close the transport at once."""
        self._transport.underlying_transport.abort()
