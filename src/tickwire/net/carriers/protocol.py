"""The carrier `protocol`: opens the compiled `ProtocolCarrier`."""

from __future__ import annotations

from tickwire.net._protocol import ProtocolCarrier
from tickwire.net._receiver import Receiver
from tickwire.net.carriers.base import Opened
from tickwire.net.carriers.target import Target
from tickwire.net.carriers.transports import connect_transport


async def open_protocol(target: Target, receiver: Receiver) -> Opened:
    """Connect and shake hands."""
    request, answer = target.handshake()
    transport, carrier = await connect_transport(
        target, lambda: ProtocolCarrier(receiver, request, answer)
    )
    try:
        await carrier.opened
    except BaseException:
        transport.abort()
        raise
    return Opened(carrier, answer.subprotocol, answer.compression)
