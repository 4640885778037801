"""Opening handshakes that go wrong on purpose: what is answered, and what comes of it.

Rules of this file
------------------
- picows writes whatever bytes an answer gives (`to_bytes`), and then tells its listener that the
  connection is open. So an answer may give other bytes, or none and leave the writing to the
  listener.
"""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import struct
from typing import Any

from picows import WSFrame, WSListener, WSTransport, WSUpgradeResponse

from tickwire.sim.faults import Fault

GARBAGE_BYTES = 600
GARBAGE_S = 1.0  # until it is followed by FIN
_LINGER_OFF = struct.pack("ii", 1, 0)


def reset(transport: Any) -> None:
    """End a connection by a RST.

    Parameters
    ----------
    transport
        The one below picows's.
    """
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_OFF)
    transport.abort()


class Answer(WSUpgradeResponse):
    """An answer of 101 whose bytes are not what they should be.

    Parameters
    ----------
    fault
        What is wrong with it.
    """

    __slots__ = ("_fault", "held", "pause_s")

    def __init__(self, fault: Fault) -> None:
        right = WSUpgradeResponse.create_101_response()
        self.version, self.status = right.version, right.status
        self.headers, self.body = right.headers, right.body
        self._fault = fault
        self.pause_s = float(fault.argument)
        self.held = b""

    def to_bytes(self) -> bytearray:
        """Give what is to be written now; `held` has what is written later."""
        name = self._fault.name
        if name == "wrong-key":
            self.headers["Sec-WebSocket-Accept"] = base64.b64encode(b"x" * 20).decode()
            return bytearray(super().to_bytes())
        if name == "garbage":
            return bytearray(os.urandom(GARBAGE_BYTES) + b"\r\n\r\n")
        if name == "byte-by-byte":
            self.held = bytes(super().to_bytes())
        return bytearray()


class Refusal(WSListener):
    """The listener of a handshake that leads to no connection."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._timer: asyncio.TimerHandle | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Do what comes after the answer; a hang waits for the client."""
        if self._fault.name == "abort":
            reset(transport.underlying_transport)
        elif self._fault.name == "garbage":
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(GARBAGE_S, transport.disconnect)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Read nothing."""

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Forget the timer."""
        if self._timer is not None:
            self._timer.cancel()
