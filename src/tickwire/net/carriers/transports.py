"""Which transport a connection gets: the loop's own, or aiofastnet's where that one costs less.

Rules of this file
------------------
- TLS is aiofastnet's on every loop: OpenSSL decrypts straight into the memory that a protocol
  gives, where uvloop and asyncio go through Python's `ssl` objects, with more copies and calls.
- TLS is started over a plain transport, although aiofastnet can read the socket itself: its
  transport that does so forgets, when it is paused and resumed, what it has read and not decrypted.
- Plain connections are uvloop's own on uvloop, which reads in the callback of its poll; on other
  loops aiofastnet's, which reads without Python code in between. Not for a StreamWriter, whose
  `__del__` asks its transport from whatever thread collects it: aiofastnet's plain one refuses.

docs/performance.md says what each gave.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import aiofastnet
import uvloop

from tickwire.net.carriers.target import Target

# The most that one read takes from the kernel over TLS: eight records, still in cache when they are
# decrypted.
TLS_READ_BYTES = 131_072

# What OpenSSL refuses is logged there and raised here; those who configure logging see both.
logging.getLogger("aiofastnet").addHandler(logging.NullHandler())

AnyProtocol = TypeVar("AnyProtocol", bound=asyncio.Protocol | asyncio.BufferedProtocol)


async def connect_transport(
    target: Target, factory: Callable[[], AnyProtocol]
) -> tuple[asyncio.Transport, AnyProtocol]:
    """Connect, by way of a proxy where the target has one, over TLS where it asks for it.

    Parameters
    ----------
    target
        Where to.
    factory
        Makes the protocol.

    Returns
    -------
    tuple of asyncio.Transport and the protocol
        Connected, TLS included; `connection_made` has been called.

    Raises
    ------
    OSError
        If it cannot be connected to, or TLS fails.
    ConnectionFailed
        If the proxy refuses.
    """
    if target.context is None:
        return await _connect(target, factory)
    plain, _ = await _connect(target, asyncio.Protocol)
    protocol = factory()
    try:
        transport = await aiofastnet.start_tls(
            asyncio.get_running_loop(),
            plain,
            protocol,
            target.context,
            server_hostname=target.url.host,
            ssl_incoming_bio_size=TLS_READ_BYTES,
        )
    except BaseException:
        plain.abort()
        raise
    protocol.connection_made(transport)
    return transport, protocol


async def open_streams(
    target: Target, limit: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Do what `asyncio.open_connection` does, on such a transport.

    Parameters
    ----------
    target
        Where to.
    limit
        Past twice this many bytes the reader pauses its transport.

    Raises
    ------
    OSError
        If it cannot be connected to, or TLS fails.
    ConnectionFailed
        If the proxy refuses.
    """
    loop = asyncio.get_running_loop()
    if target.context is None:
        sock = await target.dial()
        try:
            return await asyncio.open_connection(sock=sock, limit=limit)
        except BaseException:
            sock.close()
            raise
    reader = asyncio.StreamReader(limit=limit, loop=loop)
    transport, protocol = await connect_transport(
        target, lambda: asyncio.StreamReaderProtocol(reader, loop=loop)
    )
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def _connect(
    target: Target, factory: Callable[[], AnyProtocol]
) -> tuple[asyncio.Transport, AnyProtocol]:
    loop = asyncio.get_running_loop()
    own: Callable[..., Any] = loop.create_connection
    connect = own if isinstance(loop, uvloop.Loop) else partial(aiofastnet.create_connection, loop)
    sock = await target.dial()
    try:
        transport, protocol = await connect(factory, sock=sock)
    except BaseException:
        sock.close()
        raise
    return transport, protocol
