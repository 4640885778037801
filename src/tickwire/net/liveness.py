"""When the peer of a connection was last known to live."""

from __future__ import annotations

import time

from tickwire.net._receiver import Receiver
from tickwire.net.awake import AwakeClock

UNFINISHED_S = 60.0  # how long a message may take from its first byte to its last


class Liveness:
    """Judges by what a receiver has got.

    Parameters
    ----------
    receiver
        Of the connection.

    Attributes
    ----------
    is_endless
        Whether a message has been coming for too long.
    """

    def __init__(self, receiver: Receiver) -> None:
        self.is_endless = False
        self._receiver = receiver
        self._alive_ns = time.monotonic_ns()
        self._n_whole = 0
        self._unfinished_ns: int | None = None  # since when the same message has been coming

    def note(self) -> None:
        """Take the peer for alive now."""
        self._alive_ns = time.monotonic_ns()

    def alive_ns(self, clock: AwakeClock) -> int:
        """Give the monotonic time when the peer was last known to live, ns.

        While reading is paused nothing can be known, so that counts as life. A peer that sends
        bytes, or fragments, and never the end of a message is silent from when it began.

        Parameters
        ----------
        clock
            Tells how much of the time since a message began the loop stood still.
        """
        receiver = self._receiver
        if receiver.paused:
            self.note()
        parser = receiver.parser
        is_whole = not parser.mid_message and not receiver.unparsed_bytes
        # Between fragments there may be pings, which do not end the message.
        n_whole = parser.n_messages if parser.mid_message else parser.n_frames
        if is_whole or n_whole != self._n_whole or receiver.paused:
            self._n_whole = n_whole
            self._unfinished_ns = None
        if not is_whole and self._unfinished_ns is None:
            self._unfinished_ns = time.monotonic_ns()
        alive_ns = max(self._alive_ns, receiver.mono_ns)
        self.is_endless = False
        if self._unfinished_ns is None:
            return alive_ns
        lasted_s = (alive_ns - self._unfinished_ns) / 1e9
        self.is_endless = (
            lasted_s > UNFINISHED_S and clock.since_s(self._unfinished_ns) > UNFINISHED_S
        )
        return self._unfinished_ns if self.is_endless else alive_ns
