"""A source of a replay: what its connections were, as a recording has it.

Rules of this file
------------------
- A connection whose streams are not known has its rows decoded, and gaps do not hear of it: that
  is a line of the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from tickwire.decode import ConnectionDecoder
from tickwire.feed.pipeline import SourcePipeline
from tickwire.feed.plan.plans import ConnectionPlan
from tickwire.feed.plan.recorded_plan import Streams
from tickwire.feed.replays.replaying import common_labels, common_symbol
from tickwire.feed.streams.legs import LegGroup, legs_of
from tickwire.ledger.reasons import DOWN
from tickwire.logs import get_logger

if TYPE_CHECKING:
    from tickwire.session import Session

_log = get_logger("tickwire.replay")


class PlayedSession:
    """What a group of legs needs to know of a session, as it was recorded."""

    connection = None
    awake = None
    is_behind = False

    def __init__(self, source: SourcePipeline, plan: ConnectionPlan) -> None:
        self.venue = source.plan.venue
        self.subscriptions = plan.subscriptions
        self.url = plan.url
        self.conn = -1
        self.handler: ConnectionDecoder | None = None
        self.is_subscribed = False


class PlayedSource:
    """A source and the connections that a recording has of it.

    Parameters
    ----------
    source
        The feed's.
    numbers
        Of its connections, by recorded streams; empty where the recording does not say.
    """

    def __init__(self, source: SourcePipeline, numbers: Mapping[Streams, int]) -> None:
        self.source = source
        self._numbers = numbers
        # By conn, while open; without a group where its streams are not known.
        self._sessions: dict[int, tuple[LegGroup, PlayedSession, ConnectionDecoder]] = {}
        self._unknown: dict[int, ConnectionDecoder] = {}
        self._has_told_streams = False
        self._groups = [self._group(number) for number in range(len(source.plan.connections))]
        self._has_told_redundancy = False

    def _group(self, number: int) -> LegGroup:
        source, plan = self.source, self.source.plan.connections[number]
        redundancy = source.plan.settings.redundancy
        books = (each for each in plan.subscriptions if each.table == "book")
        wanted = set(source.plan.spliced)
        group = LegGroup(
            number,
            source.gaps,
            source.staleness[number],
            legs_of(redundancy, source.metrics),
            source.books,
            tuple(dict.fromkeys(each.symbol for each in books if each.symbol in wanted)),
            self._share_books,
            lambda _session, _text: None,
        )
        for _ in range(redundancy):
            session, spare = (cast("Session", PlayedSession(source, plan)) for _ in range(2))
            group.add(session, spare)
        return group

    def _share_books(self) -> None:
        if self.source.books is not None:
            self.source.books.share(any(group.is_shared for group in self._groups))

    def decoder(self, conn: int, recorded: int) -> ConnectionDecoder:
        """Give the handler of a connection; one that was not recorded is taken for a first one."""
        if conn not in self._sessions and conn not in self._unknown:
            self.connect(conn, (recorded, 0), 0)
        return self._unknown[conn] if conn in self._unknown else self._sessions[conn][2]

    def connect(self, conn: int, streams: Streams, place: int) -> None:
        """Begin a connection."""
        number = self._numbers.get(streams, -1) if self._numbers else streams[1]
        if not 0 <= number < len(self._groups):
            self._tell_streams()
            plan = self.source.plan
            self._unknown[conn] = self.source.decoder.connection(
                conn, labels=common_labels(plan), symbol=common_symbol(plan)
            )
            return
        group = self._groups[number]
        sessions = cast("tuple[PlayedSession, ...]", group.sessions)
        if place >= len(sessions):
            self._tell_redundancy()
            place = 0
        session = sessions[place]
        if session.handler is not None:
            self.disconnect(session.conn, "lost", "")
        leg = group.leg_of(cast("Session", session))
        other = leg.spare if cast("PlayedSession", leg.session) is session else leg.session
        if other.handler is not None:  # it takes that one's place
            group.begin_change(leg)
        session.conn = conn
        session.is_subscribed = False
        planned = self.source.plan.connections[number]
        session.handler = self.source.decoder.connection(
            conn, labels=planned.labels, symbol=planned.symbol
        )
        self._sessions[conn] = group, session, session.handler
        group.connected(cast("Session", session), conn)

    def _tell_redundancy(self) -> None:
        """Warn once that the configuration has fewer connections to the same than were recorded."""
        if self._has_told_redundancy:
            return
        self._has_told_redundancy = True
        _log.warning(
            "more connections were recorded for the same streams than `redundancy` says: rows come "
            "several times, and gaps are wrong; give the source the `redundancy` it was recorded "
            "with",
            venue=self.source.plan.venue.name,
            redundancy=self.source.plan.settings.redundancy,
        )

    def _tell_streams(self) -> None:
        """Warn once that connections were recorded which the configuration does not have."""
        if self._has_told_streams:
            return
        self._has_told_streams = True
        _log.warning(
            "other connections were recorded than the configuration gives, and not which streams "
            "they had: rows are whole, gaps are wrong",
            venue=self.source.plan.venue.name,
            connections=len(self._groups),
        )

    def acknowledge(self, conn: int, key: str | None) -> None:
        """Acknowledge a subscription; None: all are answered."""
        if conn not in self._sessions:
            return
        group, session, _ = self._sessions[conn]
        if key is None:
            session.is_subscribed = True
            group.subscribed(cast("Session", session), conn)
        acknowledged = [each for each in session.subscriptions if each.key == key]
        for each in acknowledged:
            group.acknowledged(cast("Session", session), each)
        if key is not None and not acknowledged and not self._numbers:
            self._tell_streams()

    def disconnect(self, conn: int, reason: str, detail: str) -> None:
        """End a connection."""
        self._unknown.pop(conn, None)
        if conn not in self._sessions:
            return
        group, session, _ = self._sessions.pop(conn)
        group.disconnected(cast("Session", session), conn, reason, detail)
        session.handler = None
        leg = group.leg_of(cast("Session", session))
        if leg.session.handler is not None or leg.spare.handler is not None:
            group.end_change(leg)

    def end(self) -> None:
        """End all connections: another run begins, and counts its own from 0."""
        self._unknown.clear()
        for conn in list(self._sessions):
            self.disconnect(conn, DOWN, "another run of the recording begins")
