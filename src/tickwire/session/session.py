"""One connection of a source, kept alive: connect, subscribe, read, reconnect, until stopped.

Rules of this file
------------------
- A connection (`connection.py`) that ends is followed by another; when and where `reconnect.py`
  decides.
- Observers are called before anything is logged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from time import monotonic

from tickwire import errors
from tickwire.net.awake import AwakeClock, counting
from tickwire.net.connection import Connection
from tickwire.net.probe import takes_connections
from tickwire.observe import Metrics
from tickwire.session.asking import AllAnswered, Event
from tickwire.session.breakers import endpoint_breakers, endpoint_of
from tickwire.session.connection import End, SessionConnection
from tickwire.session.contract import SessionHandler, SessionSettings
from tickwire.session.observers import SessionObserver
from tickwire.session.pacing import LimitWaits, WindowLimiter
from tickwire.session.reconnect import ReconnectPolicy, Wait
from tickwire.session.reporting import DEATHS, SessionReporter
from tickwire.session.subscriptions import Subscriptions
from tickwire.supervise import Failures, spawn, unless_set
from tickwire.venues.base import Subscription, Venue


class Session:
    """One connection of a source, kept alive.

    The reasons of a disconnect: `closed` by the venue with a close frame, `lost` without one,
    `timeout` after too long a silence, `protocol` where the venue broke RFC 6455, `unanswered`
    where it did not answer a subscribe request, `overflow` where reading was paused when it ended,
    `stale` by `reconnect`, `paused` by `pause`, `stopped` by `stop` or where the handler asked for
    the end.

    Parameters
    ----------
    venue
        Words, limits and heartbeat.
    urls
        Where to; the best first.
    subscriptions
        What to ask for.
    make_handler
        Makes the handler of a connection of that number.
    next_conn
        Gives the number of the next connection.
    observers
        Who wants to know; more may come later (`add_observer`).
    settings
        How to connect.
    metrics
        What it counts by; by default a registry of its own.
    delivers
        Tells whether a subscription has brought rows on a connection: then it needs no answer.
    """

    def __init__(
        self,
        venue: Venue,
        urls: Sequence[str],
        subscriptions: Sequence[Subscription],
        *,
        make_handler: Callable[[int], SessionHandler],
        next_conn: Callable[[], int],
        observers: Sequence[SessionObserver] = (),
        settings: SessionSettings | None = None,
        metrics: Metrics | None = None,
        delivers: Callable[[Subscription, int], bool] | None = None,
    ) -> None:
        self.venue = venue
        self.subscriptions = tuple(subscriptions)
        self.settings = settings or SessionSettings()
        self.subscribed_event = asyncio.Event()
        self.conn = -1  # of the connection that is open, or was last
        self.n_connects = 0
        self.connect_failure = ""  # why the last connection could not be made
        self.is_spare = False  # it has no connection that should be open
        self._metrics = metrics or Metrics(labels={"source": "", "venue": venue.name})
        self._metrics.watch("connections", lambda: not self.is_spare)
        self._metrics.watch("connections_open", lambda: self.connection is not None)
        self._metrics.watch("pings", lambda: self.n_pings)
        self._source = self._metrics.labels.get("source", "")
        self._waits = LimitWaits(
            self._metrics.counter("request_limit_wait_seconds"),
            lambda: self._reporter.log,
            "waiting for the venue's limit of requests",
            self.settings.clock,
        )
        if self.settings.requests is not None:
            self.settings.requests.join(self._source)
        self._url: str | None = None  # while connecting or connected
        self._n_pings = 0
        self._n_bytes = 0
        failures = self.settings.failures or Failures(metrics=self._metrics)
        self._reporter = SessionReporter(self, observers, self._metrics, failures)
        self._make_handler = make_handler
        self._next_conn = next_conn
        self._current: SessionConnection | None = None  # open, or tried until it is
        self._stop = asyncio.Event()
        self._resumed = asyncio.Event()  # not set while it is on hold
        self._resumed.set()
        given = self.settings
        self._asked = Subscriptions(
            self.subscriptions,
            at_once=venue.limits.subscriptions_per_request,
            reply_timeout_s=given.options.subscribe_timeout_s,
            rng=given.rng,
            delivers=None if delivers is None else lambda each: delivers(each, self.conn),
            clock=given.clock,
        )
        self._metrics.watch("refused_subscriptions", lambda: len(self._asked.refused))
        breakers = given.breakers or endpoint_breakers(self._metrics, given.clock)
        self._policy = ReconnectPolicy(
            urls,
            given.connects or WindowLimiter(venue.limits.connects_per_min, clock=given.clock),
            lambda url: breakers.of(endpoint_of(url)),
            source=self._source,
            first_delay_s=given.first_delay_s,
            longest_delay_s=given.options.backoff_max_s,
            unreachable_delay_s=given.unreachable_delay_s,
            rng=given.rng,
            clock=given.clock,
        )

    @property
    def handler(self) -> SessionHandler | None:
        """The handler of the connection that is open, or is being opened."""
        return None if self._current is None else self._current.handler

    @property
    def connection(self) -> Connection | None:
        """The open connection."""
        return None if self._current is None else self._current.connection

    @property
    def awake(self) -> AwakeClock | None:
        """The clock of the loop, while a connection is open."""
        return None if self._current is None else self._current.awake

    @property
    def url(self) -> str:
        """The endpoint of the open connection, or else of the next one."""
        return self._url or self._policy.url

    @property
    def is_away(self) -> bool:
        """Whether the open connection is not at the first endpoint."""
        return self.connection is not None and self._policy.is_away

    async def first_works(self) -> bool:
        """Try the first endpoint by TCP; False where its breaker is open, too."""
        if not self._policy.may_return():
            return False
        return await takes_connections(self._policy.first_url, self.settings.options)

    def turn_to_first(self) -> None:
        """Let the next connection be one to the first endpoint, where that works."""
        self._policy.turn_to_first()

    @property
    def is_subscribed(self) -> bool:
        """Whether all subscriptions of the open connection have been answered."""
        return self.subscribed_event.is_set()

    @property
    def is_paused(self) -> bool:
        """Whether reading is paused because of backpressure."""
        return self.connection is not None and self.connection.receiver.paused

    @property
    def n_bytes(self) -> int:
        """Bytes received on all connections of this session."""
        return self._n_bytes + (self.connection.receiver.n_bytes if self.connection else 0)

    @property
    def n_pings(self) -> int:
        """Pings received on all connections of this session."""
        return self._n_pings + (self.connection.n_pings if self.connection else 0)

    @property
    def refusals(self) -> list[tuple[Subscription, str]]:
        """The subscriptions that cannot be had now, and why."""
        return [(each.subscription, each.text) for each in self._asked.refused]

    @property
    def is_refused(self) -> bool:
        """Whether the venue wants none of the subscriptions, and never wanted any."""
        return self._asked.is_hopeless

    def ask_again(self, subscriptions: Iterable[Subscription]) -> None:
        """Ask again for subscriptions that were acknowledged and bring nothing."""
        keys = [each.key for each in subscriptions]
        self._metrics.counter("resubscribes").add(len(keys))
        if self._current is not None:
            self._current.ask_again(keys)

    def leave_out(self, keys: Iterable[str], why: str) -> None:
        """End subscriptions, and ask for them no more until `take_in`.

        Where the venue cannot end them, another connection is made, which does not have them.

        Parameters
        ----------
        keys
            Theirs; those that it does not have, or that are suspended, are passed over.
        why
            For the observers.
        """
        suspended = self._asked.suspend(keys)
        for each in suspended:
            self._reporter.left_out(each, why)
        if suspended and self.venue.unsubscribe is None:
            self.reconnect(why)
        elif suspended and self._current is not None:
            self._current.wake()

    def take_in(self, keys: Iterable[str]) -> None:
        """Ask for suspended subscriptions again."""
        if self._asked.resume(keys) and self._current is not None:
            self._current.wake()

    def report_silence(self, subscription: Subscription, text: str) -> None:
        """Tell the observers that a subscription has brought nothing for too long."""
        self._reporter.stale(subscription, text)

    def report(self, text: str) -> None:
        """Tell the observers what a person should know, within the bound of warnings."""
        self._reporter.warnings.add(text)

    def reconnect(self, why: str, *, next_endpoint: bool = False) -> None:
        """Leave the open connection for another one.

        Parameters
        ----------
        why
            For the log and the observers.
        next_endpoint
            Whether the next one goes to the next endpoint.
        """
        is_left = self._current is not None and self._current.leave(why)
        if is_left and next_endpoint:
            self._policy.turn_to_next()

    @property
    def is_behind(self) -> bool:
        """Whether reading is paused, or what piled up meanwhile may not all have been read."""
        return self.connection is not None and self.connection.is_behind

    def add_observer(self, observer: SessionObserver) -> None:
        """Add an observer; it is called after the earlier ones."""
        self._reporter.add_observer(observer)

    @property
    def is_on_hold(self) -> bool:
        """Whether it makes no connection until `resume`."""
        return not self._resumed.is_set()

    def pause(self) -> None:
        """Close the connection, and make no other until `resume`."""
        self._resumed.clear()
        if self._current is not None:
            self._current.leave("asked for", "paused")

    def resume(self) -> None:
        """Connect again."""
        self._resumed.set()

    def stop(self) -> None:
        """End the session: close the connection and let `run` return."""
        self._stop.set()

    def renew(self) -> None:
        """Let a session that was stopped run again, as a new one."""
        self._stop.clear()
        self.n_connects = 0

    async def run(self) -> None:
        """Connect, subscribe, read, reconnect; until `stop`."""
        while not self._stop.is_set():
            if self.is_on_hold:
                await unless_set(self._stop, spawn("pause", self._resumed.wait()))
                continue
            step = self._policy.next_step()
            if isinstance(step, Wait):
                await self._wait(step)
                continue
            self._url = step.url
            attempt = self._attempt()
            connection = await self._connect(attempt)
            if connection is not None:
                try:
                    with counting() as awake:
                        await self._serve(attempt, connection, awake)
                finally:
                    self._forget(attempt)
            self._url = None

    async def _wait(self, wait: Wait) -> None:
        if wait.reason == "limit":
            self._reporter.waits_for_limit(wait.seconds)
        if wait.reason == "breaker" and (url := self._policy.endpoint_to_probe()) is not None:
            probe = spawn("probe", takes_connections(url, self.settings.options))
            if await unless_set(self._stop, probe):
                self._policy.probed(url)
            return
        await unless_set(self._stop, spawn("wait", self._sleep(wait.seconds)))

    async def _sleep(self, seconds: float) -> None:
        await self.settings.sleep(seconds)

    def _attempt(self) -> SessionConnection:
        """Give the next connection; one that could not be opened is tried again."""
        if self._current is None:
            self.conn = self._next_conn()
            self._current = SessionConnection(
                self.conn,
                self._make_handler(self.conn),
                self.venue,
                self.settings,
                self._asked,
                on_event=self._on_subscription_event,
                on_healthy=self._policy.healthy,
                on_wait=self._waits.add,
                source=self._source,
                on_closing=self._reporter.closing,
                warn=self._reporter.warnings.add,
            )
        return self._current

    async def _connect(self, attempt: SessionConnection) -> Connection | None:
        opening = spawn("connect", attempt.open(self.url))
        began_s = monotonic()
        try:
            connection = await unless_set(self._stop, opening)
        except (errors.ConnectionFailed, errors.HandshakeError) as error:
            self._metrics.counter("failed_connects").add()
            self._policy.connect_failed(error)
            self.connect_failure = self._reporter.connect_failed(error)
            return None
        except asyncio.CancelledError:
            self._policy.given_up()
            # Open at the very moment when the session was cancelled: nothing else would close it.
            if opening.done() and not opening.cancelled() and opening.exception() is None:
                opening.result().give_up("the session was cancelled")
            raise
        if connection is None:  # stopped
            self._metrics.counter("failed_connects").add()
            self._policy.given_up()
            self.connect_failure = self._reporter.connect_given_up(monotonic() - began_s)
        else:
            self._policy.connected()
        return connection

    async def _serve(
        self, attempt: SessionConnection, connection: Connection, awake: AwakeClock
    ) -> None:
        """Live through one connection, until it ends."""
        self._metrics.counter("connects").add()
        if self.n_connects:
            self._metrics.counter("reconnects").add()
        self.n_connects += 1

        def began() -> None:
            compressed = "deflate" if connection.compression is not None else "off"
            self._reporter.connected(self.conn, compressed)
            if self.is_on_hold:  # since it began to connect
                attempt.leave("asked for", "paused")

        end = await attempt.serve(connection, awake, self._stop, began)
        self._report_end(attempt, end)
        attempt.raise_failure()

    def _report_end(self, attempt: SessionConnection, end: End) -> None:
        if end.is_fault:
            self._metrics.counter("protocol_errors").add()
        if end.reason != "paused" and not self._stop.is_set():
            self._policy.ended()
        self._reporter.disconnected(self.conn, end)
        for event in self._asked.disconnected(died=end.reason in DEATHS):
            self._on_subscription_event(event)

    def _forget(self, attempt: SessionConnection) -> None:
        attempt.discard()
        self._n_bytes = self.n_bytes
        self._n_pings = self.n_pings
        self._current = None
        self.subscribed_event.clear()

    def _on_subscription_event(self, event: Event) -> None:
        if isinstance(event, AllAnswered):
            if self._current is not None:
                self._current.note_subscribed()
            self.subscribed_event.set()
            self._reporter.subscribed(self.conn)
        else:
            self._reporter.subscriptions(event)
