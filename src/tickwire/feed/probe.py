"""What a running feed shows of itself: its components, its figures, its alerts.

Rules of this file
------------------
- It reads, and changes nothing. What costs time is read once a second; `housekeeping` alone is
  called as often as the feed's.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tickwire._version import __version__
from tickwire.config import Context
from tickwire.config.sockets import health_socket
from tickwire.feed.books.book_view import own_symbol
from tickwire.feed.pipeline import Pipeline
from tickwire.feed.put_off import REUSE_S
from tickwire.feed.running import RunningFeed
from tickwire.feed.sources.sources import LiveSource
from tickwire.feed.streams.staleness import some
from tickwire.health import Alerts, Component, Exposition, HealthServer, State
from tickwire.health.process import ProcessFigures
from tickwire.net.awake import to_step_s
from tickwire.ring import Ring
from tickwire.schema import DATA_TABLES
from tickwire.serve.queries import Queries
from tickwire.supervise import BreakerState, ManagedTask, cancel_all

RECEIVE_BUFFER_BYTES = 256 << 10  # of one connection, as ext/tickwire/net/_receiver.pxd has it
LATE_DEPTH = 0.8
FAILED_AFTER_S = 10.0  # without any connection
DEAD_AFTER_S = 10.0  # without housekeeping
SHOWN_REASONS = 5
OFFSET_SAMPLES = 60
OFFSETS_S = 1.0


class FeedProbe:
    """Answers about a feed, and watches it.

    Parameters
    ----------
    feed
        Started.
    summary
        Gives its summary.
    emergency
        Gives the reason of an emergency shutdown; empty where there is none.
    queries
        Of the feed.
    """

    def __init__(
        self,
        feed: RunningFeed,
        summary: Callable[[], dict[str, Any]],
        emergency: Callable[[], str],
        queries: Queries,
    ) -> None:
        config = feed.plan.config
        self._feed = feed
        self._summary = summary
        self._emergency = emergency
        self._queries = queries
        self._name = config.feed.name
        self._registry = feed.pipeline.registry
        self._kept_s = time.monotonic()
        self._down_since_s: dict[LiveSource, float] = {}
        metrics = feed.pipeline.metrics
        self._process = ProcessFigures(metrics)
        self._offsets = Offsets(feed.pipeline)
        _watch_memory(feed)
        self._alerts = Alerts(
            self._name, config.alerts, self._registry, time.monotonic, feed.on_emergency
        )
        self._alerts.failures = feed.failures
        state_dir = config.feed.state_dir
        socket = None if state_dir is None else health_socket(Path(state_dir), self._name)
        self.server = HealthServer(
            self,
            Exposition(self._registry),
            config.metrics.address,
            socket,
            on_emergency=feed.on_emergency,
            on_book=self.book,
        )
        self._tasks: list[ManagedTask[None]] = []

    async def listen(self) -> None:
        """Listen; before anything connects.

        Raises
        ------
        TickwireError
            The address of `[metrics]` cannot be had.
        """
        await self.server.start()

    def start(self) -> None:
        """Look at the rules of alerts, and at clocks."""
        self._feed.housekeeping.on_look = self.housekeeping
        self._tasks = [
            self._feed.tasks.spawn("alerts", self._alerts.run, restart="on_failure"),
            self._feed.tasks.spawn("clock offsets", self._look_at_offsets, restart="on_failure"),
        ]

    async def stop(self) -> None:
        """End everything."""
        await cancel_all(self._tasks)
        await self._alerts.close()
        await self.server.stop()

    def housekeeping(self, late_s: float) -> None:
        """Note that the feed's housekeeping runs, and how late it was."""
        self._kept_s = time.monotonic()
        self._process.on_wake(late_s)

    # What the server asks.

    def is_live(self) -> bool:
        """Whether housekeeping runs."""
        return time.monotonic() - self._kept_s < DEAD_AFTER_S

    @property
    def text_age_s(self) -> float:
        """How old the figures of a scrape may be: the text before is given again."""
        return REUSE_S if self._feed.housekeeping.put_off.is_taken else 0.0

    async def _look_at_offsets(self) -> None:
        while True:
            await asyncio.sleep(to_step_s(asyncio.get_running_loop(), OFFSETS_S))
            if not self._feed.housekeeping.put_off.is_taken:
                self._offsets.look()

    def is_ready(self) -> bool:
        """Whether every source is subscribed and has a connection, and no sink has failed.

        A source that is paused is not from then on, though its connections still close.
        """
        return (
            self._feed.is_settled()
            and not any(source.is_on_hold for source in self._feed.sources)
            and all(map(_is_connected, self._feed.sources))
            and not any(sink.failed or sink.trouble for sink in self._feed.sinks)
        )

    def details(self) -> dict[str, Any]:
        """Give the feed's name, version, process and summary."""
        return {
            "feed": self._name,
            "version": __version__,
            "pid": os.getpid(),
            "uptime_s": self._registry.total("uptime_seconds"),
            "alerts": self._alerts.firing,
            "queries": [
                {"sql": each.sql, "seconds": time.monotonic() - each.since_s}
                for each in self._queries.open_queries
            ],
            "tasks": [task.to_dict() for task in self._feed.tasks.status()],
            "summary": self._summary(),
        }

    def book(self, query: dict[str, str]) -> dict[str, Any]:
        """Give a book, by symbol, and by venue, channel and depth where they are given.

        Raises
        ------
        KeyError
            There is none.
        RuntimeError
            No books are kept.
        ValueError
            The depth is no number.
        """
        kept = self._feed.pipeline.kept_books
        if kept is None:
            raise RuntimeError("it keeps no books: its configuration has no section [books]")
        symbol = query.get("symbol", "")
        venues = [
            venue
            for venue, known in kept.names
            if known in (symbol, own_symbol(kept.venues.get(venue), symbol))
        ]
        venue = query.get("venue") or (venues[0] if venues else "")
        if "venue" not in query and len(venues) > 1:
            raise KeyError(f"{symbol} is a symbol of {', '.join(venues)}: name the venue")
        depth = int(query["depth"]) if "depth" in query else None
        return kept.view(venue, symbol, query.get("channel"), depth).to_dict()

    def components(self) -> list[Component]:
        """Give how each component is."""
        found = [self._source(number, source) for number, source in enumerate(self._feed.sources)]
        depths = self._registry.by("ring_depth", "sink", "table")
        for sink in self._feed.sinks:
            state, reasons = State.OK, []
            if sink.failed is not None:
                state, reasons = State.FAILED, [str(sink.failed)]
            else:
                reasons = [
                    f"the ring of {table} is {depth:.0%} full of rows that it has not taken"
                    for table, depth in depths.get(sink.name, {}).items()
                    if depth > LATE_DEPTH
                ]
                if sink.trouble:
                    reasons.insert(0, f"its rows wait: {sink.trouble}")
                if sink.breaker_state is not BreakerState.CLOSED:
                    state_text = sink.breaker_state.value.replace("_", " ")
                    reasons.append(f"its breaker is {state_text}")
                state = State.DEGRADED if reasons else State.OK
            found.append(Component(f"sink {sink.name}", state, tuple(reasons)))
        waiting = [name for name, ring in self._feed.pipeline.rings.items() if ring.is_waited_for]
        found.append(
            _component("rings", [f"{name} is full and stops the feed" for name in waiting])
        )
        put_off = self._feed.housekeeping.put_off.texts
        found.append(_component("housekeeping", put_off))
        found.append(_component("ledger", self._gaps()))
        found.append(_component("tasks", self._failing_tasks()))
        found.append(_component("errors", self._troubles()))
        firing = [f"{name} holds" for name in self._alerts.firing]
        found.append(_component("alerts", firing))
        reason = self._emergency()
        if reason:
            found.append(Component("emergency", State.FAILED, (reason,)))
        return found

    def _failing_tasks(self) -> list[str]:
        return [
            f"{task.name} {'has failed' if task.state == 'failed' else 'waits for its restart'}: "
            f"{task.last_error}"
            for task in self._feed.tasks.status()
            if task.state in ("failed", "waiting")
        ]

    def _troubles(self) -> list[str]:
        """Give the errors of severity high that no other component shows, of the last minute."""
        return [
            f"{each.context.value} {each.part}: {each.text}"
            for each in self._feed.failures.troubles()
            if each.context not in (Context.SINK, Context.TASK)
        ]

    def _gaps(self) -> list[str]:
        return [
            f"{n:.0f} gaps of {table} are open: {reason}"
            for table, reasons in self._registry.by("gaps_open", "table", "reason").items()
            for reason, n in reasons.items()
            if n
        ]

    def _source(self, number: int, source: LiveSource) -> Component:
        name = f"source {number} {source.plan.venue.name}"
        legs = [leg for group in source.groups for leg in group.legs]
        n_open = sum(leg.session.connection is not None for leg in legs)
        n_all = len(legs)
        reasons = (
            [f"{n_all - n_open} of {n_all} connections are not open"] if n_open < n_all else []
        )
        if source.is_paused:
            reasons.append("reading is paused: a ring is full")
        refusals = list(source.refusals)
        reasons += refusals[:SHOWN_REASONS]
        if len(refusals) > SHOWN_REASONS:
            reasons.append(f"and {len(refusals) - SHOWN_REASONS} more subscriptions are refused")
        for streams, wrong in (
            (source.silent_streams, "no message for"),
            (source.stale_streams, "silent for too long:"),
        ):
            if streams:
                reasons.append(f"{wrong} {some(streams)}")
        if source.is_on_hold:
            reasons.insert(0, "paused by the program")
        reasons += source.degradation.reasons + source.poorer.reasons
        if not source.is_settled and not reasons:
            reasons.append("not subscribed yet")
        state = State.DEGRADED if reasons else State.OK
        now_s = time.monotonic()
        down_since_s = self._down_since_s.setdefault(source, now_s)
        if n_open:
            del self._down_since_s[source]
        elif now_s - down_since_s >= FAILED_AFTER_S and not source.is_on_hold:
            state = State.FAILED
        if source.is_refused:
            state = State.FAILED
        elif state is not State.FAILED and not source.has_connected:
            state = State.STARTING
        return Component(name, state, tuple(reasons))


