"""What a source's sessions bring, for a recording: connections, what is sent, answers of REST.

Rules of this file
------------------
- Messages do not come through here: each connection's handler is wrapped once.
- A row is put down at the moment when the feed acts on it, so that a replay meets everything in the
  order in which the feed did.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tickwire.capture import Recorder
from tickwire.capture.recorder import Kind
from tickwire.config import Source
from tickwire.net import RecordedHandler
from tickwire.session import Session, SessionObserver
from tickwire.venues import Subscription
from tickwire.wire import Handler


class SourceRecorder(SessionObserver):
    """Records one source.

    Parameters
    ----------
    recorder
        Where to.
    source
        The source's number.
    venue
        Its name.
    leg_of
        Gives the number of a session's streams, and its place among the sessions that bring them.
    """

    def __init__(
        self,
        recorder: Recorder,
        source: int,
        venue: str,
        leg_of: Callable[[Session], tuple[int, int]],
    ) -> None:
        self._recorder = recorder
        self._source = source
        self._venue = venue
        self._leg_of = leg_of
        self._origins: dict[int, int] = {}  # of connections, while they are tried or open

    # What sessions ask (`session.MessageRecorder`).

    def recorded(self, handler: Handler, conn: int, url: str) -> Handler:
        """Give what takes a connection's messages in the place of its handler."""
        origin = self._recorder.origin(self._source, self._venue, url)
        self._origins[conn] = origin
        return RecordedHandler(handler, self._recorder.buffer, conn, origin)

    def sent(self, conn: int, text: str) -> None:
        """Record a message that is sent."""
        self._recorder.sent(conn, self._origin(conn), text)

    # What sessions report.

    def connected(self, session: Session, conn: int) -> None:
        """Record a connection, and which streams it brings."""
        streams, place = self._leg_of(session)
        self._recorder.event(Kind.CONNECT, conn, self._origin(conn), streams=streams, place=place)

    def acknowledged(self, session: Session, subscription: Subscription) -> None:
        """Record an acknowledgement."""
        self._recorder.event(
            Kind.ACKNOWLEDGE,
            session.conn,
            self._origin(session.conn),
            key=subscription.key,
        )

    def subscribed(self, session: Session, conn: int) -> None:
        """Record that all subscriptions have been answered."""
        self._recorder.event(Kind.ACKNOWLEDGE, conn, self._origin(conn), all=True)

    def disconnected(self, session: Session, conn: int, reason: str, detail: str) -> None:
        """Record the end of a connection."""
        origin = self._origin(conn)
        self._recorder.event(Kind.DISCONNECT, conn, origin, reason=reason, detail=detail)
        self._origins.pop(conn, None)

    # Answers of REST.

    def snapshot(self, url: str, payload: bytes, ts_recv_ns: int, conn: int) -> None:
        """Record the snapshot of a book."""
        origin = self._recorder.origin(self._source, self._venue, url, is_single=True)
        self._recorder.answer(Kind.ANSWER, payload, ts_recv_ns, conn=conn, origin=origin)

    def backfill(
        self, message: str, payload: bytes, symbol: str, ts_recv_ns: int, conn: int, remember: bool
    ) -> None:
        """Record trades out of an answer: those that were missing."""
        trades = {
            "message": message,
            "symbol": symbol,
            "remember": remember,
            "trades": payload.decode(),
        }
        origin = self._recorder.origin(self._source, self._venue, "")
        self._recorder.answer(
            Kind.BACKFILL, json.dumps(trades).encode(), ts_recv_ns, conn=conn, origin=origin
        )

    def _origin(self, conn: int) -> int:
        return self._origins.get(conn, -1)


def described(settings: Source) -> dict[str, Any]:
    """Give what a replay needs to know of a source, without secrets."""
    venue = settings.venue
    users = {"users": list(settings.users)} if settings.users else {}
    return users | {
        "venue": venue if isinstance(venue, str) else venue.name,
        "channels": list(settings.channels),
        "symbols": list(settings.symbols),
        "extras": settings.extras,
        "redundancy": settings.redundancy,
    }
