"""Connections whose reads are paced, and what they have received."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from tests.net.conftest import Security

from tickwire.config import ConnectionOptions
from tickwire.net.connection import Connection
from tickwire.net.opening import open_connection
from tickwire.observe import Histogram
from tickwire.wire import MessageQueue


class Paced:
    """An open connection and its messages."""

    def __init__(self, connection: Connection, queue: MessageQueue, rests: Histogram) -> None:
        self.connection = connection
        self.rests = rests
        self._queue = queue

    def take(self) -> list[int]:
        """Give the numbers with which the messages begin that have come since the last call."""
        found = []
        while (message := self._queue.take()) is not None:
            found.append(int(message.payload.split(b" ", 1)[0]))
        if self.connection.receiver.paused:
            self.connection.room_made()
        return found

    async def take_until(self, last: int) -> list[int]:
        """Give the numbers up to one."""
        found: list[int] = []
        while not found or found[-1] != last:
            await asyncio.sleep(0.001)
            found += self.take()
        return found


@asynccontextmanager
async def open_paced(
    security: Security,
    port: int,
    carrier: Literal["protocol", "stream", "picows"],
    *,
    coalesce_us: int | Literal["auto"] = 0,
    busy_poll_us: int = 0,
    max_bytes: int = 16_777_216,
) -> AsyncIterator[Paced]:
    """Open a connection that rests between reads, or spins."""
    queue, rests = MessageQueue(max_bytes=max_bytes), Histogram()
    connection = await open_connection(
        security.url(port),
        queue,
        ConnectionOptions(carrier=carrier, ca_file=security.ca_file, proxy="off"),
    )
    connection.pace_reads(coalesce_us, busy_poll_us, rests)
    connection.begin()
    try:
        yield Paced(connection, queue, rests)
    finally:
        if not connection.ended.done():
            connection.give_up("the test is over")
        await connection.ended
