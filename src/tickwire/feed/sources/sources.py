"""One source of a running feed: its sessions, their changes and their gaps.

Rules of this file
------------------
- Everything runs in the loop's thread. Nothing is called per message.
- Gaps are not decided here: `legs.LegGroup` tells the ledger what holds for all sessions that bring
  the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from functools import partial

from tickwire.capture import Recorder
from tickwire.feed.books.books import Books, fetch_books
from tickwire.feed.books.followed import FollowedBooks, repair_books
from tickwire.feed.pipeline import SourcePipeline
from tickwire.feed.plan.addresses import address_by
from tickwire.feed.plan.unencrypted import warn_unencrypted
from tickwire.feed.sources.degrading import SourceDegradation
from tickwire.feed.sources.poorer import PoorerChannels, PoorerEvents
from tickwire.feed.sources.recording import SourceRecorder
from tickwire.feed.sources.source_sessions import SourceSessions
from tickwire.feed.streams.changes import Changes
from tickwire.feed.streams.growing_counts import GrowingCounts
from tickwire.feed.streams.legs import Leg, LegGroup
from tickwire.feed.streams.room import until_room
from tickwire.feed.streams.session_events import SessionEvents
from tickwire.ledger import Ledger
from tickwire.session import Session, SessionSettings, SourceRest, WindowLimiter
from tickwire.supervise import Breakers, ManagedTask, Restart, TaskManager, cancel_all

# A source of which nothing comes is looked at so seldom; not all of many at the same time.
QUIET_NS, APART_NS, N_APART = 900_000_000, 250_000_000, 4
GROUPS_A_TURN = 16  # of the loop: however many connections there are, no turn takes long
RELEASE_S = 1.0  # how long a stop waits for room for what is held


class LiveSource:
    """A source and its connections.

    Parameters
    ----------
    pipeline
        Its decoder and books.
    ledger
        Where gaps and sessions are written down.
    next_conn
        Gives the number of the next connection of the feed.
    connects
        The pace of connects, shared by all sources of the venue.
    requests
        The limit of what all connections of the venue send, shared likewise.
    breakers
        Of endpoints, shared by all sources.
    rest
        Fetches snapshots, shared by all sources of the venue.
    backfill_rest
        Fetches missed trades, where they are to be had.
    recorder
        Records what comes; None: nothing does.
    """

    def __init__(
        self,
        pipeline: SourcePipeline,
        ledger: Ledger,
        next_conn: Callable[[], int],
        connects: WindowLimiter,
        requests: WindowLimiter,
        breakers: Breakers,
        rest: SourceRest,
        backfill_rest: SourceRest | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.plan = pipeline.plan
        self.name = f"{pipeline.metrics.labels['source']} {self.plan.venue.name}"
        self.decoder = pipeline.decoder
        self.books = pipeline.books
        self.gaps = pipeline.gaps
        self._backfiller = pipeline.backfiller
        self._backfill_rest = backfill_rest
        self._staleness = pipeline.staleness
        self._metrics = pipeline.metrics
        self._failures = pipeline.failures
        self._drift = pipeline.drift
        self._events = SessionEvents(self.plan.venue.name, ledger)
        self._tasks: dict[Session, ManagedTask[None]] = {}
        self._task_manager: TaskManager | None = None
        source_recorder = None
        if recorder is not None:
            number = int(pipeline.metrics.labels["source"])
            source_recorder = SourceRecorder(recorder, number, self.plan.venue.name, self._leg_of)
            if isinstance(self.books, Books):
                self.books.on_answer = source_recorder.snapshot
            if self._backfiller is not None:
                self._backfiller.on_answer = source_recorder.backfill
        settings = SessionSettings(
            self.plan.settings,
            connects=connects,
            requests=requests,
            breakers=breakers,
            failures=self._failures,
            # A histogram is 37 KB, and most sources never rest.
            rests=self._metrics.histogram("rest_to_read_seconds")
            if self.plan.settings.coalesce_us
            else None,
            address=address_by(self.plan, rest),
            recorder=source_recorder,
        )
        poorer_events = PoorerEvents(self.plan.venue.name, ledger)
        make = SourceSessions(
            pipeline, settings, next_conn, self._events, poorer_events, source_recorder
        )
        self._next_conn = next_conn
        self._quiet_ns = QUIET_NS + int(pipeline.metrics.labels["source"]) % N_APART * APART_NS
        self._look_due_ns = 0  # if nothing comes; monotonic
        self._n_looked = 0  # messages
        self._rest = rest
        self._counts = GrowingCounts(self.plan.venue.name)
        self._fetchers: list[ManagedTask[None]] = []
        self.groups = [
            make.group(number, plan, self._share_books, self._on_closing)
            for number, plan in enumerate(self.plan.connections)
        ]
        self.sessions = [session for group in self.groups for session in group.sessions]
        self.changes = [
            Changes(group, self._run, self._tasks, self.plan.venue.limits.max_age_s, self._metrics)
            for group in self.groups
        ]
        self.degradation = SourceDegradation(
            self.plan,
            self._metrics,
            self._events.note,
            self._go_back,
        )
        self.poorer = PoorerChannels(
            self.plan, self.groups, self._metrics, self._events.note, make.poorer
        )

    # Life.

    def start(self, tasks: TaskManager) -> None:
        """Let the sessions connect; each fails and starts again by itself.

        Parameters
        ----------
        tasks
            The feed's.
        """
        urls = [session.url for session in self.sessions]
        if isinstance(self.books, Books) or self.plan.backfills:
            urls.append(self.plan.rest_url)
        warn_unencrypted(self.plan, urls)
        self._task_manager = tasks
        for group in self.groups:
            for leg in group.legs:
                self._run(leg.session)
        if isinstance(self.books, FollowedBooks):
            follow = partial(repair_books, self.books, self.groups, self.changes)
        elif self.books is not None:
            follow = partial(fetch_books, self.books, self._rest, self.plan.rest_url)
        if self.books is not None:
            self._fetchers.append(
                tasks.spawn(f"books {self.name}", follow, restart=Restart.ON_FAILURE)
            )
        if self._backfiller is not None and self._backfill_rest is not None:
            backfill = partial(self._backfiller.run, self._backfill_rest, self._next_conn)
            self._fetchers.append(
                tasks.spawn(f"backfill {self.name}", backfill, restart=Restart.ON_FAILURE)
            )

    def _run_poorer(self, session: Session) -> bool:
        task = self._tasks.get(session)
        if self._task_manager is None or (task is not None and not task.done()):
            return False
        session.renew()
        self._run(session)
        return True

    def _run(self, session: Session) -> None:
        if self._task_manager is not None:
            every = [*self.sessions, *self.poorer.sessions]
            name = f"session {self.name}.{every.index(session)}"
            self._tasks[session] = self._task_manager.spawn(
                name, session.run, restart=Restart.ON_FAILURE
            )

    async def stop(self) -> None:
        """Close the connections; afterwards nothing is decoded any more."""
        self._task_manager = None  # nothing is begun any more
        for changes in self.changes:
            changes.stop()
        for session in (*self.sessions, *self.poorer.sessions):
            session.stop()
            task = self._tasks.get(session)
            if task is not None and task.is_waiting:  # for a restart that will not come
                task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values())
        await cancel_all(self._fetchers)
        await self._release_held()
        self.housekeeping()
        self.seldom()
        if self.books is not None:
            self.books.end()
        self.gaps.end()

    def abort(self) -> None:
        """Open the gaps of what is not read any more: the process ends at once."""
        for number, session in enumerate(self.sessions):
            connection = session.connection
            behind_ns = None
            if connection is not None and connection.is_behind:
                behind_ns = connection.behind_since_ns
            self.gaps.aborted(number, behind_since_ns=behind_ns)

    async def _release_held(self) -> None:
        """Let in the deltas that wait for room, while sinks and programs still make some."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RELEASE_S):
                await until_room(self.decoder, self.decoder.release_held)
                return
        held_bytes = 0 if self.books is None else self.books.held_bytes
        self._events.note(
            "not_released", f"{held_bytes} bytes of book changes did not fit", log=True
        )

    def pause(self) -> None:
        """Close the connections, and make no other until `resume`; in the loop's thread."""
        if not self.is_on_hold:
            self._events.note("paused", "asked for", log=True)
        for session in (*self.sessions, *self.poorer.sessions):
            session.pause()

    def resume(self) -> None:
        """Connect again; in the loop's thread."""
        if self.is_on_hold:
            self._events.note("resumed", "asked for", log=True)
        for session in (*self.sessions, *self.poorer.sessions):
            session.resume()

    def housekeeping(self) -> None:
        """Let in what waits for room, end gaps whose data flows again; a few times a second."""
        self._n_looked = self.decoder.messages
        self._events.has_news = False
        self.decoder.release_held()
        self._hold_gaps()
        self.gaps.look()

    def is_due(self, now_ns: int) -> bool:
        """Whether a look may find something; now and then where nothing has come or happened."""
        return (
            now_ns >= self._look_due_ns
            or self.decoder.messages != self._n_looked
            or self._events.has_news
            or self.gaps.has_open
        )

    def _look_soon(self) -> None:
        self._look_due_ns = 0

    def _note_looked(self, now_ns: int) -> None:
        """Note how long a look can be spared if nothing comes."""
        books = self.books
        is_busy = (
            any(changes.is_busy for changes in self.changes)
            or any(group.is_behind for group in self.groups)
            or (books is not None and bool(books.held_bytes or books.waiting))
        )
        due_ns = min((each.due_ns for each in self._staleness), default=now_ns)
        self._look_due_ns = 0 if is_busy else min(now_ns + self._quiet_ns, due_ns)

    async def look_at_groups(self, now_ns: int) -> None:
        """Find streams that are silent, and connections to replace; a few at a time."""
        pairs = zip(self.groups, self.changes, strict=True)
        for number, (group, changes) in enumerate(pairs, 1):
            group.look()
            changes.look()
            if number % GROUPS_A_TURN == 0:
                await asyncio.sleep(0)  # what has come meanwhile is read first
        self._note_looked(now_ns)

    def _depth(self) -> float:
        """Give how full the fullest of its rings is."""
        figures = self._metrics.registry.figures("ring_depth")
        tables = self.plan.tables
        return max((depth for (_, table), depth in figures if table in tables), default=0.0)

    def _go_back(self, leg: Leg, why: str) -> None:
        """Have a leg's connection replaced by one to its first endpoint."""
        for group, changes in zip(self.groups, self.changes, strict=True):
            if leg in group.legs:
                changes.ask(leg, why, to_first=True)
                self._look_soon()

    def refresh(self) -> list[asyncio.Future[bool]]:
        """Have every connection replaced, each before it closes."""
        self._look_soon()
        return [
            changes.ask(leg, "a refresh was asked for")
            for group, changes in zip(self.groups, self.changes, strict=True)
            for leg in group.legs
        ]

    def seldom(self) -> None:
        """Degrade or go back, log unreadable values and trades of one id that differ."""
        if self._task_manager is not None:
            legs = [leg for group in self.groups for leg in group.legs]
            self.degradation.look(self._depth, legs, self._task_manager, is_paused=self.is_paused)
            self.poorer.look(self._run_poorer)
        self._look_at_cadence()
        self._counts.look("unreadable_values", self.decoder.unreadable_values)
        self._counts.look("conflicting_trades", self.decoder.conflicting_trades)

    def _look_at_cadence(self) -> None:
        """See whether messages come at another pace, though the same is asked for."""
        if self._drift is not None:
            subscribed = tuple(group.n_subscribed for group in self.groups)
            asked = (subscribed, tuple(self.refusals), self.degradation.n_taken)
            counts = self.decoder.messages_by_kind()
            self._drift.look_at_cadence(counts, time.monotonic(), asked)

    def _hold_gaps(self) -> None:
        """Let no silence be a gap while reading is paused, or the loop has just stood still."""
        clocks = (group.awake for group in self.groups)
        awake = next((clock for clock in clocks if clock is not None), None)  # the loop's
        is_late = awake is not None and awake.grace_s() > 0
        for number, group in enumerate(self.groups):
            if is_late or group.is_behind:
                self.gaps.hold(number)

    # What the feed asks.

    @property
    def has_connected(self) -> bool:
        """Whether any of its sessions was ever open."""
        return any(session.n_connects for session in self.sessions)

    @property
    def connect_failure(self) -> str:
        """Why a session of it could not connect; empty where none failed."""
        return next(filter(None, (session.connect_failure for session in self.sessions)), "")

    @property
    def is_on_hold(self) -> bool:
        """Whether it is paused by `pause`."""
        return any(session.is_on_hold for session in self.sessions)

    @property
    def is_settled(self) -> bool:
        """Whether a leg of each group has been subscribed once, brings data, or has ended."""
        return all(
            any(
                session in self._events.settled
                or (session in self._tasks and self._tasks[session].done())
                or (session.handler is not None and session.handler.last_message_ns > 0)
                for session in group.sessions
            )
            for group in self.groups
        )

    @property
    def refusals(self) -> list[str]:
        """The subscriptions that cannot be had now, and why."""
        texts = [
            f"{subscription.channel} {subscription.symbol}: {text}"
            for group in self.groups
            for leg in group.legs
            for subscription, text in leg.session.refusals
        ]
        return list(dict.fromkeys(texts))

    @property
    def silent_streams(self) -> list[str]:
        """The streams that never had a row, though they were acknowledged long ago."""
        return [name for each in self._staleness for name in each.silent_streams]

    @property
    def stale_streams(self) -> list[str]:
        """The streams that have been silent for too long."""
        return [name for each in self._staleness for name in each.stale_streams]

    @property
    def is_refused(self) -> bool:
        """Whether the venue wants nothing of what it is asked for, and never wanted any."""
        legs = (leg.session for group in self.groups for leg in group.legs)
        return all(session.is_refused for session in (*legs, *self.poorer.sessions))

    @property
    def has_ended(self) -> bool:
        """Whether none of its sessions goes on."""
        return bool(self._tasks) and all(task.done() for task in self._tasks.values())

    @property
    def is_paused(self) -> bool:
        """Whether a session waits for room in a ring."""
        is_releasing = self.books is not None and self.books.is_releasing
        return is_releasing or any(session.is_paused for session in self.sessions)

    def _leg_of(self, session: Session) -> tuple[int, int]:
        """Give the number of a session's streams, and its place among those that bring them."""
        return next(
            (number, group.sessions.index(session))
            for number, group in enumerate(self.groups)
            if session in group.sessions
        )

    def _share_books(self) -> None:
        if self.books is not None:
            self.books.share(any(group.is_shared for group in self.groups))

    def _on_closing(self, group: LegGroup, session: Session, text: str) -> None:
        leg = group.leg_of(session)
        if leg.session is session:
            self.changes[self.groups.index(group)].ask(leg, text)
            self._look_soon()
