"""Whether what is read may have come while reading was paused.

A transport that does not read sees no end. One that came during a pause shows only after it, behind
what lay before it; and a peer that gave up on a reader that did not read would, without the pause,
have gone on. So until all that had piled up has been read, an end belongs to the pause.
"""

from __future__ import annotations

import asyncio
import select
import struct
from fcntl import ioctl
from termios import FIONREAD
from typing import Protocol

from tickwire.clock import wall_ns

LOOK_S = 0.01  # between two looks at whether all has been read
# After a pause at most so long is waited for what was still on its way: TCP has sent what a peer
# wrote only as far as there was room for it here.
LONGEST_WAY_S = 1.0
N_BYTES = struct.Struct("i")  # what FIONREAD fills in


class Reading(Protocol):
    """What a carrier tells of its reading."""

    def has_unread(self, *, or_end: bool = True) -> bool:
        """Tell whether bytes, or the end if that counts, have come and wait to be read."""


class Backlog:
    """Begins with a pause; ends some time after it, when nothing is left to be read.

    Parameters
    ----------
    carrier
        Reads.
    loop
        The event loop.

    Attributes
    ----------
    is_open
        Whether there may be one.
    since_ns
        When the one that is open began, or the last one; wall time, 0 before the first.
    """

    def __init__(self, carrier: Reading, loop: asyncio.AbstractEventLoop) -> None:
        self.is_open = False
        self.since_ns = 0
        self._was_open = False  # when the last pause began
        self._carrier = carrier
        self._loop = loop
        self._began_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def pause(self) -> None:
        """Note that reading has been paused."""
        self.settle()
        self._was_open = self.is_open
        if not self.is_open:
            self.since_ns = wall_ns()
        self.is_open = True
        self._began_s = self._loop.time()

    def resume(self) -> None:
        """Note that reading goes on."""
        way_s = min(self._loop.time() - self._began_s, LONGEST_WAY_S)
        self._timer = self._loop.call_later(way_s, self._look)

    def undo(self) -> None:
        """Note that an end had been read before the pause, and was only not looked at."""
        self.settle()
        self.is_open = self._was_open

    def settle(self) -> None:
        """Let it be as it is: an end has come, or another pause."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self.is_open = self._carrier.has_unread()
        self._timer = self._loop.call_later(LOOK_S, self._look) if self.is_open else None


def has_unread(transport: asyncio.BaseTransport, *, or_end: bool = True) -> bool:
    """Tell whether bytes, or the end, wait in the kernel or have just been found by the transport.

    Parameters
    ----------
    transport
        On a socket.
    or_end
        False: an end counts for nothing, only bytes do.
    """
    sock = transport.get_extra_info("socket")
    if transport.is_closing() or sock is None:
        return or_end
    # A socket that rests between reads is not readable, whatever has come (`_coalescer`).
    (n_bytes,) = N_BYTES.unpack(ioctl(sock.fileno(), FIONREAD, bytes(N_BYTES.size)))
    if n_bytes or not or_end:
        return bool(n_bytes)
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))