class Offsets:
    """Keeps the least time from a venue's event to its receipt, by the last row of each table.

    What a network adds is never negative, so the least of a minute shows how the clocks differ.

    Parameters
    ----------
    pipeline
        Whose rings.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._samples: dict[str, deque[int]] = {}
        self._at: dict[str, int] = {}

    def look(self) -> None:
        """Look at the last row of each table, where it is a new one."""
        least: dict[str, int] = {}
        for name, ring in self._pipeline.rings.items():
            if name not in DATA_TABLES or ring.published == self._at.get(name, 0):
                continue
            self._at[name] = ring.published
            venue, delay_ns = self._last(ring)
            if venue:
                least[venue] = min(delay_ns, least.get(venue, delay_ns))
        for venue, delay_ns in least.items():
            if venue not in self._samples:
                self._samples[venue] = deque(maxlen=OFFSET_SAMPLES)
                samples = self._samples[venue]
                self._pipeline.metrics.watch(
                    "clock_offset_seconds", partial(min, samples, default=0), venue=venue
                )
            self._samples[venue].append(delay_ns)

    def _last(self, ring: Ring) -> tuple[str, int]:
        at = (ring.published - 1) & (ring.capacity - 1)
        columns = ring.columns
        event_ns, recv_ns = int(columns["ts_event"][at]), int(columns["ts_recv"][at])
        if event_ns <= 0:
            return "", 0  # the venue sends none
        venue = self._pipeline.dictionaries.venue.value(int(columns["venue"][at]))
        return venue, recv_ns - event_ns


def _is_connected(source: LiveSource) -> bool:
    return any(session.connection is not None for session in source.sessions)


def _component(name: str, reasons: list[str]) -> Component:
    return Component(name, State.DEGRADED if reasons else State.OK, tuple(reasons))


def _watch_memory(feed: RunningFeed) -> None:
    metrics = feed.pipeline.metrics
    for name, ring in feed.pipeline.rings.items():
        n_bytes = sum(view.nbytes for view in ring.block.views().values())
        metrics.watch("ring_bytes", partial(int, n_bytes), table=name)
    for number, source in enumerate(feed.sources):
        for session in source.sessions:
            metrics.watch(
                "receive_buffer_bytes",
                partial(_buffer_bytes, session),
                source=str(number),
                venue=source.plan.venue.name,
            )


def _buffer_bytes(session: Any) -> int:
    return RECEIVE_BUFFER_BYTES if session.connection is not None else 0
