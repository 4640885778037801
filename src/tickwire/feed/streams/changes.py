"""Planned changes of connections: the new one is there and subscribed before the old one closes.

Rules of this file
------------------
- A connection is replaced when the venue's limit of its age comes near, when the venue says that it
  will end it, when the first endpoint works again, and when a program asks for it. One leg of a
  group changes at a time.
- For `OVERLAP_S` both bring the same, so that what was on its way when the new one was subscribed
  comes by the old one. What the new one cannot have keeps the old one, and so does a new one that
  brings nothing while the old one does: an acknowledgement is no evidence. After `CHANGE_S` the
  change is given up, and tried again later. A change to the first endpoint is given up at once
  where the new one is not there; who asked for it decides when it is tried again.
- All is decided in `look`, a few times a second.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tickwire.clock import Clock
from tickwire.feed.streams.legs import Leg, LegGroup
from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.redaction import shown_url
from tickwire.session import Session
from tickwire.supervise import ManagedTask

_log = get_logger("tickwire.feed")

OVERLAP_S = 1.0
CHANGE_S = 60.0
RETRY_S = 60.0
# A change begins when so much of the venue's limit is left, by chance in between: connections that
# were opened together are not replaced together.
LEAST_LEFT, MOST_LEFT = 0.05, 0.10


@dataclass(slots=True)
class _Change:
    """A change that is asked for, or goes on."""

    leg: Leg
    why: str
    not_before_s: float
    to_first: bool = False
    began_s: float = 0.0
    subscribed_s: float | None = None
    done: list[asyncio.Future[bool]] = field(default_factory=list)


class Changes:
    """Replaces the connections of one group of legs.

    Parameters
    ----------
    group
        The group.
    run
        Lets a session run, as a task.
    tasks
        The latest task of each session.
    max_age_s
        When the venue ends a connection; 0: never.
    metrics
        Counts changes.
    clock
        Monotonic, seconds.
    rng
        Decides when an age is too old.
    """

    def __init__(
        self,
        group: LegGroup,
        run: Callable[[Session], None],
        tasks: Mapping[Session, ManagedTask[None]],
        max_age_s: float,
        metrics: Metrics,
        *,
        clock: Clock = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        self._group = group
        self._run = run
        self._tasks = tasks
        self._max_age_s = max_age_s
        self._metrics = metrics
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - no secret
        self._asked: dict[Leg, _Change] = {}
        self._current: _Change | None = None
        self._ending: tuple[_Change, ManagedTask[None]] | None = None  # the old one closes
        self._due_s: dict[Session, tuple[int, float]] = {}  # connection, and when it is too old

    def ask(self, leg: Leg, why: str, *, to_first: bool = False) -> asyncio.Future[bool]:
        """Have a leg's connection replaced.

        Parameters
        ----------
        leg
            Whose.
        why
            For the log.
        to_first
            Only by one to the leg's first endpoint.

        Returns
        -------
        asyncio.Future
            Done with whether it has been.
        """
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        change = self._asked.get(leg)
        if change is None and self._current is not None and self._current.leg is leg:
            change = self._current
        if change is None:
            change = self._asked[leg] = _Change(leg, why, self._clock(), to_first)
        change.to_first = change.to_first and to_first  # who asks for any is content with any
        change.done.append(done)
        return done

    @property
    def is_busy(self) -> bool:
        """Whether a change is asked for, or goes on."""
        return bool(self._asked) or self._current is not None or self._ending is not None

    def look(self) -> None:
        """Begin, end and give up what is due."""
        now_s = self._clock()
        self._look_at_ages(now_s)
        if self._ending is not None:
            change, task = self._ending
            if not task.done():
                return
            self._finish(change)
        if self._current is not None:
            self._go_on(self._current, now_s)
            return
        for leg, change in list(self._asked.items()):
            if change.not_before_s > now_s or leg.session.connection is None:
                continue
            del self._asked[leg]
            if change.to_first and not leg.session.is_away:  # it has got there by itself
                _answer(change, is_done=True)
            else:
                self._begin(change, now_s)
                return

    def stop(self) -> None:
        """Ask for nothing any more; what goes on is left to who stops the sessions."""
        for change in (*self._asked.values(), self._current, self._ending and self._ending[0]):
            if change is not None:
                _answer(change, is_done=False)
        self._asked.clear()

    def _look_at_ages(self, now_s: float) -> None:
        if not self._max_age_s:
            return
        for leg in self._group.legs:
            session = leg.session
            if session.connection is None:
                continue
            conn, due_s = self._due_s.get(session, (-1, 0.0))
            if conn != session.conn:
                left = self._rng.uniform(LEAST_LEFT, MOST_LEFT)
                due_s = now_s + self._max_age_s * (1 - left)
                self._due_s[session] = session.conn, due_s
            is_known = leg in self._asked or (
                self._current is not None and self._current.leg is leg
            )
            if now_s >= due_s and not is_known:
                why = f"the limit of {self._max_age_s:g} s is near"
                self._asked[leg] = _Change(leg, why, now_s)

    def _begin(self, change: _Change, now_s: float) -> None:
        leg = change.leg
        change.began_s = now_s
        self._current = change
        _log.info("a connection is replaced", url=shown_url(leg.session.url), why=change.why)
        self._group.begin_change(leg)
        leg.spare.renew()
        leg.spare.is_spare = False
        if change.to_first:
            leg.spare.turn_to_first()
        self._run(leg.spare)

    def _go_on(self, change: _Change, now_s: float) -> None:
        leg = change.leg
        old, new = leg.session, leg.spare
        is_gone = old.connection is None  # it did not wait
        had, has = self._group.acknowledged_by(old), self._group.acknowledged_by(new)
        if new.is_subscribed and had <= has and change.subscribed_s is None:
            change.subscribed_s = now_s
        is_ready = (
            change.subscribed_s is not None
            and now_s - change.subscribed_s >= OVERLAP_S
            and not self._group.is_quiet(new)
        )
        is_elsewhere = change.to_first and new.is_away
        if is_gone or (is_ready and new.connection is not None and not is_elsewhere):
            self._close(change)
        elif new.connection is None:
            change.subscribed_s = None
        is_late = not is_ready and now_s - change.began_s >= CHANGE_S
        if self._current is change and (is_late or is_elsewhere):
            self._give_up(change, now_s)

    def _close(self, change: _Change) -> None:
        """Let the old connection close, as the new one has taken its place."""
        leg = change.leg
        old = leg.session
        leg.session, leg.spare = leg.spare, old
        self._metrics.counter("planned_changes").add()
        self._end(change, old)

    def _give_up(self, change: _Change, now_s: float) -> None:
        new = change.leg.spare
        missing = self._group.acknowledged_by(change.leg.session)
        missing -= self._group.acknowledged_by(new)
        _log.warning(
            "a connection could not be replaced",
            url=shown_url(new.url),
            why=change.why,
            missing=len(missing),
            silent=self._group.is_quiet(new),
            **({} if change.to_first else {"again_s": RETRY_S}),
        )
        if not change.to_first:
            self._asked[change.leg] = _Change(change.leg, change.why, now_s + RETRY_S)
        _answer(change, is_done=False)
        self._end(change, new)

    def _end(self, change: _Change, session: Session) -> None:
        session.is_spare = True
        self._group.replaced.add(session)
        session.stop()
        self._current = None
        self._ending = change, self._tasks[session]

    def _finish(self, change: _Change) -> None:
        self._ending = None
        self._group.replaced.discard(change.leg.spare)
        self._group.end_change(change.leg)
        _answer(change, is_done=True)  # where it was not given up


def _answer(change: _Change, *, is_done: bool) -> None:
    for future in change.done:
        if not future.done():
            future.set_result(is_done)
