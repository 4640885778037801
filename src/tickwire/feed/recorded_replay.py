"""A recording through the pipeline of a feed: connections, messages and answers as they were.

Rules of this file
------------------
- What the feed did at each row when it ran is done again, in the same order and by the same code:
  so legs, books and gaps are those of the recording, and rows have its connections' numbers.
- A source takes the rows of the recorded source of its number and venue; where there is none such,
  those of all recorded sources of its venue.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from tickwire.capture import Recording, Row, digest_of
from tickwire.decode import ConnectionDecoder
from tickwire.errors import CaptureError, TickwireError
from tickwire.feed.books import Books, symbol_of
from tickwire.feed.handler import FeedHandler
from tickwire.feed.legs import LegGroup, legs_of
from tickwire.feed.pipeline import Pipeline, SourcePipeline
from tickwire.feed.planning import load_whole
from tickwire.feed.plans import ConnectionPlan
from tickwire.feed.replaying import Replay
from tickwire.feed.room import until_room
from tickwire.ledger.reasons import DOWN
from tickwire.logs import get_logger

if TYPE_CHECKING:
    from tickwire.session import Session


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
    """

    def __init__(self, source: SourcePipeline) -> None:
        self.source = source
        # By conn, while open.
        self._sessions: dict[int, tuple[LegGroup, PlayedSession, ConnectionDecoder]] = {}
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

    def decoder(self, conn: int) -> ConnectionDecoder:
        """Give the handler of a connection; one that was not recorded is taken for a first one."""
        if conn not in self._sessions:
            self.connect(conn, 0, 0)
        return self._sessions[conn][2]

    def connect(self, conn: int, streams: int, place: int) -> None:
        """Begin a connection."""
        group = self._groups[streams if streams < len(self._groups) else 0]
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
        plan = self.source.plan.connections[self._groups.index(group)]
        session.handler = self.source.decoder.connection(
            conn, labels=plan.labels, symbol=plan.symbol
        )
        self._sessions[conn] = group, session, session.handler
        group.connected(cast("Session", session), conn)

    def _tell_redundancy(self) -> None:
        """Warn once that the configuration has fewer connections to the same than were recorded."""
        if self._has_told_redundancy:
            return
        self._has_told_redundancy = True
        get_logger("tickwire.replay").warning(
            "more connections were recorded for the same streams than `redundancy` says: rows come "
            "several times, and gaps are wrong; give the source the `redundancy` it was recorded "
            "with",
            venue=self.source.plan.venue.name,
            redundancy=self.source.plan.settings.redundancy,
        )

    def acknowledge(self, conn: int, key: str | None) -> None:
        """Acknowledge a subscription; None: all are answered."""
        if conn not in self._sessions:
            return
        group, session, _ = self._sessions[conn]
        if key is None:
            session.is_subscribed = True
            group.subscribed(cast("Session", session), conn)
        for each in session.subscriptions:
            if each.key == key:
                group.acknowledged(cast("Session", session), each)

    def disconnect(self, conn: int, reason: str, detail: str) -> None:
        """End a connection."""
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
        for conn in list(self._sessions):
            self.disconnect(conn, DOWN, "another run of the recording begins")


