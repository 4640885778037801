"""The carrier `protocol`: opens the compiled `ProtocolCarrier`."""

from __future__ import annotations

import asyncio

from tickwire.session._protocol import ProtocolCarrier
from tickwire.session._receiver import Receiver
from tickwire.session.carriers.base import Opened
from tickwire.session.carriers.dial import dial_through_proxy
from tickwire.session.carriers.target import Target


async def open_protocol(target: Target, receiver: Receiver) -> Opened:
    """Connect and shake hands."""
    request, answer = target.handshake()
    loop = asyncio.get_running_loop()
    name = target.url.host if target.context else None
    if target.proxy is None:
        transport, carrier = await loop.create_connection(
            lambda: ProtocolCarrier(receiver, request, answer),
            target.url.host,
            target.url.port,
            ssl=target.context,
            server_hostname=name,
        )
    else:
        sock = await dial_through_proxy(target.proxy, target.url)
        try:
            transport, carrier = await loop.create_connection(
                lambda: ProtocolCarrier(receiver, request, answer),
                sock=sock,
                ssl=target.context,
                server_hostname=name,
            )
        except BaseException:
            sock.close()
            raise
    try:
        await carrier.opened
    except BaseException:
        transport.abort()
        raise
    return Opened(carrier, answer.subprotocol, answer.compression)
