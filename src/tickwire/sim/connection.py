"""One client's connection: its frames in, its messages out in batches, its faults.

Rules of this file
------------------
- Everything sent goes through `_out`, so that replies and data keep their order; `flush` writes it
  in one piece. While the transport asks for a pause nothing more is produced, so what is buffered
  stays within the transport's high-water mark and one batch.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from tickwire.sim.exchange import Client, Exchange, Message, Reaction
from tickwire.sim.faults import Fault, Faults, damaged
from tickwire.sim.frames import text_frame

HIGH_WATER_BYTES = 1 << 20
# A client that asks and does not read is let go.
MAX_UNSENT_BYTES = 16 << 20
MAX_REQUEST_BYTES = 1 << 20  # of one request, over all its frames
_RESERVED_OPCODE_FRAME = b"\x83\x00"


@dataclass(slots=True)
class Stats:
    """What a simulator has done. Data messages only, where nothing else is said.

    Parameters
    ----------
    connections, open_connections
        Accepted since the start, and now.
    requests, replies
        Texts received, and texts sent that are not data.
    rest_requests
        Answered in any way.
    pongs
        Received, asked for or not.
    messages, bytes
        Sent on all connections, and their payload.
    by_channel, rows, repeated
        Messages, rows in them, and rows sent that had been sent before (trades after a subscribe).
    faults
        What went wrong on purpose, by kind.
    subscriptions
        That deliver, now.
    refused
        Clients that went past a bound, by which.
    """

    connections: int = 0
    open_connections: int = 0
    requests: int = 0
    replies: int = 0
    rest_requests: int = 0
    pongs: int = 0
    messages: int = 0
    bytes: int = 0
    by_channel: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    repeated: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    subscriptions: int = 0
    refused: Counter[str] = field(default_factory=Counter)


class Connection(WSListener):
    """A client.

    Parameters
    ----------
    exchange, client
        The protocol, and what it remembers of this connection.
    stats, faults
        The simulator's.
    on_change
        Called when the connection opened or closed, subscribed, or can be written again.
    accepted
        What the exchange sends at once.
    """

    def __init__(
        self,
        exchange: Exchange,
        client: Client,
        stats: Stats,
        faults: Faults,
        on_change: Callable[[Connection], None],
        accepted: Reaction,
    ) -> None:
        self.client = client
        self.exchange = exchange
        self.is_open = False
        self.is_blocked = False
        self.is_stalled = False
        self.last_sent_s = time.monotonic()
        self.n_messages = self.n_bytes = 0  # data messages that were queued, and their payload
        self.address = ""
        self.out_bytes = 0
        self._out: list[bytes] = []
        self._stats = stats
        self._faults = faults
        self._on_change = on_change
        self._accepted = accepted
        self._parts: list[bytes] = []
        self._n_part_bytes = 0
        self._is_refused = False
        self._transport: WSTransport | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Send what the venue sends first."""
        self._transport = transport
        transport.underlying_transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        host, port = transport.underlying_transport.get_extra_info("peername")[:2]
        self.address = f"{host}:{port}"
        self.is_open = True
        self._stats.connections += 1
        self._stats.open_connections += 1
        self._react(self._accepted)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Put a message together and let the exchange react to it."""
        kind = frame.msg_type
        if kind == WSMsgType.CLOSE:
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
            return
        if kind == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
            self._let_go_if_unread()
            too_many = self.exchange.count(self.client)
            if too_many is not None:
                self._react(too_many)
            return
        if kind == WSMsgType.PONG:
            self._stats.pongs += 1
            return
        part = frame.get_payload_as_bytes()
        self._n_part_bytes += len(part) + 1  # an empty one takes room, too
        if self._n_part_bytes > MAX_REQUEST_BYTES:
            self._refuse_rest()
            return
        self._parts.append(part)
        if not frame.fin:
            return
        payload = b"".join(self._parts)
        self._parts.clear()
        self._n_part_bytes = 0
        self._stats.requests += 1
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            self.close(1007, "not UTF-8")
            return
        self._react(self.exchange.request(text, self.client))

    def _refuse_rest(self) -> None:
        """End the connection, once: what the client still sends is dropped."""
        if not self._is_refused:
            self._is_refused = True
            self._parts.clear()
            self._stats.refused["too large"] += 1
            self.close(1009, "too large")

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Forget the client."""
        self.is_open = False
        self.is_blocked = False
        self._stats.open_connections -= 1
        self._on_change(self)

    def pause_writing(self) -> None:
        """Note that the transport holds enough."""
        self.is_blocked = True

    def resume_writing(self) -> None:
        """Note that the transport can take more."""
        self.is_blocked = False
        self._on_change(self)

    def deliver(self, message: Message) -> bool:
        """Queue a data message, as the faults leave it; returns whether it counts as sent."""
        payload = message.payload
        if self._faults.messages:
            fault = self._faults.due(self._stats.messages + 1, message.channel)
            if fault is not None:
                payload = self._strike(fault, payload)
                if payload == b"":
                    return False
        is_whole = payload is message.payload
        if self.client.bare:
            payload = self.exchange.unwrap(payload)
        self.queue(payload)
        stats = self._stats
        stats.messages += 1
        stats.bytes += len(payload)
        self.n_messages += 1
        self.n_bytes += len(payload)
        stats.by_channel[message.channel] += 1
        if is_whole:
            stats.rows[message.channel] += message.n_rows - message.n_repeated
            stats.repeated[message.channel] += message.n_repeated
        return True

    def queue(self, payload: bytes) -> None:
        """Queue a text message."""
        frame = text_frame(payload)
        self._out.append(frame)
        self.out_bytes += len(frame)

    def flush(self) -> None:
        """Write what is queued."""
        if not self._out:
            return
        if self._transport is not None and self.is_open:
            self._transport.underlying_transport.write(b"".join(self._out))
            self.last_sent_s = time.monotonic()
        self._out.clear()
        self.out_bytes = 0
        self._let_go_if_unread()

    def _let_go_if_unread(self) -> None:
        if self._transport is None or not self.is_open:
            return
        if self._transport.underlying_transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            self._stats.refused["unread"] += 1
            self._transport.underlying_transport.abort()

    def ping(self, payload: bytes) -> None:
        """Send a ping frame."""
        self.flush()
        if self._transport is not None and self.is_open:
            self._transport.send_ping(payload)

    def send_raw(self, frame_bytes: bytes) -> None:
        """Write bytes as they are, after what is queued."""
        self._out.append(frame_bytes)
        self.flush()

    def close(self, code: int = 1001, reason: str = "") -> None:
        """Start the closing handshake and end the connection."""
        self.flush()
        if self._transport is not None and self.is_open:
            # picows takes the codes it has names for, and a venue may use any other.
            body = code.to_bytes(2, "big") + reason.encode()
            self._transport.underlying_transport.write(bytes((0x88, len(body))) + body)
            self._transport.disconnect()

    def abort(self) -> None:
        """Lose the connection without a word."""
        self._out.clear()
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    def _react(self, reaction: Reaction) -> None:
        for reply in reaction.replies:
            self.queue(reply.encode())
            self._stats.replies += 1
        for message in reaction.first:
            self.deliver(message)
        self.flush()
        if reaction.close is not None:
            self.close(*reaction.close)
        self._on_change(self)

    def _strike(self, fault: Fault, payload: bytes) -> bytes:
        """Return the payload that remains; empty where none is sent."""
        self._stats.faults[fault.kind] += 1
        if fault.kind in ("truncate", "missing-field"):
            return damaged(payload, fault.kind, self.exchange.required)
        if fault.kind == "abort":
            self.flush()
            self.abort()
        elif fault.kind == "close":
            self.close(fault.code)
        elif fault.kind == "protocol-error":
            self.send_raw(_RESERVED_OPCODE_FRAME)
        elif fault.kind == "error":
            self.queue(self.exchange.error_text.encode())
        elif fault.kind == "stall":
            # What is queued belongs to the time before.
            self.flush()
            self.is_stalled = True
            self._on_change(self)
        return b""
