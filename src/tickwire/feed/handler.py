"""The feed handler: what programs and the command line hold a feed by."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, Unpack

from tickwire.config import (
    AlertSettings,
    Config,
    Feed,
    FeedKeys,
    MetricsSettings,
    SeveritySettings,
    SinkSettings,
    Source,
    with_keys_of,
)
from tickwire.errors import ConfigError, TickwireError
from tickwire.feed.consumer import BatchConsumer, OnLag
from tickwire.feed.emergency import FLUSH_S, EmergencyStop
from tickwire.feed.following import Following, GapEvent, GapStream, ReconnectEvent
from tickwire.feed.pipeline import Pipeline
from tickwire.feed.planning import FeedPlan, load_whole, plan_feed
from tickwire.feed.prices import Price, last_prices
from tickwire.feed.probe import FeedProbe
from tickwire.feed.running import HOUSEKEEPING_S, RunningFeed, parts_of
from tickwire.feed.summary import Status, status_of, summarise
from tickwire.feed.verdict import decoding_problems
from tickwire.logs import get_logger
from tickwire.supervise import HOOK_S, Coordinator, ManagedTask, TaskManager, cancel_all, spawn

EmergencyHook = TypeVar("EmergencyHook", bound=Callable[..., object])
GapCallback = TypeVar("GapCallback", bound=Callable[[GapEvent], object])
ReconnectCallback = TypeVar("ReconnectCallback", bound=Callable[[ReconnectEvent], object])


class FeedHandler:
    """Holds the connections of a feed and hands its rows on.

    An async context manager: entering connects, leaving drains and commits.

    Parameters
    ----------
    sources
        What comes in: a source, several, or a whole `Config` with its sinks.
    sinks
        Where it goes; a feed without sinks serves `batches` alone.
    metrics
        Where the feed answers `/metrics` and `/health`.
    alerts
        Rules over its metrics.
    severities
        How bad errors are, before those of the configuration and the feed's own table.
    replays
        Built for a capture: no connections, no state, full rings always wait.
    **feed
        The keys of `[feed]`, as `tickwire.Feed` has them; without a `state_dir` no state is kept on
        disk.

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
        metrics: MetricsSettings | None = None,
        alerts: Sequence[AlertSettings] = (),
        severities: Sequence[SeveritySettings] = (),
        replays: bool = False,
        **feed: Unpack[FeedKeys],
    ) -> None:
        config = _config_of(sources, sinks, feed)
        if metrics is not None or alerts or severities:
            config = replace(
                config,
                metrics=metrics or config.metrics,
                alerts=(*config.alerts, *alerts),
                severities=(*severities, *config.severities),
            )
        if replays:
            stateless = config.feed.model_copy(update={"state_dir": None, "spill_dir": None})
            config = replace(config, feed=stateless)
        self.config = config
        self.plan: FeedPlan = plan_feed(self.config)
        self._replays = replays
        self._feed: RunningFeed | None = None
        self.coordinator = Coordinator(parts_of(self.plan, replays=replays))
        self._following = Following()
        self._probe: FeedProbe | None = None
        self._is_stopped = False
        self._consumers: weakref.WeakSet[BatchConsumer] = weakref.WeakSet()
        self._end = asyncio.Event()
        self._emergency = EmergencyStop(self, self.plan.hooks, self._end.set)
        self._failure: BaseException | None = None
        self._failures: set[str] = set()  # told
        self._log = get_logger("tickwire.feed")

    def __repr__(self) -> str:
        state = "not started" if self._feed is None else "runs"
        sources = ", ".join(source.venue.name for source in self.plan.sources)
        sinks = ", ".join(sink.name for sink in self.config.sinks) or "none"
        return (
            f"<FeedHandler {self.config.feed.name}: {'stopped' if self._is_stopped else state}, "
            f"sources {sources}, sinks {sinks}>"
        )

    @classmethod
    def from_toml(cls, path: str | Path) -> FeedHandler:
        """Build the feed of a configuration file.

        Raises
        ------
        ConfigError
            With one line per mistake.
        """
        return cls(load_whole(path))

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
        self._feed = RunningFeed(
            self.plan,
            replays=self._replays,
            max_messages=max_messages,
            on_failure=self._on_failure,
            coordinator=self.coordinator,
            on_emergency=self.declare_emergency,
        )
        await self._feed.tasks.start()
        self._emergency.start(self._feed)
        self._following.start(self._feed)
        self._feed.start()
        if not self._replays:
            self._probe = FeedProbe(self._feed, self.summary, lambda: self._emergency.reason)
            try:
                await self._probe.start()
                await self._emergency.prepare()
            except BaseException:
                await self._stop()
                raise

    async def ready(self) -> None:
        """Wait until every source is subscribed and every sink open.

        Raises
        ------
        TickwireError
            The feed has ended before; what made it fail, where something did.
        """
        waiting: list[ManagedTask[Any]] = [
            spawn("ready", self.coordinator.ready()),
            spawn("end", self._end.wait()),
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel_all(waiting)
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

        For a process that ends at once; to be called in the loop's thread.
        """
        if self._feed is not None:
            self._feed.abort()

    def batches(
        self,
        table: str,
        *,
        on_lag: OnLag | None = None,
        name: str | None = None,
        maxsize: int | None = None,
    ) -> BatchConsumer:
        """Give a consumer of a table's rows, from the oldest that its ring holds.

        Parameters
        ----------
        table
            Its name.
        on_lag
            What a full ring does where this consumer lags: `block` stops the feed until it has
            taken rows, `drop` drops its oldest rows, `raise` does so and raises `ConsumerLagged`
            once. Left out: `block`, or `drop` where the feed's `overflow` is `drop_oldest`. No
            other consumer loses rows by it, and what is dropped is a row of `gaps`.
        name
            What the log, the metrics and the gaps call it; by default a number is part of it.
        maxsize
            So many rows may wait for it, fewer than the ring holds; `on_lag` says what happens
            then. A message or read that has more is not cut: where nothing waited before, all of
            it may wait.

        Raises
        ------
        KeyError
            Where no source feeds that table.
        ValueError
            Where there is no such choice of `on_lag` or `maxsize`.
        RuntimeError
            Where the feed does not run.
        """
        pipeline = self._running().pipeline
        if table not in pipeline.rings:
            raise KeyError(f"no table {table!r}: one of {', '.join(pipeline.rings)}")
        lag = pipeline.lag
        name = lag.free_name(table) if name is None else name
        consumer = BatchConsumer(
            pipeline.rings[table],
            pipeline.read_to_batch,
            on_lag=on_lag,
            name=name,
            maxsize=maxsize,
            on_loss=partial(lag.lost, table, name),
        )
        lag.watch(table, name, consumer.rows, 0 if maxsize is None else consumer.maxsize)
        lag.watch_depth(table, name)
        self._consumers.add(consumer)
        return consumer

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
        self._running().hold(source, is_paused=True)

    def resume(self, source: str | int) -> None:
        """Connect a source again, from any thread; as for `pause`.

        `coordinator.wait_running("source 0 binance")`, or awaited `running`, waits for it.
        """
        self._running().hold(source, is_paused=False)

    def _running(self) -> RunningFeed:
        if self._feed is None or self._is_stopped:
            raise RuntimeError("the feed does not run: use `async with` or `start`")
        return self._feed

    def on_gap(self, callback: GapCallback) -> GapCallback:
        """Call a function with each gap that opens, and again when it ends; usable as a decorator.

        Parameters
        ----------
        callback
            Takes a `GapEvent`; plain (it runs in a thread of its own) or a coroutine function.
            One that fails or hangs is logged and holds up nothing else.

        Returns
        -------
        callable
            As given.
        """
        self._following.add_gap(callback)
        return callback

    def on_reconnect(self, callback: ReconnectCallback) -> ReconnectCallback:
        """Call a function when a session has a connection again; usable as a decorator.

        Parameters
        ----------
        callback
            Takes a `ReconnectEvent`; as for `on_gap`.

        Returns
        -------
        callable
            As given.
        """
        self._following.add_reconnect(callback)
        return callback

    def on_emergency(
        self, hook: EmergencyHook, *, deadline_s: float = HOOK_S, name: str = ""
    ) -> EmergencyHook:
        """Run a coroutine function when the feed shuts down in an emergency; usable as a decorator.

        Hooks run at the same time, as soon as intake stops, beside the flush. One that
        fails or hangs stops no other.

        Parameters
        ----------
        hook
            Takes an `EmergencyEvent`, or nothing. What it returns is in the log and the summary. A
            plain function runs in a thread of its own: so should what blocks.
        deadline_s
            How long it may take; then it is cancelled.
        name
            For log and summary; by default the function's.

        Returns
        -------
        callable
            As given.
        """
        self._emergency.add(hook, deadline_s, name)
        return hook

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
        sources = feed.sources if source is None else feed.source_named(source)
        asked = [future for each in sources for future in each.refresh()]
        return all([await future for future in asked])

    def declare_emergency(self, reason: str) -> None:
        """Shut the feed down at once: stop intake, flush, run the hooks; from any thread.

        The run ends with `EmergencyShutdown`, and `tickwire run` with exit code 70.

        Parameters
        ----------
        reason
            One line. The first one counts; others are logged.
        """
        self._emergency.emergency.declare(reason)

    @property
    def emergency_reason(self) -> str:
        """Why the feed shuts down in an emergency; empty where it does not."""
        return self._emergency.reason

    @property
    def is_healthy(self) -> bool:
        """Whether it runs, every source is subscribed and connected, and no sink has failed."""
        probe = self._probe
        is_running = probe is not None and not self._end.is_set()
        return is_running and probe is not None and probe.is_live() and probe.is_ready()

    def last_prices(self, venues: Collection[str]) -> dict[str, Price]:
        """Give the newest price of each symbol of some venues; in the loop's thread."""
        return {} if self._feed is None else last_prices(self._feed.pipeline, venues)

    @property
    def longest_hook_s(self) -> float:
        """The longest deadline of an emergency hook."""
        return self._emergency.emergency.longest_s

    def on_emergency_declared(self, callback: Callable[[str], None]) -> None:
        """Call a function with the reason, at once and in the thread that declares it."""
        self._emergency.emergency.follow(callback)

    def gaps(self) -> GapStream:
        """Give an iterator over gaps as they open and as they end, from now until the feed ends."""
        return self._following.add_stream()

    def request_stop(self, why: str = "asked to") -> None:
        """Let `run` stop; to be called in the loop's thread."""
        if not self._end.is_set():
            self._end.set()  # first: a log that cannot be written stops nothing
            self._log.info("stopping", why=why)

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
                await self._until_end(self._feed, duration_s, max_messages, until_idle_s)
        finally:
            await self.stop()
        self.raise_failure()

    def warn_of_decoding(self) -> list[str]:
        """Log where nothing, or less than 99 %, of what came was decoded; give what was logged."""
        problems = decoding_problems(self.summary()) if self.has_run else []
        for problem in problems:
            self._log.warning(problem)
        return problems

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

    @property
    def metrics_url(self) -> str:
        """Where `/metrics` and `/health` are answered; empty where nowhere."""
        return "" if self._probe is None else self._probe.server.url

    @property
    def tasks(self) -> TaskManager:
        """The feed's tasks; programs may hang their own into it, which end with the feed.

        Raises
        ------
        RuntimeError
            Where the feed has not been started.
        """
        if self._feed is None:
            raise RuntimeError("the feed has not been started")
        return self._feed.tasks

    def uncommitted(self) -> dict[str, dict[str, int]]:
        """Give the rows that each sink has not committed, by table."""
        return {} if self._feed is None else self._feed.uncommitted()

    def log_status(self) -> None:
        """Log how the feed and each of its tasks stand, a line each."""
        self._log.info("status", **asdict(self.status()))
        for task in [] if self._feed is None else self._feed.tasks.status():
            self._log.info("task", **task.to_dict())

    @property
    def pipeline(self) -> Pipeline | None:
        """Rings and decoders; None before the start."""
        return None if self._feed is None else self._feed.pipeline

    @property
    def is_replay(self) -> bool:
        """Whether it was built for a capture."""
        return self._replays

    @property
    def has_run(self) -> bool:
        """Whether there is something to summarise."""
        return self._feed is not None

    @property
    def has_hung(self) -> bool:
        """Whether the stop has left a sink behind in a call that does not return."""
        return self._feed is not None and self._feed.has_hung

    @property
    def is_stopping(self) -> bool:
        """Whether a stop was requested, or something failed."""
        return self._end.is_set()

    def summary(self) -> dict[str, Any]:
        """Give the numbers of the run: what `--summary` writes.

        Raises
        ------
        RuntimeError
            Where the feed has not been started.
        """
        feed = self._feed
        if feed is None:
            raise RuntimeError("the feed has not been started")
        return {
            **summarise(self.config.feed.name, feed.pipeline.registry, feed.usage),
            "refusals": feed.refusals(),
            **feed.quiet(),
            "emergency": self._emergency.to_dict(),
        }

    def status(self) -> Status:
        """Give how the feed stands; may be called from any thread."""
        feed = self._feed
        return Status() if feed is None else status_of(feed.pipeline.registry)

    async def _until_end(
        self,
        feed: RunningFeed,
        duration_s: float | None,
        max_messages: int,
        until_idle_s: float | None,
    ) -> None:
        """Wait for a stop, a failure or a limit, looking a few times a second."""
        began_s = quiet_since_s = time.monotonic()
        n_seen = -1
        while not self._end.is_set():
            now_s = time.monotonic()
            n_messages = feed.pipeline.messages
            if n_messages != n_seen or not feed.is_settled():
                n_seen, quiet_since_s = n_messages, now_s
            if max_messages and n_messages >= max_messages:
                self.request_stop("max messages")
            elif duration_s is not None and now_s - began_s >= duration_s:
                self.request_stop("the duration is over")
            elif until_idle_s is not None and now_s - quiet_since_s >= until_idle_s:
                self.request_stop("idle")
            else:
                left_s = HOUSEKEEPING_S
                if duration_s is not None:
                    left_s = min(left_s, began_s + duration_s - now_s)
                try:
                    async with asyncio.timeout(left_s):
                        await self._end.wait()
                except TimeoutError:
                    pass

    def _on_failure(self, failure: BaseException) -> None:
        self._end.set()
        for consumer in list(self._consumers):  # who iterates must not wait for ever
            consumer.shutdown()
        if self._failure is None:
            self._failure = failure
            self._failures.add(str(failure))
        elif str(failure) not in self._failures:  # the first one is raised, others would be lost
            self._failures.add(str(failure))
            self._log.error("another failure", error=str(failure))


def _config_of(
    sources: Config | Source | Sequence[Source],
    sinks: SinkSettings | Sequence[SinkSettings],
    feed: FeedKeys,
) -> Config:
    """Put together what a program gave, or say what it should have given."""
    if isinstance(sources, Config):
        if sinks or feed:
            raise TypeError("a Config holds its sinks and the keys of [feed]: give nothing else")
        return sources
    if isinstance(sources, str | Path):
        raise TypeError(f"sources: is a path: write FeedHandler.from_toml({str(sources)!r})")
    if not isinstance(sources, Source | Iterable):
        raise TypeError(f"sources: is {sources!r}, should be Source objects")
    many_sources = (sources,) if isinstance(sources, Source) else tuple(sources)
    many_sinks = (sinks,) if isinstance(sinks, SinkSettings) else tuple(sinks)
    for source in many_sources:
        if not isinstance(source, Source):
            raise TypeError(f"sources: has a {type(source).__name__}, should be Source objects")
    for sink in many_sinks:
        if not isinstance(sink, SinkSettings):
            raise TypeError(f"sinks: has a {type(sink).__name__}, should be such as ParquetSink")
    if not many_sources:
        raise ConfigError(["source: is required, at least one Source"])
    kept: FeedKeys = {"state_dir": None, **feed}
    return Config(Feed(**kept), many_sources, many_sinks)
