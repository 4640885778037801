"""The carrier `stream`: asyncio's StreamReader and StreamWriter. The one to read first.

    open_connection -> handshake -> read, parse, read, parse ... until the end

The other carriers do the same with fewer copies.
"""

from __future__ import annotations

import asyncio
from typing import cast

from tickwire.net._receiver import Receiver
from tickwire.net.backlog import has_unread
from tickwire.net.carriers.base import Opened
from tickwire.net.carriers.target import Target
from tickwire.net.carriers.transports import open_streams
from tickwire.supervise import ManagedTask, spawn

LIMIT_BYTES = 2 * 1024 * 1024  # the StreamReader pauses its transport past twice this
READ_BYTES = 65_536  # what one read brings is still in cache when it is parsed
LINGER_S = 1.0  # how long a peer that sends no more may take what is unsent


async def open_stream(target: Target, receiver: Receiver) -> Opened:
    """Connect and shake hands."""
    reader, writer = await open_streams(target, LIMIT_BYTES)
    try:
        request, answer = target.handshake()
        writer.write(request)
        await writer.drain()
        while True:
            data = await reader.read(READ_BYTES)
            if not data:
                answer.receive_eof()
            if answer.receive(data):
                break
    except BaseException:
        writer.transport.abort()
        raise
    if answer.rest:
        receiver.receive_bytes(answer.rest)
    carrier = StreamCarrier(reader, writer, receiver)
    return Opened(carrier, answer.subprotocol, answer.compression)


class StreamCarrier:
    """The bytes of a connection, by way of a StreamReader and a StreamWriter."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, receiver: Receiver
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._receiver = receiver
        self._may_read = asyncio.Event()
        self._aborted = False
        self._waits = False  # for the StreamReader to have something
        self._task: ManagedTask[None] | None = None
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    async def _read_on(self) -> None:
        failure: Exception | None = None
        try:
            while True:
                if not self._may_read.is_set():
                    await self._may_read.wait()
                self._waits = True  # unless the StreamReader has something: then for no time
                data = b"" if self._aborted else await self._reader.read(READ_BYTES)
                self._waits = False
                if not data:
                    break
                self._receiver.receive_bytes(data)
        except Exception as error:  # the waiter on `lost` gets it
            failure = error
        finally:
            self._writer.transport.abort() if failure else self._writer.close()
            # Closing waits until all is sent, and a peer that has gone half may never take it.
            asyncio.get_running_loop().call_later(LINGER_S, self._writer.transport.abort)
            if not self.lost.done():
                self.lost.set_result(failure)

    @property
    def transport(self) -> asyncio.Transport:
        """What owns the socket."""
        return cast(asyncio.Transport, self._writer.transport)

    def begin(self) -> None:
        """Start to read."""
        self._may_read.set()
        if self._task is None:
            self._task = spawn("read", self._read_on())

    def write(self, data: bytes) -> None:
        """Send, or keep to be sent; drop where the transport takes no more."""
        # `lost` tells of it later: the StreamReader may hold bytes from before the end.
        if not self._writer.is_closing():
            self._writer.write(data)

    def unsent_bytes(self) -> int:
        """Give how much is kept to be sent."""
        return self._writer.transport.get_write_buffer_size()

    def has_unread(self, *, or_end: bool = True) -> bool:
        """Tell whether bytes, or the end if that counts, have come and wait to be read."""
        if self._reader.at_eof():
            return or_end
        return not self._waits or has_unread(self._writer.transport, or_end=or_end)

    async def drain(self) -> None:
        """Wait until little enough is kept to be sent."""
        await self._writer.drain()
        if self._writer.is_closing():  # StreamWriter.drain raises only where an error was the cause
            raise ConnectionResetError("connection lost")

    def pause_reading(self) -> None:
        """Leave what comes to the StreamReader, which pauses its transport when it has enough."""
        self._may_read.clear()

    def resume_reading(self) -> None:
        """Read on."""
        self.begin()

    def close(self) -> None:
        """Send what is kept, then close the transport."""
        self._writer.close()
        self.begin()

    def abort(self) -> None:
        """Close the transport at once, and drop what the StreamReader holds."""
        self._aborted = True
        self._writer.transport.abort()
        self.begin()
