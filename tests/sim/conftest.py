"""The simulator runs on either event loop; ports that no other test takes."""

import asyncio
import os
import socket
from contextlib import ExitStack, suppress

import pytest
import uvloop


def pytest_asyncio_loop_factories(config, item):
    """Run every async test on asyncio's loop and on uvloop."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
def port_pair():
    """A free port and, one above it, another one.

    They lie below those that the system gives where any will do, and each process looks at
    pairs of its own first.
    """
    first = os.getpid() % 5000
    for number in range(5000):
        port = 20_000 + 2 * ((first + number) % 5000)
        with suppress(OSError), ExitStack() as stack:
            for each in (port, port + 1):
                stack.enter_context(socket.create_server(("127.0.0.1", each)))
            return port
    raise AssertionError("no two ports are free")
