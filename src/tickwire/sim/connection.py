"""One client's connection: its requests in, its messages out, its faults.

Rules of this file
------------------
- While the transport asks for a pause nothing more is produced, so what is buffered stays within
  the transport's high-water mark and one batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from picows import WSCloseCode, WSFrame, WSMsgType, WSTransport

from tickwire.sim.exchange import Client, Exchange, Message, Reaction
from tickwire.sim.faults import Fault
from tickwire.sim.frames import text_frame
from tickwire.sim.injector import Injector
from tickwire.sim.outgoing import Outgoing
from tickwire.sim.stats import Stats
from tickwire.sim.struck import damaged
from tickwire.sim.truth_log import TruthLog
from tickwire.sim.upgrade import Answer

HIGH_WATER_BYTES = 1 << 20
MAX_REQUEST_BYTES = 1 << 20  # of one request, over all its frames
_RESERVED_OPCODE_FRAME = b"\x83\x00"


class Connection(Outgoing):
    """A client.

    Parameters
    ----------
    exchange, client
        The protocol, and what it remembers of this connection.
    stats, injector, truth
        The simulator's.
    on_change
        Called when the connection opened or closed, subscribed, or can be written again.
    accepted
        What the exchange sends at once.
    answer
        The answer to its handshake, where that one is written byte by byte.
    """

    def __init__(
        self,
        exchange: Exchange,
        client: Client,
        stats: Stats,
        injector: Injector,
        on_change: Callable[[Connection], None],
        accepted: Reaction,
        truth: TruthLog | None = None,
        answer: Answer | None = None,
    ) -> None:
        super().__init__(client, stats, injector, confirms=truth is not None)
        self.exchange = exchange
        self.is_blocked = False
        self.is_stalled = False
        self.n_messages = self.n_bytes = 0  # data messages that were queued, and their payload
        self.address = ""
        self._truth = truth
        self._answer = answer
        self._timers: set[asyncio.TimerHandle] = set()
        self._has_begun = False
        self._held_back: list[tuple[Message, int]] = []
        self._on_change = on_change
        self._accepted = accepted
        self._parts: list[bytes] = []
        self._n_part_bytes = 0
        self._is_refused = False
        self._is_half = False  # the last frame was not sent whole

    def streams(self) -> Iterator[tuple[str, str]]:
        """Give (channel, symbol) of each subscription."""
        return map(self.exchange.stream_of, [*self.client.keys, *self.client.silent])

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Send what the venue sends first."""
        self._transport = transport
        if self._answer is not None:
            self._write_slowly(self._answer.held)
        else:
            self._begin(transport)

    def _write_slowly(self, answer: bytes) -> None:
        """Write the answer to the handshake a byte at a time, and begin then."""
        transport = self._transport
        if transport is None or transport.underlying_transport.is_closing():
            return
        transport.underlying_transport.write(answer[:1])
        if len(answer) > 1:
            assert self._answer is not None  # noqa: S101 - it gave these bytes
            self._later(self._answer.pause_s, self._write_slowly, answer[1:])
        else:
            self._begin(transport)

    def _later(self, delay_s: float, act: Callable[[Any], None], argument: Any) -> None:
        def run() -> None:
            self._timers.discard(timer)
            act(argument)

        timer = asyncio.get_running_loop().call_later(delay_s, run)
        self._timers.add(timer)

    def _begin(self, transport: WSTransport) -> None:
        transport.underlying_transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        host, port = transport.underlying_transport.get_extra_info("peername")[:2]
        self.address = f"{host}:{port}"
        self.is_open = self._has_begun = True
        self._stats.connections += 1
        self._stats.open_connections += 1
        if self._truth is not None:
            self._truth.event("connected", connection=self.number, path=self.client.path)
        self._react(self._accepted)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Put a message together and let the exchange react to it."""
        kind = frame.msg_type
        if kind == WSMsgType.CLOSE:
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
            self.is_open = False  # nothing follows a close frame
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
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._delayed.drop()
        self.is_open = False
        self.is_blocked = False
        if self._has_begun:
            self._stats.open_connections -= 1
            if self._truth is not None and self._unconfirmed is not None:
                unsure = self._unconfirmed.numbers
                unsure += [number for _, number in self._held_back]
                self._truth.event("ended", connection=self.number, by=self._end, unsure=unsure)
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
        return self.deliver_as(message) == ""

    def deliver_as(self, message: Message) -> str:
        """Queue a data message; returns the fault that struck it, or an empty text."""
        fault = None
        message = self.exchange.addressed(message, self.client)
        if self._injector.at_messages:
            channel, symbol = message.channel, self.exchange.stream_of(message.key)[1]
            number = self._stats.messages + 1
            fault = self._injector.on_message(self, number, channel, symbol)
        number = self._truth.number if self._truth is not None else 0
        payloads = (message.payload,) if fault is None else self._strike_message(fault, message)
        for payload in payloads:
            self._send(message, payload, number)
        if payloads:
            held_back, self._held_back = self._held_back, []
            for held, number in held_back:
                self._send(held, held.payload, number)
        return "" if fault is None else fault.name

    def _send(self, message: Message, payload: bytes, number: int) -> None:
        is_whole = payload is message.payload
        if self.client.bare:
            payload = self.exchange.unwrap(payload)
        self.queue(payload)
        if self._unconfirmed is not None:
            self._unconfirmed.add(number, len(payload))
        stats = self._stats
        stats.messages += 1
        stats.bytes += len(payload)
        self.n_messages += 1
        self.n_bytes += len(payload)
        stats.by_channel[message.channel] += 1
        if is_whole:
            stats.rows[message.channel] += message.n_rows - message.n_repeated
            stats.repeated[message.channel] += message.n_repeated

    def beat(self) -> None:
        """Send the venue's heartbeat, where it has one."""
        text = self.exchange.beat(self.client) if self.is_open and not self.is_stalled else None
        if text is not None:
            self.queue(text.encode())
            self.flush()

    def _react(self, reaction: Reaction) -> None:
        if reaction.reset:
            self.reset()
            return
        for reply in reaction.replies:
            self.queue(reply.encode())
            self._stats.replies += 1
        for message in reaction.first:
            self._deliver_first(message)
        for delay_s, reply in reaction.later:
            self._later(delay_s, self._react, Reaction([reply]))
        self.flush()
        if reaction.close is not None:
            self.close(*reaction.close)
        self._on_change(self)

    def _deliver_first(self, message: Message) -> None:
        """Send what the venue sends to this client alone."""
        truth = self._truth
        if truth is None:
            self.deliver(message)
            return
        truth.number += 1
        truth.message(message, {self.number: self.deliver_as(message)})

    def _strike_message(self, fault: Fault, message: Message) -> Sequence[bytes]:
        """Return the payloads that are sent instead of a message's."""
        payload, name = message.payload, fault.name
        if name in ("truncate", "corrupt", "missing-field"):
            return [damaged(payload, name, self.exchange.required)]
        if name == "break-sequence":
            return [self.exchange.broken(payload) or payload]
        if name == "repeat":
            return [payload, payload]
        if name == "reorder":
            number = self._truth.number if self._truth is not None else 0
            self._held_back.append((message, number))
        elif name == "half-frame":
            frame = text_frame(payload)
            self.send_raw(frame[: len(frame) // 2])
            self._end_as(str(fault.argument))
        elif name == "protocol-error":
            self.send_raw(_RESERVED_OPCODE_FRAME)
            if self._unconfirmed is not None:
                self._unconfirmed.cease()
        elif name == "error":
            self.queue(self.exchange.error_text.encode())
        elif name not in ("drop", "mute"):
            self.strike(fault)
        return []

    def _end_as(self, end: str) -> None:
        if end == "reset":
            # What was written before goes out first, or it would not be half a frame.
            self._later(0.02, lambda _: self.reset(), None)
            self._hold(is_frozen=False)
        elif end == "hold":
            # Held for good: nothing that came behind half a frame could be read.
            self._is_half = True
            self._hold(is_frozen=True)
        else:
            self._end = "fin"
            if self._transport is not None:
                self._transport.disconnect()
            self.is_open = False

    def strike(self, fault: Fault) -> None:
        """Let a fault that strikes connections happen."""
        name = fault.name
        if name == "reset":
            self.flush()
            self.reset()
        elif name == "fin":
            self.flush()
            self._end_as("fin")
        elif name == "close":
            self.close(int(fault.argument))
        elif name == "delay":
            self._delayed.delay_s = float(fault.argument)
        elif name == "jitter":
            self._delayed.jitter_s = float(fault.argument)
        elif name == "notice":
            if self.exchange.notice_text:
                self._react(Reaction([self.exchange.notice_text]))
        elif name == "unsubscribe":
            self._react(self.exchange.unsubscribe(self.client, fault.targets))
        else:
            self.flush()  # what is queued belongs to the time before
            self._hold(is_frozen=name == "freeze")

    def _hold(self, *, is_frozen: bool) -> None:
        """Send no data any more; frozen, read and answer nothing either."""
        self.is_stalled = True
        if is_frozen and self._transport is not None:
            self._is_frozen = self._delayed.is_held = True
            self._transport.underlying_transport.pause_reading()
        self._on_change(self)

    def thaw(self, fault: Fault) -> None:
        """End a fault that lasts."""
        if not self.is_open or self._transport is None or self._is_half:
            return
        if fault.name == "delay":
            self._delayed.delay_s = 0.0
            return
        if fault.name == "jitter":
            self._delayed.jitter_s = 0.0
            return
        self.is_stalled = False
        if self._is_frozen:
            self._is_frozen = False
            self._delayed.release()
            self._transport.underlying_transport.resume_reading()
        self._on_change(self)
