"""What is said of a session: to its observers first, then in counters and in the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tickwire import errors
from tickwire.config import Context
from tickwire.logs import Logger, get_logger
from tickwire.observe import Metrics
from tickwire.redaction import shown_url
from tickwire.session.asking import Acknowledged, Event, Late, Refused, Suspected, Warned
from tickwire.session.connection import End
from tickwire.session.observers import SessionObserver, tell
from tickwire.session.replies import BoundedWarnings
from tickwire.session.subscriber import Unanswered
from tickwire.supervise import Failures

if TYPE_CHECKING:
    from tickwire.session.session import Session
    from tickwire.venues.base import Subscription

_log = get_logger("tickwire.session")

# Ends that the other side made: what it was asked for last may be why.
DEATHS = ("closed", "lost", "protocol")
# Ends that were not asked for.
LOSSES = (*DEATHS, "timeout", "unanswered", "overflow", "stale")
MOST_NAMED = 5  # subscriptions in one line
LOGGED_WAIT_S = 1.0  # shorter waits for the limit of connects are counted alone


class SessionReporter:
    """Says what happens in one session.

    Parameters
    ----------
    session
        Whose; it has its venue, endpoint and settings.
    observers
        Called in this order; more may be added.
    metrics
        The session's.
    failures
        Where failures are judged and logged.
    """

    def __init__(
        self,
        session: Session,
        observers: Sequence[SessionObserver],
        metrics: Metrics,
        failures: Failures,
    ) -> None:
        self._observers = tuple(observers)
        self._session = session
        self._metrics = metrics
        self._failures = failures
        self._part = f"{metrics.labels.get('source', '')} {session.venue.name}".lstrip()
        self._limit_wait_ns = 0  # waited for the venue's limit of connects
        metrics.watch("connect_limit_wait_seconds", lambda: self._limit_wait_ns)
        self.warnings = BoundedWarnings(self._warn, session.settings.clock, metrics)

    @property
    def log(self) -> Logger:
        """A log that names the venue and the endpoint."""
        return _log.bind(venue=self._session.venue.name, url=shown_url(self._session.url))

    def add_observer(self, observer: SessionObserver) -> None:
        """Add an observer; it is called after the earlier ones."""
        self._observers = (*self._observers, observer)

    # Connections.

    def waits_for_limit(self, seconds: float) -> None:
        """Count a wait for the venue's limit of connects; log a long one."""
        self._limit_wait_ns += int(seconds * 1e9)
        if seconds >= LOGGED_WAIT_S:
            self.log.info("waiting for the venue's limit of connects", wait_s=seconds)

    def connect_failed(self, error: errors.ConnectionFailed | errors.HandshakeError) -> str:
        """Report that no connection could be made; give why."""
        text = str(error)
        self._call(lambda each: each.connect_failed(self._session, text))
        is_reached = isinstance(error, errors.HandshakeError)
        context = Context.HANDSHAKE if is_reached else Context.CONNECT
        self._report(error, context, "connect failed")
        return text

    def connect_given_up(self, after_s: float) -> str:
        """Report that a stop came before the connection was made; give what it waited for."""
        text = f"{shown_url(self._session.url)}: stopped after {after_s:.1f} s of connecting"
        self._call(lambda each: each.connect_failed(self._session, text))
        self.log.info("connect given up", error=text)
        return text

    def connected(self, conn: int, compression: str) -> None:
        """Report that a connection is open."""
        self._call(lambda each: each.connected(self._session, conn))
        self.log.info("connected", conn=conn, compression=compression)

    def disconnected(self, conn: int, end: End) -> None:
        """Report how a connection has ended."""
        self._call(lambda each: each.disconnected(self._session, conn, end.reason, end.detail))
        values = {"conn": conn, "reason": end.reason, "detail": end.detail}
        if end.reason in LOSSES:
            error = errors.ConnectionLost(end.reason, end.detail)
            self._report(error, Context.SESSION, "disconnected", **values, error="")
        else:
            self.log.info("disconnected", **values)

    def closing(self, text: str) -> None:
        """Report that the venue will end the connection soon."""
        self._call(lambda each: each.closing(self._session, text))

    # Subscriptions.

    def subscribed(self, conn: int) -> None:
        """Report that all subscriptions of a connection have been answered."""
        self._call(lambda each: each.subscribed(self._session, conn))

    def stale(self, subscription: Subscription, text: str) -> None:
        """Report that a subscription has brought nothing for too long."""
        self._call(lambda each: each.stale(self._session, subscription, text))

    def left_out(self, subscription: Subscription, why: str) -> None:
        """Report that a subscription is left out for a while."""
        self._call(lambda each: each.left_out(self._session, subscription, why))

    def subscriptions(self, event: Event) -> None:
        """Report what has come of subscriptions; that all are answered is the session's to say."""
        if isinstance(event, Acknowledged):
            acknowledged = event.subscription
            self._call(lambda each: each.acknowledged(self._session, acknowledged))
        elif isinstance(event, Refused):
            refused, text, retry = event.subscription, event.text, event.retry
            self._metrics.counter("refusals").add()
            self._call(lambda each: each.refused(self._session, refused, text, retry))
            self._report(
                errors.RequestRefused(f"{refused.key}: {text}"), Context.SUBSCRIBE, "refused",
                subscription=refused.key, text=text, again_s=round(event.again_s, 1), error="",
            )  # fmt: skip
        elif isinstance(event, Warned):
            self.warnings.add(event.text)
        elif isinstance(event, Late):
            self._metrics.counter("unanswered_requests").add()
            names = _some(event.keys)
            self._report(
                Unanswered(names), Context.SUBSCRIBE, "no answer to a subscribe request",
                subscriptions=names, error="",
            )  # fmt: skip
        elif isinstance(event, Suspected):
            self.log.warning(
                "the connection ended at a subscribe request", subscriptions=_some(event.keys)
            )

    def _report(self, error: Exception, context: Context, event: str, /, **values: Any) -> None:
        self._failures.report(error, context, event, part=self._part, log=self.log, **values)

    def _call(self, call: Callable[[SessionObserver], None]) -> None:
        tell(self._observers, call)

    def _warn(self, text: str) -> None:
        self._call(lambda each: each.warned(self._session, text))


def _some(keys: Sequence[str]) -> str:
    """Name some of them."""
    more = f" and {len(keys) - MOST_NAMED} more" if len(keys) > MOST_NAMED else ""
    return ", ".join(keys[:MOST_NAMED]) + more
