"""Streams of a running source that deliver nothing: found, named, asked for again.

Rules of this file
------------------
- `session.freshness` decides; the rows are found in `ring.Streams`, a few times a second, and not
  per message.
- The observers hear of a silence first, so that its gap starts at the last row, and then acted
  upon.
- While a session is paused, behind, or the loop has just stood still, nothing is judged; nor is a
  book that waits for its snapshot.
- A reconnect hurts the other streams of a connection, so a session has one for this reason in
  `RECONNECT_S` at most, and then later each time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from tickwire.feed.plan.plans import ConnectionPlan, SourcePlan
from tickwire.logs import get_logger
from tickwire.net.awake import AwakeClock
from tickwire.observe import Metrics
from tickwire.redaction import shown_url
from tickwire.ring import Dictionary, Streams
from tickwire.session import Session, SessionObserver
from tickwire.session.freshness import Freshness, Step
from tickwire.supervise import Backoff
from tickwire.venues import Subscription

_log = get_logger("tickwire.feed")

LOOK_NS = 200_000_000  # below the pause of a feed's housekeeping
RECONNECT_S = 60.0
LONGEST_RECONNECT_S = 3600.0
MOST_NAMED = 5  # streams in one line


class Waiting(Protocol):
    """Books that need a snapshot."""

    @property
    def waiting(self) -> list[str]:
        """The symbols of those that wait for it."""


class Watched(Protocol):
    """A session, or all those that ask for the same."""

    @property
    def awake(self) -> AwakeClock | None:
        """The clock of the loop, while a connection is open."""

    @property
    def is_behind(self) -> bool:
        """Whether what came may not all have been read."""

    @property
    def url(self) -> str:
        """An endpoint, for the log."""

    def report(self, text: str) -> None:
        """Report what a person should know."""

    def report_silence(self, subscription: Subscription, text: str) -> None:
        """Report that a subscription has brought nothing for too long."""

    def ask_again(self, subscriptions: Iterable[Subscription]) -> None:
        """Ask again for what was acknowledged and brings nothing."""

    def reconnect(self, why: str, *, next_endpoint: bool = False) -> None:
        """Leave a connection for another one."""


@dataclass(slots=True)
class _Stream:
    """A symbol in a table, of one channel where their rows are known apart, and what feeds it.

    Parameters
    ----------
    table, symbol
        Which; `*`: any symbol.
    part
        The number under which its rows are known.
    subscriptions
        Those that feed it.
    unanswered
        The keys of those that are not acknowledged.
    """

    table: str
    symbol: str
    part: int
    subscriptions: list[Subscription]
    unanswered: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        return f"{self.symbol} ({self.subscriptions[0].channel})"


class Staleness(SessionObserver):
    """Watches the streams of one session, of which it is an observer.

    Parameters
    ----------
    source, plan
        What the session asks for.
    number
        The session's, in `streams`.
    streams
        Of each table of the source.
    symbols
        The feed's dictionary.
    metrics
        Counts alerts.
    part_of
        Gives the number under which the rows of a subscription are known; by default the session's.
    mono_ns
        The monotonic clock.
    """

    def __init__(
        self,
        source: SourcePlan,
        plan: ConnectionPlan,
        number: int,
        streams: Mapping[str, Streams],
        symbols: Dictionary,
        metrics: Metrics,
        *,
        part_of: Callable[[Subscription], int] | None = None,
        mono_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._venue = source.venue.name
        self._rows = streams
        self._metrics = metrics
        self._mono_ns = mono_ns
        self._all = _streams_of(plan, part_of or (lambda _: number))
        self._by_key: dict[str, list[int]] = {}
        for at, stream in enumerate(self._all):
            for each in stream.subscriptions:
                self._by_key.setdefault(each.key, []).append(at)
        self._books: dict[str, list[int]] = {}
        for at, stream in enumerate(self._all):
            if any(source.is_spliced(each) for each in stream.subscriptions):
                self._books.setdefault(stream.symbol, []).append(at)
        # Streams of each table and part, and their symbols' codes.
        self._parts: dict[tuple[str, int], tuple[np.ndarray, np.ndarray]] = {}
        for own in dict.fromkeys((stream.table, stream.part) for stream in self._all):
            members = [at for at, each in enumerate(self._all) if (each.table, each.part) == own]
            names = [self._all[at].symbol for at in members]
            codes = [-1 if name == "*" else symbols.code(name) for name in names]
            self._parts[own] = np.array(members, np.int64), np.array(codes, np.int64)
        settings = source.settings
        self._first_s = settings.first_message_s
        self._freshness = Freshness(
            [
                max(_cadence_s(source, each) for each in stream.subscriptions)
                for stream in self._all
            ],
            floor_s=settings.stale_after_s,
            first_s=settings.first_message_s,
            n_endpoints=len(plan.urls),
            may_be_silent=[
                all(source.is_of_users(each) for each in stream.subscriptions)
                for stream in self._all
            ],
        )
        self._expects_rows = not all(source.is_of_users(each) for each in plan.subscriptions)
        self._looked_ns = 0
        self._n_stalls = 0
        self._reconnects = Backoff(RECONNECT_S, LONGEST_RECONNECT_S, at_once=0, jitter=0)
        self._next_reconnect_ns = 0
        self._all_since_ns = 0  # since when all are acknowledged, while none ever had a row
        metrics.watch("silent_streams", lambda: len(self._freshness.silent))
        metrics.watch("stale_streams", lambda: len(self._freshness.stale))

    # What the session tells.

    def connected(self, session: Session, conn: int) -> None:
        """Expect nothing before it is acknowledged."""
        self._all_since_ns = 0  # what another connection did not bring says nothing of this one
        for at, stream in enumerate(self._all):
            stream.unanswered = {each.key for each in stream.subscriptions}
            self._freshness.ended(at)

    def disconnected(self, session: Session, conn: int, reason: str, detail: str) -> None:
        """Expect nothing of a connection that has ended."""
        for at in range(len(self._all)):
            self._freshness.ended(at)

    def acknowledged(self, session: Session, subscription: Subscription) -> None:
        """Expect rows of what is acknowledged."""
        for at in self._by_key.get(subscription.key, ()):
            self._all[at].unanswered.discard(subscription.key)
            if not self._all[at].unanswered:
                self._freshness.acknowledged(at, self._mono_ns())

    def refused(self, session: Session, subscription: Subscription, text: str, retry: bool) -> None:
        """Expect nothing of what is refused."""
        for at in self._by_key.get(subscription.key, ()):
            self._all[at].unanswered.add(subscription.key)
            self._freshness.ended(at)

    def left_out(self, session: Session, subscription: Subscription, text: str) -> None:
        """Expect nothing of what is left out, until it is acknowledged again."""
        self.refused(session, subscription, text, retry=False)

    # What the feed asks.

    @property
    def silent_streams(self) -> list[str]:
        """The streams that never had a row, though they were acknowledged long ago."""
        return [str(self._all[at]) for at in self._freshness.silent]

    @property
    def stale_streams(self) -> list[str]:
        """The streams that have been silent for too long."""
        return [str(self._all[at]) for at in self._freshness.stale]

    @property
    def due_ns(self) -> int:
        """When a silence may have consequences next, if no row comes; monotonic."""
        return self._freshness.due_ns

    def has_given_up(self, key: str) -> bool:
        """Whether everything has been tried against the silence of what a subscription feeds.

        What was named for want of a first row is given up too: only its connection is replaced.
        """
        silent = self._freshness.silent
        numbers = self._by_key.get(key, ())
        return any(at in silent or self._freshness.has_given_up(at) for at in numbers)

    def delivers(self, subscription: Subscription, conn: int) -> bool:
        """Whether a subscription has had rows on a connection."""
        for at in self._by_key.get(subscription.key, ()):
            stream = self._all[at]
            members, codes = self._parts[stream.table, stream.part]
            states = self._rows[stream.table].states(stream.part)
            code = int(codes[members.tolist().index(at)])
            if code < 0 and len(states):
                return bool((states["conn"][states["n_rows"] > 0] == conn).any())
            if 0 <= code < len(states) and states["n_rows"][code]:
                return bool(states["conn"][code] == conn)
        return False

    def look(self, session: Watched, books: Waiting | None = None) -> None:
        """Find silences and act upon them; called often, it looks a few times a second.

        Parameters
        ----------
        session
            The session.
        books
            The source's, where some need a snapshot: meanwhile they have no rows.
        """
        now_ns = self._mono_ns()
        awake = session.awake
        if now_ns - self._looked_ns < LOOK_NS or awake is None:
            return
        self._looked_ns = now_ns
        if session.is_behind or awake.grace_s() > 0 or awake.n_stalls != self._n_stalls:
            self._n_stalls = awake.n_stalls
            self._freshness.hold(now_ns)
            return
        for symbol in () if books is None else books.waiting:
            for at in self._books.get(symbol, ()):
                self._freshness.wait(at, now_ns)
        last_ns = np.zeros(len(self._all), np.int64)
        for (table, part), (members, codes) in self._parts.items():
            last_ns[members] = self._rows[table].last_rows(part, codes)
        steps = self._freshness.look(now_ns, last_ns)
        by_step: dict[Step, list[int]] = {}
        for at, step in steps:
            by_step.setdefault(step, []).append(at)
        for step, found in by_step.items():
            self._take(session, step, found, now_ns)
        if self._expects_rows and not last_ns.any():
            self._look_at_all(session, now_ns)

    def _take(self, session: Watched, step: Step, members: list[int], now_ns: int) -> None:
        streams = [self._all[at] for at in members]
        names = some(streams)
        log = _log.bind(venue=self._venue, url=shown_url(session.url), streams=names)
        if step is Step.RECOVERED:
            log.info("streams deliver again")
            return
        if step is Step.NAME:
            session.report(f"no message for {names} in {self._first_s:g} s")
            return
        silences_s = [round(self._freshness.silence_s(at, now_ns), 1) for at in members]
        for stream, silent_s in zip(streams, silences_s, strict=True):
            for subscription in stream.subscriptions:
                session.report_silence(subscription, f"silent for {silent_s:g} s, {step.value}")
        if step is Step.DOUBT:
            log.warning("nothing since it was acknowledged", silent_s=max(silences_s))
            return
        if step is Step.ALERT:
            self._metrics.counter("stale_alerts").add(len(streams))
            log.error("streams stay silent", silent_s=max(silences_s))
            return
        log.warning("streams are silent", silent_s=max(silences_s), step=step.value)
        if step is Step.RESUBSCRIBE:
            for at, stream in zip(members, streams, strict=True):
                self._freshness.ended(at)
                stream.unanswered = {each.key for each in stream.subscriptions}
            session.ask_again(each for stream in streams for each in stream.subscriptions)
        else:
            self._reconnect(session, f"{names} silent for {max(silences_s):g} s", step, now_ns)

    def _look_at_all(self, session: Watched, now_ns: int) -> None:
        """Leave a connection of which nothing has ever come, though all was acknowledged."""
        if any(stream.unanswered for stream in self._all):
            self._all_since_ns = 0
        elif not self._all_since_ns:
            self._all_since_ns = now_ns
        elif now_ns - self._all_since_ns >= self._first_s * 1e9:
            text = f"no message of any subscription in {self._first_s:g} s"
            self._reconnect(session, text, Step.NEXT_ENDPOINT, now_ns)

    def _reconnect(self, session: Watched, why: str, step: Step, now_ns: int) -> None:
        if now_ns < self._next_reconnect_ns:
            return  # it goes on to the alert
        if now_ns - self._next_reconnect_ns > LONGEST_RECONNECT_S * 1e9:
            self._reconnects.reset()
        self._next_reconnect_ns = now_ns + round(self._reconnects.next_delay_s() * 1e9)
        session.reconnect(why, next_endpoint=step is Step.NEXT_ENDPOINT)


def some(streams: Sequence[object]) -> str:
    """Name some streams."""
    named = ", ".join(map(str, streams[:MOST_NAMED]))
    more = len(streams) - MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named


def _streams_of(plan: ConnectionPlan, part_of: Callable[[Subscription], int]) -> list[_Stream]:
    found: dict[tuple[str, str, int], _Stream] = {}
    for each in plan.subscriptions:
        name = (each.table, each.symbol, part_of(each))
        stream = found.setdefault(name, _Stream(*name, []))
        stream.subscriptions.append(each)
        stream.unanswered.add(each.key)
    return list(found.values())


def _cadence_s(source: SourcePlan, subscription: Subscription) -> float:
    channel = source.venue.channel(subscription.channel)
    return channel.cadence_s if channel is not None else 0.0
