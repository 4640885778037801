"""How a source does with less, and gets back: its endpoints, and its symbols by their priority.

Rules of this file
------------------
- `supervise.degradation` decides; here it is learned what holds, done what was decided, and said:
  in the log, in metrics, in health and in the table sessions.
- Another endpoint is taken by the sessions themselves, at once. Here is the way back: after a
  while, longer each time that the first one fails again, it is tried by TCP, which costs the venue
  nothing; where that works, a connection to it takes the place of the other as in any planned
  change (`changes`): no row is missing.
- Symbols are left out where rings stay full or reading stays paused, and only where the source says
  which are kept longest (`priority`): half of them, then half of the rest. Their gaps say so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from tickwire.clock import Clock
from tickwire.feed.plan.plans import SourcePlan
from tickwire.feed.streams.legs import Leg
from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.redaction import shown_url
from tickwire.session import Session
from tickwire.supervise import ManagedTask, TaskManager
from tickwire.supervise.degradation import Cause, Change, Degradation, Hysteresis, Step, Sustained

HIGH_DEPTH, LOW_DEPTH = 0.8, 0.5  # of a ring: too full, and well again
HIGH_S = 5.0
SETTLE_S, FIRST_CALM_S = 10.0, 60.0  # see `supervise.degradation`
PROBE_EVERY_S = 30.0  # the first endpoint, where a probe found it gone
RETURN_S = 90.0  # a return that has not come to an end by then has failed

ENDPOINT = "endpoint"
SYMBOLS = "symbols"

_log = get_logger("tickwire.feed")


class SourceDegradation:
    """The steps of one source.

    Parameters
    ----------
    plan
        The source's.
    metrics
        Its own.
    note
        Writes a row of sessions: event and detail.
    go_back
        Has the connection of a leg replaced by one to its first endpoint.
    clock
        Monotonic, seconds.
    """

    def __init__(
        self,
        plan: SourcePlan,
        metrics: Metrics,
        note: Callable[[str, str], None],
        go_back: Callable[[Leg, str], object],
        *,
        clock: Clock = time.monotonic,
    ) -> None:
        self.name = f"{metrics.labels.get('source', '')} {plan.venue.name}".lstrip()
        self._venue = plan.venue.name
        self._metrics = metrics
        self._note = note
        self._go_back = go_back
        self._clock = clock
        self._by_priority = by_priority(plan)
        self._keys: dict[str, list[str]] = {}
        for connection in plan.connections:
            for each in connection.subscriptions:
                self._keys.setdefault(each.symbol, []).append(each.key)
        n_levels = max(0, len(self._by_priority).bit_length() - 1)
        steps = [Step(SYMBOLS, frozenset({Cause.OVERLOAD}), n_levels)] if n_levels else []
        self._steps = Degradation(steps, settle_s=SETTLE_S, first_calm_s=FIRST_CALM_S, clock=clock)
        self._overload = Sustained(HIGH_DEPTH, LOW_DEPTH, HIGH_S, clock=clock)
        self._ways_back: dict[Leg, _WayBack] = {}
        self._reasons: dict[str, str] = {}
        for name in (ENDPOINT, *(step.name for step in steps)):
            metrics.watch("degraded", partial(self._is_taken, name), step=name)

    @property
    def reasons(self) -> list[str]:
        """What the source does without now, for health."""
        away = [
            f"connected to {shown_url(leg.session.url)}, not the first endpoint"
            for leg in self._away
        ]
        return [*dict.fromkeys(away), *self._reasons.values()]

    def look(
        self,
        depth: Callable[[], float],
        legs: Sequence[Leg],
        tasks: TaskManager | None,
        *,
        is_paused: bool,
    ) -> None:
        """Take and undo what is due; once a second.

        Parameters
        ----------
        depth
            Gives that of its fullest ring.
        legs
            All of the source's.
        tasks
            Where a probe runs; None: nothing is begun any more.
        is_paused
            Whether reading waits for room.
        """
        is_overloaded = self._overload.look(1.0 if is_paused else depth())
        change = self._steps.look([Cause.OVERLOAD] if is_overloaded else [])
        if change is not None:
            self._set_symbols(change, [each for leg in legs for each in (leg.session, leg.spare)])
        for leg in legs:
            self._look_at_endpoint(leg, tasks)

    # Symbols.

    def _set_symbols(self, change: Change, sessions: Sequence[Session]) -> None:
        """Have as many symbols as a level leaves; those that come first."""
        n_kept = max(1, len(self._by_priority) >> change.level)
        kept, left_out = self._by_priority[:n_kept], self._by_priority[n_kept:]
        why = f"{change.cause.value}: the rings stay full" if change.cause else ""
        for session in sessions:
            session.take_in(key for symbol in kept for key in self._keys[symbol])
            session.leave_out((key for symbol in left_out for key in self._keys[symbol]), why)
        text = f"{n_kept} of {len(self._by_priority)} symbols"
        if left_out:
            self._reasons[SYMBOLS] = f"{text}, because rings stayed full"
        else:
            self._reasons.pop(SYMBOLS, None)
        self._report(SYMBOLS, text, why, is_less=change.cause is not None)

    # Endpoints.

    def _look_at_endpoint(self, leg: Leg, tasks: TaskManager | None) -> None:
        session = leg.session
        way = self._ways_back.get(leg)
        if not session.is_away:
            if way is not None and way.is_away and session.connection is not None:
                way.arrived()
                self._report(ENDPOINT, shown_url(session.url), "", is_less=False)
            return
        if way is None:
            way = self._ways_back[leg] = _WayBack(self._clock)
        if way.look(session.url):
            self._report(ENDPOINT, shown_url(session.url), "the one before failed", is_less=True)
        if way.is_due and tasks is not None:
            number = list(self._ways_back).index(leg)
            way.probing = tasks.spawn(
                f"probe {self.name}.{number}", partial(self._try_first, leg, way)
            )

    async def _try_first(self, leg: Leg, way: _WayBack) -> None:
        works = await leg.session.first_works()
        way.probed(works=works)
        if works and leg.session.is_away:
            self._go_back(leg, "the first endpoint works again")

    @property
    def _away(self) -> list[Leg]:
        return [leg for leg in self._ways_back if leg.session.is_away]

    def _is_taken(self, name: str) -> int:
        return len(self._away) if name == ENDPOINT else self._steps.level(name)

    @property
    def n_taken(self) -> int:
        """Levels of all steps that are taken now."""
        return sum(level for _, level in self._steps.taken) + len(self._away)

    def _report(self, step: str, text: str, why: str, *, is_less: bool) -> None:
        event = "degraded" if is_less else "restored"
        self._metrics.counter("degradations", step=step, change=event).add()
        self._note(event, f"{step}: {text}" + (f" ({why})" if why else ""))
        log = _log.warning if is_less else _log.info
        log(event, venue=self._venue, step=step, now=text, **({"why": why} if why else {}))


class _WayBack:
    """When a session that is not at its first endpoint tries that again."""

    def __init__(self, clock: Clock) -> None:
        self.is_away = False
        self.probing: ManagedTask[None] | None = None
        self._url = ""
        self._is_going = False  # a probe found the first one there
        self._clock = clock
        self._hysteresis = Hysteresis(FIRST_CALM_S, clock=clock)
        self._due_s = 0.0

    def look(self, url: str) -> bool:
        """Note where the session is, other than at its first endpoint; tell whether it is new."""
        is_new = not self.is_away or (url != self._url and not self._is_going)
        has_failed = self._is_going and self._clock() >= self._due_s  # it did not get there
        if not self.is_away or has_failed:
            self._hysteresis.taken()
            self._due_s = self._clock() + self._hysteresis.calm_s
        self.is_away, self._url = True, url
        self._is_going = self._is_going and not has_failed
        return is_new

    def arrived(self) -> None:
        """Note that the session is at its first endpoint."""
        self.is_away = self._is_going = False

    @property
    def is_due(self) -> bool:
        """Whether the first endpoint is to be tried now."""
        is_probing = self.probing is not None and not self.probing.done()
        return not is_probing and not self._is_going and self._clock() >= self._due_s

    def probed(self, *, works: bool) -> None:
        """Note what a probe found."""
        self._is_going = works
        self._due_s = self._clock() + (RETURN_S if works else PROBE_EVERY_S)
        if works:
            self._hysteresis.undone()


def by_priority(plan: SourcePlan) -> tuple[str, ...]:
    """Give a source's symbols, those first that are kept longest; none where it has no priority."""
    settings = plan.settings
    if not settings.priority:
        return ()
    named = [symbol for symbol in settings.priority if symbol in settings.symbols]
    return tuple(dict.fromkeys([*named, *settings.symbols]))
