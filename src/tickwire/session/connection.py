"""One connection of a session: opened, subscribed, watched, closed.

Rules of this file
------------------
- Data never comes through here: the carrier's reads end in the handler. What the handler keeps for
  the session (acknowledgements, errors, pongs of the venue's own kind) is fetched once per read at
  most.
- Under backpressure reading is paused and silence means nothing.
- It decides nothing about the next connection; it says how it ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

from tickwire.net.awake import AwakeClock, awake_timeout
from tickwire.net.connection import Connection
from tickwire.net.ending import Ending
from tickwire.net.keepalive import watch_silence
from tickwire.net.opening import open_connection
from tickwire.redaction import shown
from tickwire.session.asking import Event
from tickwire.session.contract import SessionHandler, SessionSettings
from tickwire.session.pacing import Pacer
from tickwire.session.replies import understand
from tickwire.session.subscriber import Subscriber, Unanswered
from tickwire.session.subscriptions import Subscriptions
from tickwire.supervise import cancel_all, spawn
from tickwire.venues.base import Venue
from tickwire.wire import DeflateOffer, Handler


@dataclass(frozen=True, slots=True)
class End:
    """How a connection ended.

    Parameters
    ----------
    reason
        See `Session`.
    detail
        For people.
    is_fault
        Whether the peer broke RFC 6455.
    """

    reason: str
    detail: str
    is_fault: bool = False


class SessionConnection:
    """A connection under one number, whose messages go to one handler.

    Parameters
    ----------
    conn
        Its number.
    handler
        Takes its messages.
    venue
        Words, limits and heartbeat.
    settings
        How to connect.
    asked
        Decides what to ask for.
    on_event
        Called with what comes of it, in order.
    on_healthy
        Called once it has been fully subscribed for `healthy_s`.
    on_wait
        Called with each wait for a limit of requests, seconds.
    source
        Whose share of the venue's limit it has.
    on_closing
        Called with the venue's words when it will end the connection soon.
    warn
        Takes what a person should know.
    """

    def __init__(
        self,
        conn: int,
        handler: SessionHandler,
        venue: Venue,
        settings: SessionSettings,
        asked: Subscriptions,
        *,
        on_event: Callable[[Event], None],
        on_healthy: Callable[[], None],
        on_wait: Callable[[float], None],
        source: str,
        on_closing: Callable[[str], None],
        warn: Callable[[str], None],
    ) -> None:
        self.conn = conn
        self.handler = handler
        self.connection: Connection | None = None  # once it is open
        self.awake: AwakeClock | None = None  # of the loop, while it is served
        self._venue = venue
        self._settings = settings
        self._asked = asked
        self._on_event = on_event
        self._on_healthy = on_healthy
        self._on_closing = on_closing
        self._warn = warn
        self._pacer = Pacer(
            venue.limits.requests_per_s,
            shared=settings.requests,
            source=source,
            on_wait=on_wait,
            clock=settings.clock,
            sleep=settings.sleep,
        )
        self._subscriber: Subscriber | None = None
        self._subscribed_at_s: float | None = None  # to all of it, by the loop's clock
        self._is_healthy = False
        self._health_timer: asyncio.TimerHandle | None = None
        loop = asyncio.get_running_loop()
        # Done with why it is left: reason and detail.
        self._leave: asyncio.Future[tuple[str, str]] = loop.create_future()
        self._broken: asyncio.Future[None] = loop.create_future()  # done with our own failure

    async def open(self, url: str) -> Connection:
        """Open it; it may be tried again after a failure.

        Raises
        ------
        ConnectionFailed, HandshakeError
            As of `open_connection`.
        """
        options = self._settings.options
        handler = cast(Handler, self.handler)
        if self._settings.recorder is not None:
            handler = self._settings.recorder.recorded(handler, self.conn, url)
        address = self._settings.address
        connection = await open_connection(
            url if address is None else await address(url),
            handler,
            options,
            compression=self._offer(),
            frames=self._venue.frames,
            on_events=self._on_events,
        )
        connection.pace_reads(options.coalesce_us, options.busy_poll_us, self._settings.rests)
        return connection

    async def serve(
        self,
        connection: Connection,
        awake: AwakeClock,
        stop: asyncio.Event,
        began: Callable[[], None],
    ) -> End:
        """Live through the open connection, until it ends.

        Parameters
        ----------
        connection
            What `open` gave.
        awake
            The clock of the loop.
        stop
            Set when the session ends.
        began
            Called before the first read.
        """
        self.connection = connection
        self.awake = awake
        self._asked.clock = awake.now_s
        self._subscriber = Subscriber(
            self._venue,
            self._asked,
            send=self.send,
            pacer=self._pacer,
            on_event=self._on_event,
            has_data=lambda: self.handler.last_message_ns > 0,
            grace_s=awake.grace_s,
        )
        began()
        note = await self._until_end(connection, self._subscriber, stop)
        self._look_at_health()
        ending = await self._close(connection, note)
        return End(*(note or _reason(ending)), is_fault=ending.error is not None)

    def raise_failure(self) -> None:
        """Raise what our own code raised while it took the venue's replies, if it did."""
        if self._broken.done():
            self._broken.result()

    def leave(self, why: str, reason: str = "stale") -> bool:
        """Ask it to end; False where it is not open, or ends already."""
        if self.connection is None or self._leave.done():
            return False
        self._leave.set_result((reason, why))
        return True

    def ask_again(self, keys: Iterable[str]) -> None:
        """Ask again for what was acknowledged and brings nothing."""
        if self._subscriber is not None:
            self._subscriber.ask_again(keys)

    def wake(self) -> None:
        """Look again at what there is to ask for."""
        if self._subscriber is not None:
            self._subscriber.wake()

    def note_subscribed(self) -> None:
        """Note that all subscriptions have been answered."""
        if self._subscribed_at_s is None and self.awake is not None:
            self._subscribed_at_s = self.awake.now_s()
            self._look_at_health()

    def _look_at_health(self) -> None:
        """Tell, once, that it has been fully subscribed for long enough; stalls do not count."""
        if self._health_timer is not None:
            self._health_timer.cancel()
        if self._subscribed_at_s is None or self._is_healthy or self.awake is None:
            return
        left_s = self._settings.healthy_s - (self.awake.now_s() - self._subscribed_at_s)
        if left_s > 0:
            loop = asyncio.get_running_loop()
            self._health_timer = loop.call_later(left_s, self._look_at_health)
            return
        self._is_healthy = True
        self._on_healthy()

    def discard(self) -> None:
        """Give it up where it has not ended: the session was cancelled, or an observer failed."""
        if self._health_timer is not None:
            self._health_timer.cancel()
        if self.connection is not None and not self.connection.ended.done():
            self.connection.give_up("the session ended")

    def _offer(self) -> DeflateOffer | None:
        wanted = self._settings.options.compression
        offered = wanted == "deflate" or (wanted == "auto" and self._venue.compression)
        return DeflateOffer() if offered else None

    async def _until_end(
        self, connection: Connection, subscriber: Subscriber, stop: asyncio.Event
    ) -> tuple[str, str] | None:
        """Read and subscribe until something ends it; give why, where we end it."""
        subscribing = spawn("subscribe", subscriber.run())
        listening = spawn("watch", self._watch(connection))
        tasks: list[asyncio.Future[Any]] = [
            subscribing,
            listening,
            spawn("stop", stop.wait()),
            spawn("halt", connection.halted.wait()),
        ]
        try:
            connection.begin()
            await asyncio.wait(
                [*tasks, connection.ended, self._broken, self._leave],
                return_when=asyncio.FIRST_COMPLETED,
            )
            return self._judge(connection, subscribing, listening, stop)
        finally:
            await cancel_all(tasks)
            if not connection.ended.done() and self._broken.done():
                connection.give_up("the session failed")

    def _judge(
        self,
        connection: Connection,
        subscribing: asyncio.Future[None],
        listening: asyncio.Future[float],
        stop: asyncio.Event,
    ) -> tuple[str, str] | None:
        """Give reason and detail of an end that we make; None where it ended by itself."""
        if connection.ended.done():
            return None
        if connection.halted.is_set():
            stop.set()
            return "stopped", "the handler asked for the end"
        if stop.is_set():
            return "stopped", ""
        if self._leave.done():
            return self._leave.result()
        if listening.done():
            return "timeout", f"nothing received for {listening.result():.1f} s"
        if subscribing.done():
            error = subscribing.exception()
            if isinstance(error, Unanswered):
                return "unanswered", str(error)
            if error is not None:
                raise error
        return "lost", "the session failed"

    async def _close(self, connection: Connection, note: tuple[str, str] | None) -> Ending:
        if note is not None and note[0] == "timeout":
            connection.give_up(note[1])  # there is no peer to shake hands with
        elif note is not None:
            return await connection.close(1000)
        # Who cancels this wait must not cancel what the connection has yet to tell.
        return await asyncio.shield(connection.ended)

    async def send(self, text: str) -> None:
        """Send a text; wait until the peer takes it, for a while."""
        connection = self.connection
        if connection is None or not connection.is_open:
            await asyncio.Event().wait()  # the end of the connection ends this too
            return
        self._send_text(connection, text)
        timeout_s = self._settings.options.subscribe_timeout_s
        try:
            async with awake_timeout(timeout_s):
                await connection.carrier.drain()
        except TimeoutError:
            unsent = connection.carrier.unsent_bytes()
            self._warn(f"the venue takes no requests: {unsent} bytes wait to be sent")
        except OSError:  # reported by the end of the connection
            pass

    def _send_text(self, connection: Connection, text: str) -> None:
        connection.send_text(text)
        if self._settings.recorder is not None:
            self._settings.recorder.sent(self.conn, text)

    async def _watch(self, connection: Connection) -> float:
        heartbeat = self._settings.heartbeat or self._venue.heartbeat

        async def send() -> None:
            await self._pacer.turn()
            if heartbeat.kind == "text":
                await self.send(heartbeat.payload)
            elif connection.is_open:
                connection.ping()

        return await watch_silence(
            connection,
            None if heartbeat.kind == "none" else send,
            every_s=heartbeat.every_s,
            timeout_s=heartbeat.timeout_s,
            probe_after_s=heartbeat.probe_after_s,
            probe_timeout_s=self._settings.options.ping_timeout_s,
        )

    def _on_events(self) -> None:
        """Hand on what the venue says to the session; called by the carrier, so it never raises."""
        self.handler.has_events = False
        try:
            for kind, payload in self.handler.take_events():
                reply = understand(self._venue, kind, payload)
                # A peer that asks and does not read must not make our write buffer grow.
                if reply.answer is not None and self.connection and self.connection.may_answer():
                    self._pacer.charge()
                    self._send_text(self.connection, reply.answer)
                if reply.closing:
                    self._on_closing(reply.text)
                elif self._subscriber is not None:
                    self._subscriber.on_reply(reply)
        except Exception as error:  # `raise_failure` raises it
            if not self._broken.done():
                self._broken.set_exception(error)


def _reason(ending: Ending) -> tuple[str, str]:
    detail = shown(f"{ending.code} {ending.reason}".rstrip())
    if ending.error is not None:
        return "protocol", shown(str(ending.error))
    if ending.paused:
        return "overflow", detail
    return ("lost" if ending.code == 1006 else "closed"), detail
