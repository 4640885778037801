"""Poorer channels: what a venue gives instead of a channel that it does not give.

Rules of this file
------------------
- A venue declares them (`Channel.poorer`). One is taken for a symbol where its channel has been
  refused for `FAILING_S`, or is silent though it was asked for again, reconnected and had from
  every endpoint, or never had a row (`Staleness.has_given_up`). It is left once the channel has
  been well for a while, longer each time (`supervise.degradation.Hysteresis`).
- It has a session of its own, which runs while a symbol needs it: a channel and its poorer one may
  not share a connection, and rows of the one must not hide what the other lacks.
- Its rows say so in `channel`, and end no gap: what the channel itself would have brought is
  missing, however much of it the poorer one shows. So gaps and liveness know nothing of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tickwire.clock import Clock
from tickwire.feed.plan.plans import ConnectionPlan, SourcePlan
from tickwire.feed.streams.legs import LegGroup
from tickwire.feed.streams.session_events import SessionEvents
from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.session import Session
from tickwire.supervise.degradation import Hysteresis
from tickwire.venues import Subscription

FAILING_S = 5.0
FIRST_CALM_S = 60.0
CHANNEL = "channel"  # the step's name
MOST_NAMED = 5

_log = get_logger("tickwire.feed")


@dataclass(slots=True)
class _Stream:
    """A symbol of a channel that has a poorer one.

    Parameters
    ----------
    channel, poorer, symbol
        Their names.
    subscriptions
        Of the channel.
    keys
        Of the poorer one, and the session that has them.
    session
        Asks for them.
    hysteresis
        Says how long the channel must be well.
    is_taken
        Whether the poorer one is had.
    changed_s
        Since when the channel is not as that would have it; None: it is.
    """

    channel: str
    poorer: str
    symbol: str
    subscriptions: list[Subscription]
    keys: list[str]
    session: Session
    hysteresis: Hysteresis
    is_taken: bool = False
    changed_s: float | None = None


class PoorerEvents(SessionEvents):
    """What the sessions of poorer channels write down: not what is not asked for."""

    def left_out(self, session: Session, subscription: Subscription, text: str) -> None:
        """Say nothing: `PoorerChannels` does."""


class PoorerChannels:
    """The poorer channels of one source.

    Parameters
    ----------
    plan
        The source's.
    groups
        Its legs.
    metrics
        Its own.
    note
        Writes a row of sessions: event and detail.
    make_session
        Gives the session of a connection; it does not run yet.
    clock
        Monotonic, seconds.
    """

    def __init__(
        self,
        plan: SourcePlan,
        groups: Sequence[LegGroup],
        metrics: Metrics,
        note: Callable[[str, str], None],
        make_session: Callable[[ConnectionPlan], Session],
        *,
        clock: Clock = time.monotonic,
    ) -> None:
        self._venue = plan.venue.name
        self._groups = groups
        self._metrics = metrics
        self._note = note
        self._clock = clock
        self.sessions: list[Session] = []
        self._streams: list[_Stream] = []
        for connection in plan.poorer:
            session = make_session(connection)
            session.is_spare = True
            session.leave_out([each.key for each in connection.subscriptions], "")
            self.sessions.append(session)
            self._streams += self._streams_of(plan, connection, session)
        if self._streams:
            metrics.watch("degraded", lambda: len(self._taken), step=CHANNEL)

    def _streams_of(
        self, plan: SourcePlan, connection: ConnectionPlan, session: Session
    ) -> list[_Stream]:
        keys: dict[tuple[str, str], list[str]] = {}
        for each in connection.subscriptions:
            keys.setdefault((each.channel, each.symbol), []).append(each.key)
        rich: dict[tuple[str, str], list[Subscription]] = {}
        for one in plan.connections:
            for each in one.subscriptions:
                rich.setdefault((each.channel, each.symbol), []).append(each)
        return [
            _Stream(
                channel, poorer, symbol, subscriptions, keys[poorer, symbol], session,
                Hysteresis(FIRST_CALM_S, clock=self._clock),
            )
            for (channel, symbol), subscriptions in rich.items()
            if (poorer := plan.poorer_of(channel)) and (poorer, symbol) in keys
        ]  # fmt: skip

    @property
    def _taken(self) -> list[_Stream]:
        return [each for each in self._streams if each.is_taken]

    @property
    def reasons(self) -> list[str]:
        """What is had by a poorer channel now, for health."""
        symbols: dict[tuple[str, str], list[str]] = {}
        for each in self._taken:
            symbols.setdefault((each.channel, each.poorer), []).append(each.symbol)
        return [
            f"{poorer} instead of {channel}: {_some(names)}"
            for (channel, poorer), names in symbols.items()
        ]

    def look(self, run: Callable[[Session], bool]) -> None:
        """Take and leave what is due; once a second.

        Parameters
        ----------
        run
            Lets a session run; False where it cannot yet, because it still stops.
        """
        now_s = self._clock()
        refused = {
            (each.channel, each.symbol)
            for group in self._groups
            for each, _ in group.legs[0].session.refusals
            if all(
                each.key in {one.key for one, _ in leg.session.refusals} for leg in group.legs
            )
        } if self._streams else set()  # fmt: skip
        for stream in self._streams:
            why = self._failure(stream, refused)
            if bool(why) == stream.is_taken:
                stream.changed_s = None
                continue
            if stream.changed_s is None:
                stream.changed_s = now_s
            for_s = stream.hysteresis.calm_s if stream.is_taken else FAILING_S
            if now_s - stream.changed_s < for_s:
                continue
            if not stream.is_taken and not self._start(stream.session, run):
                continue
            stream.changed_s = None
            self._change(stream, why)
        for session in self.sessions:
            if not session.is_spare and not any(each.session is session for each in self._taken):
                session.is_spare = True
                session.stop()

    def _failure(self, stream: _Stream, refused: set[tuple[str, str]]) -> str:
        """Say why a channel is not to be had; empty where it is."""
        if (stream.channel, stream.symbol) in refused:
            return "refused"
        keys = [each.key for each in stream.subscriptions]
        if any(group.staleness.has_given_up(key) for group in self._groups for key in keys):
            return "silent"
        return ""

    def _start(self, session: Session, run: Callable[[Session], bool]) -> bool:
        if session.is_spare:
            if not run(session):
                return False
            session.is_spare = False
        return True

    def _change(self, stream: _Stream, why: str) -> None:
        stream.is_taken = bool(why)
        if stream.is_taken:
            stream.hysteresis.taken()
            stream.session.take_in(stream.keys)
        else:
            stream.hysteresis.undone()
            stream.session.leave_out(stream.keys, "")
        event = "degraded" if stream.is_taken else "restored"
        had = stream.poorer if stream.is_taken else stream.channel
        self._metrics.counter("degradations", step=CHANNEL, change=event).add()
        more = f" ({stream.channel} is {why})" if why else ""
        self._note(event, f"{CHANNEL}: {had} {stream.symbol}{more}")
        log = _log.warning if stream.is_taken else _log.info
        log(event, venue=self._venue, step=CHANNEL, now=had, symbol=stream.symbol,
            **({"why": f"{stream.channel} is {why}"} if why else {}))  # fmt: skip


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
