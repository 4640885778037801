"""A recording through the pipeline of a feed: connections, messages and answers as they were.

Rules of this file
------------------
- What the feed did at each row when it ran is done again, in the same order and by the same code:
  so legs, books and gaps are those of the recording, and rows have its connections' numbers.
- Which source takes whose rows, and by which connections, says `recorded_plan`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from tickwire.capture import Recording, Row, digest_of
from tickwire.errors import CaptureError, ConfigError, TickwireError
from tickwire.feed.books.books import Books, symbol_of
from tickwire.feed.handler import FeedHandler
from tickwire.feed.pipeline import Pipeline, SourcePipeline
from tickwire.feed.plan.planning import load_whole
from tickwire.feed.plan.recorded_plan import Streams, as_recorded, takers
from tickwire.feed.replays.played_source import PlayedSource
from tickwire.feed.replays.replaying import Replay
from tickwire.feed.streams.room import until_room


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
        self._numbers: list[dict[Streams, int]] = [{} for _ in feed.plan.sources]
        self._plan_as_recorded()

    def _open(self) -> None:
        from_ns, to_ns = self._bounds
        self._recording = Recording(self.path, from_ns=from_ns, to_ns=to_ns)
        if self._source is not None and not self._recording.has_source(self._source):
            known = (f"{n} {each['venue']}" for n, each in enumerate(self._recording.sources))
            raise ConfigError([f"{self.path}: no source {self._source}, it has {', '.join(known)}"])

    def _plan_as_recorded(self) -> None:
        """Give each source the connections that were recorded of what it takes."""
        plan, connections = self._feed.plan, self._recording.connections
        taken: list[list[tuple[int, list[list[list[str]]]]]] = [[] for _ in plan.sources]
        for number, (venue, each) in enumerate(zip(self._recorded, connections, strict=False)):
            if self._is_wanted(number, venue):
                for taker in takers(self._venues, self._recorded, (number, venue)):
                    taken[taker].append((number, each))
        planned = [
            as_recorded(source, each) for source, each in zip(plan.sources, taken, strict=True)
        ]
        self._feed.plan = replace(plan, sources=tuple(source for source, _ in planned))
        self._numbers = [numbers for _, numbers in planned]

    @property
    def _venues(self) -> list[str]:
        return [source.venue.name for source in self._feed.plan.sources]

    @property
    def _recorded(self) -> list[str]:
        return [str(each.get("venue")) for each in self._recording.sources]

    def _is_wanted(self, number: int, venue: str) -> bool:
        return self._source in (None, number, str(number), venue)

    def _digest(self) -> str:
        part = (*self._bounds, None if self._source is None else str(self._source))
        return digest_of(
            self._recording.files, part if any(each is not None for each in part) else None
        )

    @property
    def _n_total(self) -> int | None:
        return self._recording.n_rows

    async def _play(self, pipeline: Pipeline) -> None:
        played = [
            PlayedSource(source, numbers)
            for source, numbers in zip(pipeline.sources, self._numbers, strict=True)
        ]
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
        if not self._is_wanted(row.source, row.venue):
            return []
        found = [played[n] for n in takers(self._venues, self._recorded, (row.source, row.venue))]
        if not found and row.kind != "dropped":  # which is of no source
            self._log.warning(
                "a recorded source has none here: it is not decoded",
                source=row.source,
                venue=row.venue,
            )
        return found

    async def _offer(self, played: PlayedSource, row: Row) -> None:
        if row.kind == "message":
            await self._offer_recorded(played, row)
        elif row.kind == "connect":
            detail = json.loads(row.payload)
            played.connect(row.conn, (row.source, detail["streams"]), detail["place"])
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
        decoder = played.decoder(row.conn, row.source)
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
    ConfigError
        The recording has no such source.
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
        The configuration is wrong, or the recording has no such source.
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
