"""The observers of a session, and how each is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tickwire.logs import get_logger

if TYPE_CHECKING:
    from tickwire.session.session import Session
    from tickwire.venues.base import Subscription

_log = get_logger("tickwire.session")


class SessionObserver:
    """Called with the events of a session, in the loop's thread; override what you need."""

    def connected(self, session: Session, conn: int) -> None:
        """A connection is open."""

    def acknowledged(self, session: Session, subscription: Subscription) -> None:
        """The venue has acknowledged a subscription."""

    def subscribed(self, session: Session, conn: int) -> None:
        """All subscriptions have been acknowledged or refused."""

    def disconnected(self, session: Session, conn: int, reason: str, detail: str) -> None:
        """A connection has ended; see `Session` for the reasons.

        `session.handler` is still the handler of that connection.
        """

    def connect_failed(self, session: Session, text: str) -> None:
        """No connection could be made; another attempt follows."""

    def refused(self, session: Session, subscription: Subscription, text: str, retry: bool) -> None:
        """A subscription cannot be had, or has ended.

        It is asked for again: soon with `retry` (a limit, an end), later and later without.
        """

    def stale(self, session: Session, subscription: Subscription, text: str) -> None:
        """A subscription is acknowledged, and silent for longer than it ever should be."""

    def left_out(self, session: Session, subscription: Subscription, text: str) -> None:
        """A subscription is left out for a while, because all cannot be had."""

    def closing(self, session: Session, text: str) -> None:
        """The venue has said that it will end the connection soon."""

    def warned(self, session: Session, text: str) -> None:
        """A reply of the venue that names no subscription, or what else a person should know."""


def tell(observers: tuple[SessionObserver, ...], call: Callable[[SessionObserver], None]) -> None:
    """Tell every observer, also those after one that fails.

    Raises
    ------
    Exception
        What the first of those that failed raised; what others raised is logged.
    """
    failure: Exception | None = None
    for observer in observers:
        try:
            call(observer)
        except Exception as error:  # whatever it is: the others must be called, too
            if failure is None:
                failure = error
            else:
                text = f"{type(error).__name__}: {error}"
                _log.error("another observer failed", observer=type(observer).__name__, error=text)
    if failure is not None:
        raise failure
