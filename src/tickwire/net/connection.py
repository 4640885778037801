"""One open WebSocket connection, whichever carrier brings its bytes.

Rules of this file
------------------
- Messages never come through here: the carrier gives bytes to the `Receiver`, whose parser gives
  messages to the handler. A connection is called, once per read at most, for everything else:
  control frames, events of the handler, backpressure, a fault.
- The close handshake follows RFC 6455 section 7: the side that gets a close frame first answers it
  with the same code; the server closes the transport first; we wait for that, but not for ever.
- After a fault or a halt the bytes that still come are dropped. The transport is kept open for a
  moment all the same: closing it with bytes unread would make TCP throw away our close frame.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from functools import partial
from typing import Literal

from tickwire import errors
from tickwire.net._coalescer import Coalescer
from tickwire.net._receiver import Receiver
from tickwire.net._spinner import Watched, spinner_of
from tickwire.net.awake import AwakeClock
from tickwire.net.backlog import Backlog
from tickwire.net.carriers.base import Carrier
from tickwire.net.ending import ABNORMAL, NO_STATUS, Ending
from tickwire.net.liveness import Liveness
from tickwire.net.outgoing import COMPRESS_FROM_BYTES, PING, PONG, Outgoing
from tickwire.net.pings import WaitingPings
from tickwire.observe import Histogram
from tickwire.wire import Deflate, build_close

TEXT, BINARY = 0x1, 0x2

# A message is offered again as soon as its handler tells of room. One that cannot tell, because its
# consumer is in another process, is asked this often.
RETRY_S = 0.25
LINGER_S = 1.0  # how long a transport outlives the close handshake


class Connection:
    """An open connection: sends, answers pings, closes.

    Parameters
    ----------
    receiver
        Where its bytes arrive.
    carrier
        What brings them.
    subprotocol
        The one that the server chose.
    compression
        What was agreed on of permessage-deflate.
    compress_from_bytes
        Shorter messages are sent as they are.
    close_timeout_s
        How long to wait for the peer's close frame and for the end of the transport.
    on_events
        Called after a read that left events with the handler.
    """

    def __init__(
        self,
        receiver: Receiver,
        carrier: Carrier,
        *,
        subprotocol: str | None = None,
        compression: Deflate | None = None,
        compress_from_bytes: int = COMPRESS_FROM_BYTES,
        close_timeout_s: float = 5.0,
        on_events: Callable[[], None] | None = None,
    ) -> None:
        self.receiver = receiver
        self.carrier = carrier
        self.subprotocol = subprotocol
        self.compression = compression
        self.close_timeout_s = close_timeout_s
        self.on_events = on_events
        self.n_pauses = 0
        self.halted = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[Ending] = self._loop.create_future()
        self._close_sent = False
        self._close_received = False
        self._by_us = False
        self._fault: errors.ProtocolError | None = None
        self._note = ""  # why we gave the connection up, where the peer gave no reason
        self._peer_reason = ""
        self._on_room: Callable[[], None] | None = None  # while the handler has none
        self._retry_timer: asyncio.TimerHandle | None = None
        self._end_timer: asyncio.TimerHandle | None = None
        self._pings = WaitingPings(self._loop)
        self._outgoing = Outgoing(
            carrier, lambda: self.is_open, compression, compress_from_bytes=compress_from_bytes
        )
        self._liveness = Liveness(receiver)
        self._backlog = Backlog(carrier, self._loop)
        self._watched: Watched | None = None

    def pace_reads(
        self, coalesce_us: int | Literal["auto"], busy_poll_us: int, rests: Histogram | None = None
    ) -> None:
        """Read more seldom than messages come, or look for them without sleeping.

        Parameters
        ----------
        coalesce_us
            How long to rest after a small read; 0 for not at all.
        busy_poll_us
            How long a turn of the loop looks for bytes; 0 for not at all.
        rests
            Gets how long each rest was that brought something.
        """
        transport = self.carrier.transport
        if transport.is_closing():
            return
        if coalesce_us:
            rest_us = None if coalesce_us == "auto" else coalesce_us
            self.receiver.coalescer = Coalescer(self._loop, transport, rest_us, self.carrier, rests)
        if busy_poll_us:
            self._watched = spinner_of(self._loop).watch(transport, self.carrier, busy_poll_us)

    def _stop_pacing(self) -> None:
        if self.receiver.coalescer is not None:
            self.receiver.coalescer.end()
            self.receiver.coalescer = None
        if self._watched is not None:
            spinner_of(self._loop).forget(self._watched)
            self._watched = None

    def begin(self) -> None:
        """Parse what came with the handshake, and read on."""
        self.carrier.lost.add_done_callback(self._on_lost)
        self.receiver.on_attention = self._on_attention
        self.receiver.start()
        if not self.receiver.paused:
            self.carrier.begin()

    # Sending, RFC 6455 section 6.1.

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return not (self._close_sent or self._close_received or self.carrier.lost.done())

    @property
    def is_behind(self) -> bool:
        """Whether reading is paused, or what piled up meanwhile may not all have been read."""
        return self.receiver.paused or self._backlog.is_open

    @property
    def last_read(self) -> tuple[int, int] | None:
        """When the last read was, by the wall clock and the monotonic one, ns."""
        receiver = self.receiver
        return (receiver.ts_recv_ns, receiver.mono_ns) if receiver.mono_ns else None

    @property
    def behind_since_ns(self) -> int:
        """When what is read began to be late, if `is_behind`, or was last; wall time."""
        return self._backlog.since_ns

    def send_text(self, text: str) -> None:
        """Send a text message."""
        self._send(TEXT, text.encode())

    def send_binary(self, payload: bytes | bytearray | memoryview) -> None:
        """Send a binary message."""
        self._send(BINARY, payload)

    def ping(self, payload: bytes | None = None) -> asyncio.Future[float]:
        """Send a ping.

        Parameters
        ----------
        payload
            At most 125 bytes; random ones if left out. Must differ from those of other pings that
            have not been answered.

        Returns
        -------
        asyncio.Future of float
            Done when the pong comes, with the seconds it took. A pong answers all older pings too.

        Raises
        ------
        ConnectionClosed, ProtocolError
            If the connection is not open.
        ValueError
            If the payload is too long or waits already.
        """
        if payload is None:
            payload = os.urandom(8)
        self._pings.check(payload)
        self._send(PING, payload)
        return self._pings.add(payload)

    def _send(self, opcode: int, payload: bytes | bytearray | memoryview) -> None:
        if not self.is_open:
            raise self._why_not_open()
        self._outgoing.send(opcode, payload)

    def _why_not_open(self) -> errors.TickwireError:
        if self.ended.done():
            return self.ended.result().exception()
        if self._fault is not None:
            return self._fault
        code = self.receiver.parser.close_code if self._close_received else ABNORMAL
        return errors.ConnectionClosed(code, self._peer_reason or "closing")

    # Liveness.

    def alive_ns(self, clock: AwakeClock) -> int:
        """Give the monotonic time when the peer was last known to live, ns."""
        return self._liveness.alive_ns(clock)

    def has_unread(self) -> bool:
        """Whether bytes wait to be read, which may show that the peer lives; an end does not."""
        return not self._liveness.is_endless and self.carrier.has_unread(or_end=False)

    def has_talked(self) -> bool:
        """Whether a message has come."""
        return self.receiver.parser.n_messages > 0

    @property
    def n_pings(self) -> int:
        """Pings received."""
        return self.receiver.parser.n_pings

    def may_answer(self) -> bool:
        """Whether so little is unsent that what a peer asks may be answered."""
        return self._outgoing.may_answer()

    # Closing, RFC 6455 section 7.

    async def close(self, code: int = 1000, reason: str = "") -> Ending:
        """Close the connection and wait for its end, at most about `close_timeout_s`."""
        frame = build_close(code, reason)
        self._by_us = True
        self._start_closing(frame)
        return await asyncio.shield(self.ended)

    def give_up(self, note: str) -> None:
        """Drop the connection at once, because its peer is not there any more."""
        self._note = self._note or note
        self._stop_pacing()  # one that never began sees no end
        self.carrier.abort()

    def _start_closing(self, frame: bytes) -> None:
        if self.ended.done():
            return
        if not self._close_sent:
            self._write_close(frame)
        # While nothing is parsed the peer's close frame cannot be seen.
        blind = self.receiver.ended or self.receiver.paused
        self._end_within(min(LINGER_S, self.close_timeout_s) if blind else self.close_timeout_s)

    def _write_close(self, frame: bytes) -> None:
        self._close_sent = True
        if not self.carrier.lost.done():
            self.carrier.write(frame)

    def _end_within(self, seconds: float) -> None:
        self._stop_pacing()  # nothing is gained any more, and the peer's end is read at once
        if self._end_timer is None and not self.ended.done():
            self._end_timer = self._loop.call_later(seconds, self._end_transport)

    def _end_transport(self) -> None:
        # Closing waits for unsent bytes, which a dead peer never takes: then abort.
        if self.carrier.unsent_bytes() or self.receiver.paused:
            self.carrier.abort()
        else:
            self.carrier.close()
            self._end_timer = self._loop.call_later(LINGER_S, self.carrier.abort)

    # What the receiver tells.

    def _on_attention(self) -> None:
        for opcode, payload in self.receiver.parser.take_control():
            if opcode == PING:
                self._outgoing.answer(payload)
            elif opcode == PONG:
                self._pings.on_pong(payload)
            else:
                self._on_close(payload)
        if self.receiver.handler.has_events and self.on_events is not None:
            self.on_events()
        if self.receiver.paused:
            self._pause()
        elif self.receiver.ended and not self._close_received:
            fault = self.receiver.parser.error_as_exception()
            if fault is None:
                self.halted.set()
            elif self._fault is None:
                self.fail(fault)

    def fail(self, fault: errors.ProtocolError) -> None:
        """Fail the connection, RFC 6455 section 7.1.7: tell the peer why, then close."""
        self._fault = fault
        self.receiver.end_now()
        if not self._close_sent:
            self._write_close(build_close(fault.close_code, fault.reason))
        self._end_within(min(LINGER_S, self.close_timeout_s))

    def _on_close(self, payload: bytes) -> None:
        self._close_received = True
        self._backlog.settle()
        self._peer_reason = payload[2:].decode()
        if not self._close_sent:
            code = self.receiver.parser.close_code
            self._write_close(build_close(None if code == NO_STATUS else code))
        if self._end_timer is not None:
            self._end_timer.cancel()
            self._end_timer = None
        self._end_within(min(LINGER_S, self.close_timeout_s))

    def _pause(self) -> None:
        if self._on_room is None and not self.carrier.lost.done():
            self.n_pauses += 1
            self.carrier.pause_reading()
            self._backlog.pause()
            self._on_room = self._retry
            self._loop.call_soon(self.room_made)  # not here: the receiver is still parsing

    def _retry(self) -> None:
        # `_on_room` is kept until it is known how it went: meanwhile this is the same pause.
        if self._offer(RETRY_S):
            self._on_room = None
            self._liveness.note()
            if self._close_received:
                self._backlog.undo()  # the close frame was read before the pause
            else:
                self._backlog.resume()
            self.carrier.resume_reading()

    def _offer(self, retry_s: float) -> bool:
        """Offer what is received to the handler; under backpressure, wait for its end."""
        if self._retry_timer is not None:
            self._retry_timer.cancel()
            self._retry_timer = None
        handler = self.receiver.handler
        while not self.receiver.retry():
            # Waiting comes first and another try second: room made in between is not told.
            if not handler.wait_for_room(self._tell_room):
                self._retry_timer = self._loop.call_later(retry_s, self.room_made)
                return False
        handler.forget_room(self._tell_room)
        return True

    def _tell_room(self) -> None:
        """Take the handler's word that there is room; called in any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self.room_made)

    def room_made(self) -> None:
        """Offer a refused message again now, because its handler may have room."""
        if self._on_room is not None:
            self._on_room()

    # What the carrier tells.

    def _on_lost(self, lost: asyncio.Future[Exception | None]) -> None:
        error = None if lost.cancelled() else lost.result()
        self._stop_pacing()
        if isinstance(error, errors.ProtocolError) and self._fault is None:
            self._fault = error
        self._cancel_timers()
        self._backlog.settle()
        # Who asked for the end does not wait for what is left.
        deadline = self._loop.time() + (0.0 if self._by_us else self.close_timeout_s)
        self._take_rest(self.is_behind, error, deadline)

    def _take_rest(self, paused: bool, error: Exception | None, deadline: float) -> None:
        """Let the handler take what was received before the end, then end.

        What does not fit by the deadline is lost.
        """
        left_s = deadline - self._loop.time()
        if not self._offer(max(0.0, min(RETRY_S, left_s))) and left_s > 0:
            self._on_room = partial(self._take_rest, paused, error, deadline)
            return
        self._on_room = None
        self.receiver.handler.forget_room(self._tell_room)
        self._cancel_timers()
        self.receiver.on_attention = None
        if self._close_received:
            code, reason = self.receiver.parser.close_code, self._peer_reason
        else:
            code, reason = ABNORMAL, self._note or (str(error) if error else "connection lost")
        ending = Ending(code, reason, self._fault, self._by_us, paused)
        self.ended.set_result(ending)
        self._pings.end(ending.exception())
        self._outgoing.end()

    def _cancel_timers(self) -> None:
        for timer in (self._retry_timer, self._end_timer):
            if timer is not None:
                timer.cancel()
        self._retry_timer = None
        self._end_timer = None
