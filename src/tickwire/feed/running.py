"""A feed that runs: everything that was opened for it, looked after and taken down.

Rules of this file
------------------
- Order of the start: the state (which locks the feed's name), the rings, the sinks (`open`, so that
  one which cannot be written is an error before any connection is made), the port of metrics (which
  `handler` opens, for the same reason), then the sessions.
- Order of the stop: the sessions, so that nothing is written any more; the feed's own last rows;
  the consumers; the sinks, which drain the rings and commit; the state last.
- Nothing here is called per message; `housekeeping` looks after everything meanwhile.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from tickwire.config import Context
from tickwire.errors import SinkError, TickwireError
from tickwire.feed.consumers.row_queue import RowQueue
from tickwire.feed.housekeeping import Housekeeping, is_paused, refusals_of
from tickwire.feed.kept.added import report_added
from tickwire.feed.kept.committed import Committed
from tickwire.feed.kept.delivered import Delivered
from tickwire.feed.kept.positions import Positions
from tickwire.feed.kept.ring_store import RingStore
from tickwire.feed.kept.state import State
from tickwire.feed.kept.state_file import read_numbers
from tickwire.feed.kept.taken_over import report_taken_over
from tickwire.feed.loops import callback_errors
from tickwire.feed.opening import SinkAheadError, open_sinks
from tickwire.feed.pipeline import Pipeline
from tickwire.feed.plan.plans import FeedPlan
from tickwire.feed.plan.recorded_plan import described_connections
from tickwire.feed.plan.symbols import check_symbols
from tickwire.feed.plan.unverified import warn_unverified
from tickwire.feed.sources.holds import Holds
from tickwire.feed.sources.listings import Listings
from tickwire.feed.sources.recording import described
from tickwire.feed.sources.sharing import SharedByVenue
from tickwire.feed.sources.sources import LiveSource
from tickwire.feed.streams.room import until_room
from tickwire.feed.summary import Usage
from tickwire.log_writer import LOG_WRITER
from tickwire.logs import get_logger
from tickwire.ring import SummedConsumer
from tickwire.sinks import CONN, BatchSource, Replayed, Sink
from tickwire.store import Spill
from tickwire.supervise import Coordinator, ManagedTask, TaskManager, cancel_all, in_thread
from tickwire.venues import LISTED

HOUSEKEEPING = "housekeeping"  # the names of tasks
STOP = "stop of "
# Deadlines of a stop: connections, REST. A sink ends one that makes no progress itself.
INTAKE_S = 15.0
SERVERS_S = 5.0
ABORT_S = 1.5  # how long sinks may still commit at an abort
LAST_ROWS_S = 5.0  # how long the feed's own last rows may wait for a sink at the stop

_log = get_logger("tickwire.feed")


class RunningFeed:
    """What a feed holds while it runs.

    Parameters
    ----------
    plan
        What to build.
    replays
        For a capture: no connections, and full rings always wait.
    max_messages
        How many data messages to decode; 0: no limit.
    on_failure
        Called in the loop's thread with what ended a session.
    coordinator
        Where the parts of `parts_of` arrive when they are ready.
    on_emergency
        Called with the reason, one line, where the feed must shut down at once; from any thread.
    state, first
        Where numbers are reserved, which is closed with the feed; and each table's first number.
    rings
        Where the rings lie in files; None: in memory of the process.
    adopts
        Sinks may hold rows of whatever feed.
    replayed
        The capture that is played.
    live_state
        Of a replay: where the feed has its state when it runs live.
    """

    def __init__(
        self,
        plan: FeedPlan,
        *,
        replays: bool,
        max_messages: int,
        on_failure: Callable[[BaseException], None],
        coordinator: Coordinator,
        on_emergency: Callable[[str], None],
        state: State,
        first: dict[str, int],
        rings: RingStore | None = None,
        adopts: bool = False,
        replayed: Replayed | None = None,
        live_state: str | Path | None = None,
    ) -> None:
        feed = plan.config.feed
        self.plan = plan
        self.usage = Usage()
        self.sinks: list[Sink] = []
        self.sources: list[LiveSource] = []
        self._spills: dict[str, Spill] = {}
        self._abort_lock, self._is_aborted = threading.Lock(), False
        self.on_emergency = on_emergency
        self._coordinator = coordinator
        self._unfinished: list[str] = []  # parts of the stop that ended at their deadline
        self._housekeepers: list[ManagedTask[None]] = []
        folder = None if feed.state_dir is None else Path(feed.state_dir)
        self._state = state
        # The connections of a replay have the capture's numbers.
        self._first = first if replays else {**first, CONN: state.conn}
        self._adopts = adopts
        self._replayed = replayed
        self._live_state = live_state
        self._replays = replays
        self._rings = rings
        positions = Positions(None if replays else folder, feed.name)
        try:
            self.pipeline = Pipeline(
                plan,
                first,
                blocks=replays,
                max_messages=max_messages,
                memory=None if rings is None else rings.memory,
            )
            self.failures = self.pipeline.failures
            self.failures.on_stop = on_failure
            self.failures.on_emergency = on_emergency
            self._state.failures = positions.failures = self.failures
            self.tasks = TaskManager(
                feed.name, metrics=self.pipeline.metrics, failures=self.failures, vital=_is_vital
            )
            self._make_sinks()
        except BaseException:
            self._state.close()
            raise
        self._delivered = Delivered(self.pipeline.sources, self.pipeline.dictionaries.symbol)
        self._committed = Committed(
            positions, self.pipeline, self.sinks, self.sources, rings, self._delivered
        )
        recorders = [sink.recorder for sink in self.sinks if sink.recorder is not None]
        self._shared = SharedByVenue(self.pipeline, recorders[0] if recorders else None)
        if not replays:
            self.sources += [
                self._shared.live_source(source, self._state.next_conn)
                for source in self.pipeline.sources
            ]
        self.holds = Holds(self.sources, coordinator)
        self.housekeeping = Housekeeping(
            self.pipeline,
            self.sources,
            self.sinks,
            coordinator,
            committed=self._committed,
            state=self._state,
            no_disk_emergency_s=feed.no_disk_emergency_s,
        )

    async def open(self) -> None:
        """Open the sinks; what cannot be opened is an error before any connection is made.

        Raises
        ------
        TickwireError
            A sink, or where its rows wait, cannot be opened.
        """
        try:
            if self._rings is not None and not any("trades" in sink.tables for sink in self.sinks):
                await in_thread(partial(self._delivered.note_rings, self._rings))
            self._spills = await open_sinks(
                self.plan.config.feed,
                self.sinks,
                self._rings,
                self._first,
                await in_thread(self._live_numbers),
                waits=self._replays,
            )
            await in_thread(self._adopt)
            await self._leave_out()
            if not self._replays:
                await in_thread(partial(self._committed.find_cuts, self._spills))
                await self._delivered.read(self.sinks, self._spills)
        except BaseException as error:
            if isinstance(error, SinkAheadError):
                await in_thread(self._adopt)
            self._state.close()
            raise

    def _live_numbers(self) -> tuple[str, dict[str, int]]:
        """Give a replay the id of the feed when it runs live, and numbers that it has not used."""
        if self._live_state is None:
            return "", {}
        return read_numbers(Path(self._live_state), self.plan.config.feed.name)

    async def _leave_out(self) -> None:
        """Leave out the sinks that have all of what is replayed."""
        for sink in [each for each in self.sinks if each.has_replay]:
            self.sinks.remove(sink)
            self._spills.pop(sink.name).close()
            await in_thread(partial(sink.stop, drain=False))
            self._coordinator.arrive(f"sink {sink.name}")
            _log.info(
                "the output has all of this capture: nothing is added (--again writes it anew)",
                sink=sink.name,
                path=str(sink.settings.target),
            )

    def _adopt(self) -> None:
        self._state.adopt(sink.adopted for sink in self.sinks)

    def start(self, *, connects: bool = True) -> None:
        """Let the sinks write and the sessions connect; where not `connects`, the sinks alone."""
        n_dropped = LOG_WRITER.n_dropped
        self.pipeline.metrics.watch("log_lines_dropped", lambda: LOG_WRITER.n_dropped - n_dropped)
        handler = callback_errors()
        if handler is not None:
            self.pipeline.metrics.watch("callback_errors", lambda: handler.n_errors)
            handler.failures = self.failures
        self._state.in_background = True
        state = self._state
        self.pipeline.metrics.watch("state_write_failures", lambda: state.n_failures)
        report_taken_over(
            self.sinks, self._spills, self._rings, self.pipeline.ledger, self.pipeline.metrics
        )
        if not self._replays:
            report_added(self.sinks, self._spills, self._first, self.pipeline.ledger)
        for sink in self.sinks:
            sink.start(self._sources_of(sink), self._spills[sink.name])
            sink.when_open(partial(self._coordinator.arrive, f"sink {sink.name}"))
        self._committed.start()
        if self.pipeline.kept_books is not None:
            self.pipeline.kept_books.start()
        for source in self.sources if connects else ():
            source.start(self.tasks)
        self._housekeepers.append(self.tasks.spawn(HOUSEKEEPING, self.housekeeping.run))
        if self.sources and connects:
            warn_unverified(self.plan.sources)
            self._list_instruments()
            check = self.tasks.spawn("symbols", self._check_symbols)
            self.housekeeping.is_checked = check.done
            self._housekeepers.append(check)

    def _sources_of(self, sink: Sink) -> Mapping[str, BatchSource]:
        consumers = self.pipeline.consumers(sink.name, tuple(sink.tables))
        if self._rings is None:
            return consumers
        sums = self._rings.sums
        return {name: SummedConsumer(each, sums[name]) for name, each in consumers.items()}

    async def stop(self, consumers: Iterable[RowQueue], flush_s: float | None = None) -> None:
        """Stop reading, drain the rings, commit the sinks.

        Parameters
        ----------
        consumers
            Those of programs: they can still take what is there.
        flush_s
            How long sinks may take; None: as long as they make progress.
        """
        # Whatever fails on the way: the sinks must commit what the rings hold.
        if not self.tasks.is_running:  # the start was cancelled
            await self.tasks.start()
        await self._stop_all({source.name: source.stop for source in self.sources}, INTAKE_S)
        self.usage.stop()
        await cancel_all(self._housekeepers)
        await self._stop_all(self._shared.closers, SERVERS_S)
        self.pipeline.lag.look()
        self.housekeeping.undecoded.look()
        if self.pipeline.kept_books is not None:
            await self.pipeline.kept_books.end()
        await self._flush_ledger()
        for consumer in consumers:
            consumer.shutdown()
        # What a sink in trouble has not got is a gap, which the others can still take.
        for sinks in ([each for each in self.sinks if each.trouble], self.sinks):
            await self._stop_all(
                {f"sink {sink.name}": partial(in_thread, sink.stop) for sink in sinks}, flush_s
            )
            self._committed.declare_losses(sinks)
            await self._flush_ledger(is_last=sinks is self.sinks)
        await self._committed.close()
        self._state.use(self.pipeline.next_numbers())
        if self._rings is not None and not any(sink.is_waited_for for sink in self.sinks):
            await asyncio.to_thread(self._rings.files.remove)
        await asyncio.to_thread(self._state.close)

    def abort(self) -> None:
        """Leave as little undone as can be helped within `ABORT_S`: the process ends at once.

        What is not read any more is a gap (`shutdown`) that the next run ends; sinks commit what
        they can, and the rest is spilled, or missing since its stream's last committed row. Done
        once: a second call waits for the first one.
        """
        with self._abort_lock:
            if not self._is_aborted:
                self._is_aborted = True
                self._abort()

    def _abort(self) -> None:
        for source in self.sources:
            source.abort()
        self.pipeline.lag.look()
        self.pipeline.ledger.housekeeping()
        until_s = time.monotonic() + ABORT_S
        for sink in self.sinks:
            sink.request_stop()
        for sink in self.sinks:
            sink.abort(until_s)
        self._committed.abandon()
        self._state.use(self.pipeline.next_numbers())

    async def _stop_all(
        self,
        stops: Mapping[str, Callable[[], Awaitable[None]]],
        deadline_s: float | None = None,
    ) -> None:
        """Stop several parts at once; one that fails or hangs keeps no other from its end."""
        tasks = [self.tasks.spawn(f"{STOP}{name}", stop) for name, stop in stops.items()]
        late = (await asyncio.wait(tasks, timeout=deadline_s))[1] if tasks else ()
        for task in tasks:
            if task in late:
                self._unfinished.append(task.name[len(STOP) :])
                self.pipeline.metrics.counter("unfinished_stops").add()
                _log.error("not stopped in time", part=task.name[len(STOP) :], seconds=deadline_s)
                task.cancel()

    def uncommitted(self) -> dict[str, dict[str, int]]:
        """Give the rows that each sink has not got, by table, where there are any."""
        return {sink.name: sink.rows_left for sink in self.sinks if sink.rows_left}

    def refusals(self) -> list[str]:
        """Give the subscriptions that cannot be had now, and why."""
        return refusals_of(self.sources)

    def quiet(self) -> dict[str, list[str]]:
        """Give what has brought nothing: sources that never connected, silent and stale streams."""
        return {
            "never_connected": [
                ": ".join(filter(None, (source.plan.venue.name, source.connect_failure)))
                for source in self.sources
                if not source.has_connected
            ],
            "silent_streams": [name for source in self.sources for name in source.silent_streams],
            "stale_streams": [name for source in self.sources for name in source.stale_streams],
        }

    def is_settled(self) -> bool:
        """Whether every source is subscribed, or given up, and none waits for room in a ring."""
        return all(source.is_settled for source in self.sources) and not is_paused(self.sources)

    @property
    def has_hung(self) -> bool:
        """Whether the stop has left a thread behind that does not return."""
        return any(sink.is_hung for sink in self.sinks)

    def failure(self) -> TickwireError | None:
        """Give what made the whole run fail, after its stop."""
        failed = [str(sink.failed) for sink in self.sinks if sink.failed is not None]
        if failed:
            return SinkError("; ".join(failed))
        if self._unfinished:
            return TickwireError(f"not stopped in time: {', '.join(self._unfinished)}")
        if self.sources and not any(source.has_connected for source in self.sources):
            whys = {source.connect_failure: None for source in self.sources}
            words = ("no source ever connected", "; ".join(filter(None, whys)))
            return TickwireError(": ".join(filter(None, words)))
        return None

    def _make_sinks(self) -> None:
        feed = self.plan.config.feed
        venues = [source.venue.name for source in self.plan.sources]
        for plan in self.plan.sinks:
            settings = plan.settings.model_copy(update={"tables": plan.tables})
            sink: Sink = settings.make_sink(feed.name, metrics=self.pipeline.metrics)
            sink.failures = self.failures
            sink.identity = self._state.identity(adopts=self._adopts)
            sink.replayed = self._replayed
            sink.sources = [described(source.settings) for source in self.plan.sources]
            sink.connections = [described_connections(source) for source in self.plan.sources]
            sink.prepare([self.plan.tables[table] for table in plan.tables], venues)
            self.sinks.append(sink)

    def _list_instruments(self) -> None:
        """Keep the table of instruments, where a source has asked for it."""
        ring = self.pipeline.rings.get(LISTED)
        if ring is None:
            return
        listings = Listings(
            self.plan.sources, ring, self._shared.rest_of, self._coordinator.in_thread
        )
        self._housekeepers.append(self.tasks.spawn("instruments", listings.run))

    async def _check_symbols(self) -> None:
        try:
            await check_symbols(
                self.plan.sources, self._shared.rest_of, self._coordinator.in_thread
            )
        except TickwireError as error:
            self.failures.report(error, Context.FEED, "symbols are wrong")

    async def _flush_ledger(self, *, is_last: bool = False) -> None:
        ledger = self.pipeline.ledger
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_ROWS_S):
                await until_room(ledger, ledger.offer)
        if is_last:
            ledger.end()


def _is_vital(task: ManagedTask[Any]) -> bool:
    """Whether the feed cannot go on without a task; a program's own ends alone."""
    return task.name == HOUSEKEEPING or task.name.startswith(STOP)


def parts_of(plan: FeedPlan, *, replays: bool) -> list[str]:
    """Give what a feed is ready with: its sources, of which a replay has none, and its sinks."""
    parts = [f"sink {sink.settings.name}" for sink in plan.sinks]
    if not replays:
        parts += [f"source {n} {source.venue.name}" for n, source in enumerate(plan.sources)]
    return parts
