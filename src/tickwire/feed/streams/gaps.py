"""What sessions report, told to the gaps of their source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickwire.ledger import StreamGaps
from tickwire.ledger.reasons import (
    DISCONNECT,
    DOWN,
    OVERFLOW,
    PAUSED,
    REFUSED,
    RESUBSCRIBING,
    STALE,
)
from tickwire.session import SessionObserver

if TYPE_CHECKING:
    from tickwire.session import Session
    from tickwire.venues import Subscription

# Ends of a connection after which nothing is missing that no other gap has.
WANTED_ENDS = ("stopped",)


class GapObserver(SessionObserver):
    """Observes what a session reports, or what holds for all legs of a group.

    Parameters
    ----------
    gaps
        The source's.
    number
        The session's, or the group's, within the source.
    """

    def __init__(self, gaps: StreamGaps, number: int) -> None:
        self._gaps = gaps
        self._number = number

    def connect_failed(self, session: Session, text: str) -> None:
        """Open the gaps of streams that have never had a connection."""
        self._gaps.connect_failed(self._number, text)

    def acknowledged(self, session: Session, subscription: Subscription) -> None:
        """End the gaps of a subscription."""
        connection = session.connection
        read = None if connection is None else connection.last_read
        self._gaps.acknowledged(self._number, subscription.key, read)

    def refused(self, session: Session, subscription: Subscription, text: str, retry: bool) -> None:
        """Open the gaps of a subscription."""
        self._gaps.lost(self._number, subscription.key, RESUBSCRIBING if retry else REFUSED, text)

    def left_out(self, session: Session, subscription: Subscription, text: str) -> None:
        """Open the gaps of streams that are left out."""
        self._gaps.suspended(self._number, subscription.key, text)

    def stale(self, session: Session, subscription: Subscription, text: str) -> None:
        """Open the gaps of a subscription that has fallen silent."""
        self._gaps.lost(self._number, subscription.key, STALE, text)

    def disconnected(self, session: Session, conn: int, reason: str, detail: str) -> None:
        """Open the gaps of all streams of a connection."""
        if reason in WANTED_ENDS:
            self._gaps.stopped(self._number)
            return
        if reason in (PAUSED, DOWN):
            self._gaps.disconnected(self._number, reason, detail, behind_since_ns=None)
            return
        is_overflow = reason == "overflow"
        connection = session.connection if is_overflow else None
        self._gaps.disconnected(
            self._number,
            OVERFLOW if is_overflow else DISCONNECT,
            f"{reason}: {detail}",
            behind_since_ns=None if connection is None else connection.behind_since_ns,
        )
