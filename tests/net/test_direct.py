"""The base of carriers reads nothing; `test_coalescer` and `test_spinner` use those that do."""

import asyncio
import socket

from tickwire.net._direct import DirectReader
from tickwire.net._spinner import Spinner


async def test_a_reader_without_room_leaves_the_bytes_to_the_transport() -> None:
    one, other = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=one)
    spinner = Spinner(asyncio.get_running_loop())
    spinner.watch(transport, DirectReader(), 100)
    transport.pause_reading()
    other.send(b"here")
    spinner.look()
    assert one.recv(10) == b"here"
    transport.abort()
    other.close()
