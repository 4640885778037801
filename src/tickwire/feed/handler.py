"""The feed handler: what programs and the command line hold a feed by."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Unpack

from tickwire.config import (
    AlertSettings,
    BooksSettings,
    Config,
    Feed,
    FeedKeys,
    MetricsSettings,
    SeveritySettings,
    SinkSettings,
    Source,
    with_keys_of,
)
from tickwire.errors import TickwireError
from tickwire.feed.callbacks import FeedCallbacks
from tickwire.feed.consumers.following import Following
from tickwire.feed.emergency import FLUSH_S, EmergencyStop
from tickwire.feed.feed_consumers import FeedConsumers
from tickwire.feed.kept.ring_store import RingStore
from tickwire.feed.kept.state import open_state
from tickwire.feed.limits import RunLimits, until_end
from tickwire.feed.opening import SinkAheadError
from tickwire.feed.pipeline import GAP_ID, ring_rows
from tickwire.feed.plan.composing import config_of, without_state
from tickwire.feed.plan.planning import load_whole, plan_feed
from tickwire.feed.probe import FeedProbe
from tickwire.feed.queried import FeedQueries
from tickwire.feed.running import RunningFeed, parts_of
from tickwire.logs import get_logger
from tickwire.sinks import Replayed
from tickwire.supervise import Coordinator, spawn, unless_set

_log = get_logger("tickwire.feed")


class FeedHandler(FeedConsumers, FeedCallbacks):
    """Holds the connections of a feed and hands its rows on.

    An async context manager: entering connects, leaving drains and commits.

    Parameters
    ----------
    sources
        What comes in: a source, several, or a whole `Config` with its sinks.
    sinks
        Where it goes; a feed without sinks serves `batches` alone.
    books
        Order books are kept.
    metrics
        Where the feed answers `/metrics` and `/health`.
    alerts
        Rules over its metrics.
    severities
        How bad errors are, before those of the configuration and the feed's own table.
    replays
        Built for a capture: no connections, no state, full rings always wait.
    adopt
        Sinks may hold rows of another feed: this one goes on behind them.
    **feed
        The keys of `[feed]`, as `tickwire.Feed` has them; without a `state_dir` no state is kept on
        disk.

    Attributes
    ----------
    replayed
        The capture that is played, where sinks note that: set before the start.

    Raises
    ------
    ConfigError
        Where the configuration does not fit the venues.
    TypeError
        Where something else is given.
    """

    @with_keys_of(Feed, state_dir=None)
    def __init__(
        self,
        sources: Config | Source | Sequence[Source],
        sinks: SinkSettings | Sequence[SinkSettings] = (),
        *,
        books: BooksSettings | None = None,
        metrics: MetricsSettings | None = None,
        alerts: Sequence[AlertSettings] = (),
        severities: Sequence[SeveritySettings] = (),
        replays: bool = False,
        adopt: bool = False,
        **feed: Unpack[FeedKeys],
    ) -> None:
        self.config = config_of(
            sources, sinks, feed, books=books, metrics=metrics, alerts=alerts, severities=severities
        )
        self._state_dir = self.config.feed.state_dir
        if replays:
            self.config = without_state(self.config)
        self.plan = plan_feed(self.config)
        self.replayed: Replayed | None = None
        self._replays = replays
        self._adopts = adopt
        self._feed = None
        self.coordinator = Coordinator(parts_of(self.plan, replays=replays))
        self._following = Following()
        self._probe = None
        self._queries = None
        self._is_stopped = False
        self._consumers = weakref.WeakSet()
        self._end = asyncio.Event()
        self._emergency = EmergencyStop(self, self.plan.hooks, self._end.set)
        self._failure: BaseException | None = None
        self._failures: set[str] = set()  # told

    @classmethod
    def from_toml(cls, path: str | Path, *, adopt: bool = False) -> FeedHandler:
        """Build the feed of a configuration file.

        Parameters
        ----------
        path
            The file.
        adopt
            As for `FeedHandler`.

        Raises
        ------
        ConfigError
            With one line per mistake.
        """
        return cls(load_whole(path), adopt=adopt)

    async def __aenter__(self) -> FeedHandler:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()
        if kind is None:
            self._raise_end(self._failure)

    async def start(self, *, max_messages: int = 0) -> None:
        """Open the sinks, then the connections; a feed is started once.

        Parameters
        ----------
        max_messages
            How many data messages to decode; 0: no limit.

        Raises
        ------
        SinkError
            A sink cannot be opened.
        TickwireError
            The state cannot be used.
        """
        async with self.coordinator.changing:
            await self._start(max_messages)

    async def _start(self, max_messages: int) -> None:
        if self._feed is not None:
            raise RuntimeError("a feed is started once")
        try:
            feed = await self._opened(max_messages, {})
        except SinkAheadError as ahead:
            say = _log.info if self._replays else _log.warning
            say("the feed's numbers go on behind those of its sinks", **ahead.numbers)
            feed = await self._opened(max_messages, ahead.numbers)
        self._feed = feed
        await self._feed.tasks.start()
        self._emergency.start(self._feed)
        self._following.start(self._feed)
        self._queries = FeedQueries(self._feed)
        try:
            if not self._replays:
                self._probe = FeedProbe(
                    self._feed,
                    self.summary,
                    lambda: self._emergency.reason,
                    self._queries.queries,
                )
                await self._probe.listen()  # a port that is taken costs no connect of a venue
            self._feed.start(connects=not self._end.is_set())  # a stop may have come meanwhile
            if self._probe is not None:
                self._probe.start()
                await self._queries.start()
                await self._emergency.prepare()
        except BaseException:
            await self._stop()
            raise

    async def _opened(self, max_messages: int, least: Mapping[str, int]) -> RunningFeed:
        """Open the state, the rings and the sinks; no number below `least` is used."""
        settings = self.plan.config.feed
        rings = None
        if settings.ring_dir is not None:
            tables = {
                name: (table, ring_rows(settings, name)) for name, table in self.plan.tables.items()
            }
            rings = RingStore(Path(settings.ring_dir), settings.name, tables)
        state, first = await open_state(
            None if settings.state_dir is None else Path(settings.state_dir),
            settings.name,
            [*self.plan.tables, GAP_ID],
            rings,
            least,
        )
        feed = RunningFeed(
            self.plan,
            replays=self._replays,
            max_messages=max_messages,
            on_failure=self._on_failure,
            coordinator=self.coordinator,
            on_emergency=self.declare_emergency,
            state=state,
            first=first,
            rings=rings,
            adopts=self._adopts,
            replayed=self.replayed,
            live_state=self._state_dir if self._replays else None,
        )
        await feed.open()
        return feed

    async def ready(self) -> None:
        """Wait until every source is subscribed and every sink open.

        Raises
        ------
        TickwireError
            The feed has ended before; what made it fail, where something did.
        """
        await unless_set(self._end, spawn("ready", self.coordinator.ready()))
        if not self.coordinator.is_ready:
            self.raise_failure()
            missing = ", ".join(self.coordinator.missing)
            raise TickwireError(f"the feed ended before it was ready: {missing}")

    async def stop(self) -> None:
        """Stop reading, drain the rings, commit the sinks.

        A second call waits for the first one's end.
        """
        self._end.set()
        async with self.coordinator.changing:
            await self._stop()

    async def _stop(self) -> None:
        if self._feed is None or self._is_stopped:
            return
        self._is_stopped = True
        self._end.set()
        if self._queries is not None:
            await self._queries.stop()
        try:
            flush_s = FLUSH_S if self._emergency.is_declared else None
            await self._feed.stop(list(self._consumers), flush_s)
        finally:
            await self._emergency.finish()
            await self._following.stop()
            if self._probe is not None:
                await self._probe.stop()
            await self._feed.tasks.stop()

    def abort(self) -> None:
        """Commit and spill what can be within a short deadline, and declare what is left behind.

        For a process that ends at once; to be called in the loop's thread, or where that hangs in
        another one.
        """
        if self._feed is not None:
            self._feed.abort()

    def pause(self, source: str | int) -> None:
        """Close a source's connections and make no other until `resume`; from any thread.

        Rings, sinks and the other sources go on. The time is a gap `paused` of each of its streams,
        and `sessions` has the events `paused` and `resumed`.

        Parameters
        ----------
        source
            Its number in the configuration, its name such as `0 binance`, or a venue: all of it.

        Raises
        ------
        KeyError
            There is none.
        RuntimeError
            The feed does not run.
        """
        self._running().holds.hold(source, is_held=True)

    def resume(self, source: str | int) -> None:
        """Connect a source again, from any thread; as for `pause`.

        `coordinator.wait_running("source 0 binance")`, or awaited `running`, waits for it.
        """
        self._running().holds.hold(source, is_held=False)

    async def refresh(self, source: str | int | None = None) -> bool:
        """Replace connections, each by one that is there and subscribed before it closes.

        Parameters
        ----------
        source
            As in `pause`; all where left out.

        Returns
        -------
        bool
            Whether all have been replaced; what could not be is tried again.

        Raises
        ------
        KeyError
            There is none.
        RuntimeError
            The feed does not run.
        """
        feed = self._running()
        sources = feed.sources if source is None else feed.holds.named(source)
        asked = [future for each in sources for future in each.refresh()]
        return all([await future for future in asked])

    def request_stop(self, why: str = "asked to") -> None:
        """Let `run` stop; to be called in the loop's thread."""
        if not self._end.is_set():
            self._end.set()  # first: a log that cannot be written stops nothing
            _log.info("stopping", why=why)

    async def run(
        self,
        *,
        duration_s: float | None = None,
        max_messages: int = 0,
        until_idle_s: float | None = None,
    ) -> None:
        """Start, go on until a limit is reached or a stop is requested, and stop.

        Parameters
        ----------
        duration_s
            Stop after this time.
        max_messages
            Stop at the end of the read that brings this data message; 0: no limit.
        until_idle_s
            Stop once no data message has come for this long, counted from the last one or from
            when all sources are subscribed.

        Raises
        ------
        SinkError
            A sink cannot be opened, or has failed.
        TickwireError
            No source ever connected, or every subscription was refused.
        """
        try:
            await self.start(max_messages=max_messages)
            if self._feed is not None:
                limits = RunLimits(duration_s, max_messages, until_idle_s)
                await until_end(self._feed, self._end, limits, self.request_stop)
        finally:
            await self.stop()
        self.raise_failure()

    def raise_failure(self) -> None:
        """Raise what made the run fail, after its stop."""
        failure = self._failure
        if failure is None and self._feed is not None:
            failure = self._feed.failure()
        self._raise_end(failure)

    def _raise_end(self, failure: BaseException | None) -> None:
        failure = self._emergency.failure() or failure
        if failure is not None:
            raise failure

    def _on_failure(self, failure: BaseException) -> None:
        self._end.set()
        for consumer in list(self._consumers):  # who iterates must not wait for ever
            consumer.shutdown()
        if self._failure is None:
            self._failure = failure
            self._failures.add(str(failure))
        elif str(failure) not in self._failures:  # the first one is raised, others would be lost
            self._failures.add(str(failure))
            _log.error("another failure", error=str(failure))
