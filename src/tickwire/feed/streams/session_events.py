"""What happens to the sessions of a source, as rows of the table sessions.

Rules of this file
------------------
- A session has logged its own failures; what is logged nowhere else is logged with its row.
"""

from __future__ import annotations

from tickwire.ledger import Ledger, Place
from tickwire.redaction import shown_url
from tickwire.session import Session, SessionObserver
from tickwire.venues import Subscription


class SessionEvents(SessionObserver):
    """Writes the events of all sessions of a source.

    Parameters
    ----------
    venue
        Its name.
    ledger
        Where to.

    Attributes
    ----------
    settled
        The sessions that were subscribed once.
    has_news
        Set by each acknowledgement: rows are expected from then on.
    """

    def __init__(self, venue: str, ledger: Ledger) -> None:
        self.settled: set[Session] = set()
        self.has_news = False
        self._venue = venue
        self._ledger = ledger

    def note(self, event: str, detail: str, *, log: bool = False) -> None:
        """Write an event of the source itself; log it too, where nothing else does."""
        self._ledger.event(event, detail, Place(self._venue), log=log)

    def connected(self, session: Session, conn: int) -> None:
        """Note that a connection is open."""
        self._ledger.event("connected", shown_url(session.url), self._place(conn))

    def acknowledged(self, session: Session, subscription: Subscription) -> None:
        """Have liveness find out soon until when the first row is due."""
        self.has_news = True

    def subscribed(self, session: Session, conn: int) -> None:
        """Note that all subscriptions of a connection were answered."""
        self.settled.add(session)
        self._ledger.event("subscribed", f"{len(session.subscriptions)}", self._place(conn))

    def disconnected(self, session: Session, conn: int, reason: str, detail: str) -> None:
        """Note that a connection has ended."""
        self._ledger.event("disconnected", f"{reason}: {detail}", self._place(conn))

    def refused(self, session: Session, subscription: Subscription, text: str, retry: bool) -> None:
        """Note that a subscription cannot be had; the session has logged it."""
        what = f"{subscription.channel} {subscription.symbol}: {text}"
        self._ledger.event("refused", what, self._place(session.conn))

    def stale(self, session: Session, subscription: Subscription, text: str) -> None:
        """Note that a subscription has brought nothing for too long."""
        what = f"{subscription.channel} {subscription.symbol}: {text}"
        self._ledger.event("stale", what, self._place(session.conn))

    def left_out(self, session: Session, subscription: Subscription, text: str) -> None:
        """Note that a subscription is left out for a while."""
        what = f"{subscription.channel} {subscription.symbol}: {text}"
        self._ledger.event("left_out", what, self._place(session.conn))

    def closing(self, session: Session, text: str) -> None:
        """Note that the venue will end a connection."""
        self._ledger.event("closing", text, self._place(session.conn), log=True)

    def connect_failed(self, session: Session, text: str) -> None:
        """Note that no connection could be made; the session has logged it."""
        self._ledger.event("connect_failed", text, self._place(session.conn))

    def warned(self, session: Session, text: str) -> None:
        """Note what a person should know."""
        self._ledger.event("warning", text, self._place(session.conn), log=True)

    def _place(self, conn: int) -> Place:
        return Place(self._venue, None, conn if conn >= 0 else None)