class RecordedReplay(Replay):
    """Plays a recording into a feed; see `Replay`.

    Parameters
    ----------
    feed, path, speed, again
        As there; a folder of a recording, or one of its files.
    from_ns, to_ns
        Rows from this time on, and before that one.
    source
        Only of this recorded source: its number, or a venue.
    """

    def __init__(
        self,
        feed: FeedHandler,
        path: str | Path,
        *,
        speed: float | Literal["max"] = "max",
        from_ns: int | None = None,
        to_ns: int | None = None,
        source: int | str | None = None,
        again: bool = False,
    ) -> None:
        self._bounds = from_ns, to_ns
        self._source = source
        super().__init__(feed, path, speed=speed, again=again)

    def _open(self) -> None:
        from_ns, to_ns = self._bounds
        self._recording = Recording(self.path, from_ns=from_ns, to_ns=to_ns)

    def _digest(self) -> str:
        part = (*self._bounds, None if self._source is None else str(self._source))
        return digest_of(
            self._recording.files, part if any(each is not None for each in part) else None
        )

    @property
    def _n_total(self) -> int | None:
        return self._recording.n_rows

    async def _play(self, pipeline: Pipeline) -> None:
        played = [PlayedSource(source) for source in pipeline.sources]
        takers: dict[tuple[int, str], list[PlayedSource]] = {}
        n_rows, current = 0, None
        for run, row in self._recording.rows():
            if not await self._may_go_on(pipeline, n_rows, row.recv_ns):
                return
            n_rows += 1
            if run != current:
                current = run
                for each in played:
                    each.end()
            whose = row.source, row.venue
            if whose not in takers:
                takers[whose] = self._takers(played, row)
            for each in takers[whose]:
                await self._offer(each, row)
        await self._end(pipeline, n_rows)

    def _takers(self, played: list[PlayedSource], row: Row) -> list[PlayedSource]:
        """Give the sources that take the rows of a recorded one."""
        if self._source not in (None, row.source, str(row.source), row.venue):
            return []
        same = [each for each in played if each.source.plan.venue.name == row.venue]
        exact = [
            each for number, each in enumerate(played) if each in same and number == row.source
        ]
        if exact:
            return exact
        # A source that has a recorded one of its own takes no other's.
        own = {n for n, each in enumerate(played) if self._is_recorded(n, each)}
        found = [each for each in same if played.index(each) not in own]
        if not found and row.kind != "dropped":  # which is of no source
            self._log.warning(
                "a recorded source has none here: it is not decoded",
                source=row.source,
                venue=row.venue,
            )
        return found

    def _is_recorded(self, number: int, played: PlayedSource) -> bool:
        recorded = self._recording.sources
        name = played.source.plan.venue.name
        return number < len(recorded) and recorded[number].get("venue") == name

    async def _offer(self, played: PlayedSource, row: Row) -> None:
        if row.kind == "message":
            await self._offer_recorded(played, row)
        elif row.kind == "connect":
            detail = json.loads(row.payload)
            played.connect(row.conn, detail["streams"], detail["place"])
        elif row.kind == "disconnect":
            detail = json.loads(row.payload)
            played.disconnect(row.conn, detail["reason"], detail["detail"])
        elif row.kind == "acknowledge":
            played.acknowledge(row.conn, json.loads(row.payload).get("key"))
        elif row.kind == "answer":
            await self._offer_snapshot(played.source, row)
        elif row.kind == "backfill":
            await self._offer_backfill(played.source, row)

    async def _offer_recorded(self, played: PlayedSource, row: Row) -> None:
        decoder = played.decoder(row.conn)
        if not await until_room(
            decoder,
            lambda: decoder.decode(row.payload, row.recv_ns, row.mono_ns),
            self._is_stopping,
        ):
            return
        if decoder.has_events:
            decoder.take_events()
        self.n_messages += 1
        books = played.source.books
        if books is not None and books.has_news:
            books.look()

    async def _offer_snapshot(self, source: SourcePipeline, row: Row) -> None:
        books, rule = source.books, source.plan.venue.book
        if rule is None or not isinstance(books, Books):
            return
        symbol = symbol_of(rule, row.endpoint)
        if symbol is None or symbol not in source.plan.spliced:
            return
        try:
            await books.splice(
                symbol, row.payload, row.recv_ns, row.conn, is_over=self._is_stopping
            )
        except TickwireError as error:
            books.failed(symbol, error)

    async def _offer_backfill(self, source: SourcePipeline, row: Row) -> None:
        detail = json.loads(row.payload)
        await until_room(
            source.decoder,
            lambda: (
                source.decoder.backfills.take(
                    detail["message"],
                    detail["trades"].encode(),
                    symbol=detail["symbol"],
                    ts_recv=row.recv_ns,
                    conn=row.conn,
                    remember=detail["remember"],
                )
                is not None
            ),
            self._is_stopping,
        )


def replay_of(
    feed: FeedHandler,
    path: str | Path,
    *,
    speed: float | Literal["max"] = "max",
    from_ns: int | None = None,
    to_ns: int | None = None,
    source: int | str | None = None,
    again: bool = False,
) -> Replay:
    """Give the replay of a recording or of a capture, whichever it is.

    Raises
    ------
    CaptureError
        It cannot be read; or a part is asked for of a capture, which has none.
    """
    if Recording.is_one(Path(path)):
        return RecordedReplay(
            feed, path, speed=speed, from_ns=from_ns, to_ns=to_ns, source=source, again=again
        )
    if (from_ns, to_ns, source) != (None, None, None):
        raise CaptureError(f"{path}: a part can be replayed of a recording, not of a capture")
    return Replay(feed, path, speed=speed, again=again)


async def replay(
    path: str | Path,
    feed: FeedHandler | str | Path,
    *,
    speed: float | Literal["max"] = "max",
    from_ns: int | None = None,
    to_ns: int | None = None,
    source: int | str | None = None,
    again: bool = False,
) -> dict[str, Any]:
    """Decode a recording or a capture, to its end.

    A sink that has all of it from an earlier replay is left out.

    Parameters
    ----------
    path
        A folder of a recording, one of its files, or a capture.
    feed
        A configuration file, or a feed made with `replays=True`.
    speed
        Times its own pace; `max` does not wait.
    from_ns, to_ns
        Of a recording, rows from this time on, and before that one; ns since the epoch.
    source
        Of a recording, only this source: its number, or a venue.
    again
        Sinks that have all of it remove its rows, and get them anew.

    Returns
    -------
    dict
        The summary.

    Raises
    ------
    CaptureError
        It cannot be read, or is damaged.
    ConfigError
        The configuration is wrong.
    SinkError
        A sink cannot be opened, or has failed.
    """
    if not isinstance(feed, FeedHandler):
        feed = FeedHandler(load_whole(feed), replays=True)
    played = replay_of(
        feed, path, speed=speed, from_ns=from_ns, to_ns=to_ns, source=source, again=again
    )
    await played.run()
    return feed.summary()
