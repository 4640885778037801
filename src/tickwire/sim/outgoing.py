"""What is sent to one client: in batches, in order, late where a fault says so, and its end.

Rules of this file
------------------
- Everything sent goes through `_out`, so that replies and data keep their order; `flush` writes it
  in one piece.
"""

from __future__ import annotations

import time

from picows import WSListener, WSTransport

from tickwire.sim.delayed import Delayed
from tickwire.sim.exchange import Client
from tickwire.sim.frames import text_frame
from tickwire.sim.injector import Injector
from tickwire.sim.stats import Stats
from tickwire.sim.unconfirmed import Unconfirmed
from tickwire.sim.upgrade import reset

# A client that asks and does not read is let go.
MAX_UNSENT_BYTES = 16 << 20


class Outgoing(WSListener):
    """The part of a connection that sends.

    Parameters
    ----------
    client
        Whose.
    stats, injector
        The simulator's.
    confirms
        Whether it is noted which messages the client's kernel has confirmed.
    """

    def __init__(self, client: Client, stats: Stats, injector: Injector, *, confirms: bool) -> None:
        self.client = client
        self.is_open = False
        self.last_sent_s = time.monotonic()
        self.out_bytes = 0
        self._out: list[bytes] = []
        self._stats = stats
        self._injector = injector
        self._unconfirmed = Unconfirmed() if confirms else None
        self._delayed = Delayed(self._write, client.number)
        self._is_frozen = False
        self._end = "client"
        self._transport: WSTransport | None = None

    @property
    def number(self) -> int:
        """Counts connections up from 0."""
        return self.client.number

    def queue(self, payload: bytes) -> None:
        """Queue a text message."""
        frame = text_frame(payload)
        self._out.append(frame)
        self.out_bytes += len(frame)

    def flush(self) -> None:
        """Write what is queued."""
        if not self._out:
            return
        if self._transport is not None and self.is_open and not self._is_frozen:
            data = b"".join(self._out)
            if self._delayed.is_idle:
                self._write(data)
            else:
                self._delayed.add(data)
        self._out.clear()
        self.out_bytes = 0
        self._let_go_if_unread()

    def _write(self, data: bytes) -> None:
        if self._transport is None or not self.is_open:
            return
        self._transport.underlying_transport.write(data)
        self.last_sent_s = time.monotonic()
        if self._unconfirmed is not None:
            n_delayed = self._delayed.n_bytes
            self._unconfirmed.confirm(self._transport.underlying_transport, n_delayed)

    def _let_go_if_unread(self) -> None:
        if self._transport is None or not self.is_open:
            return
        n_bytes = self._transport.underlying_transport.get_write_buffer_size()
        if n_bytes > MAX_UNSENT_BYTES:
            self._stats.refused["unread"] += 1
            self._transport.underlying_transport.abort()
        elif 0 < self._injector.backlog_bytes < n_bytes:
            self._injector.note("backlog", self.number)
            self.reset("backlog")

    def ping(self, payload: bytes) -> None:
        """Send a ping frame."""
        self.flush()
        if self._transport is not None and self.is_open and not self._is_frozen:
            self._transport.send_ping(payload)

    def send_raw(self, frame_bytes: bytes) -> None:
        """Write bytes as they are, after what is queued."""
        self._out.append(frame_bytes)
        self.flush()

    def close(self, code: int = 1001, reason: str = "") -> None:
        """Start the closing handshake and end the connection."""
        self._end = "close"
        self.flush()
        self._delayed.write_all()
        if self._transport is not None and self.is_open:
            # picows takes the codes it has names for, and a venue may use any other.
            body = code.to_bytes(2, "big") + reason.encode()
            self._transport.underlying_transport.write(bytes((0x88, len(body))) + body)
            self._transport.disconnect()
            self.is_open = False  # nothing follows a close frame

    def reset(self, end: str = "reset") -> None:
        """End the connection by a RST."""
        self._end = end
        self._out.clear()
        self.is_open = False
        if self._transport is not None:
            reset(self._transport.underlying_transport)

    def abort(self) -> None:
        """Lose the connection without a word."""
        self._end = "fin"
        self._out.clear()
        self.is_open = False
        if self._transport is not None:
            self._transport.disconnect(graceful=False)
