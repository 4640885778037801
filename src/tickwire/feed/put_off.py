"""What a feed puts off while its rings are full, so that rows come first.

Rules of this file
------------------
- It is the first step of doing with less: taken at half-full rings, long before symbols are left
  out (`feed.degrading`), and it costs no row.
- Put off is what nothing is lost by: figures for a dashboard are up to `REUSE_S` old, checkpoints
  of DuckDB wait (up to twice their size), clock offsets and reports of what could not be decoded
  wait. Alerts, liveness, gaps, emergencies and the state go on as ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from tickwire.clock import Clock
from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.sinks import Sink
from tickwire.supervise.degradation import Cause, Degradation, Step, Sustained

HIGH_DEPTH, LOW_DEPTH = 0.5, 0.25  # of a ring
HIGH_S = 1.0
FIRST_CALM_S = 10.0
REUSE_S = 5.0

HOUSEKEEPING = "housekeeping"
TEXT = "housekeeping is put off, because rings stayed full"

_log = get_logger("tickwire.feed")


class PutOff:
    """The step of one feed.

    Parameters
    ----------
    metrics
        The feed's.
    sinks
        Its sinks, whose maintenance waits.
    depth
        Gives that of the fullest ring.
    clock
        Monotonic, seconds.

    Attributes
    ----------
    is_taken
        Whether housekeeping is put off now.
    """

    def __init__(
        self,
        metrics: Metrics,
        sinks: Iterable[Sink],
        depth: Callable[[], float],
        *,
        clock: Clock = time.monotonic,
    ) -> None:
        self.is_taken = False
        self._sinks = sinks
        self._depth = depth
        self._metrics = metrics.labelled(source="", venue="")
        step = Step(HOUSEKEEPING, frozenset({Cause.OVERLOAD}))
        self._steps = Degradation([step], settle_s=0.0, first_calm_s=FIRST_CALM_S, clock=clock)
        self._overload = Sustained(HIGH_DEPTH, LOW_DEPTH, HIGH_S, clock=clock)
        self._metrics.watch("degraded", lambda: self.is_taken, step=HOUSEKEEPING)

    def look(self, *, is_paused: bool) -> None:
        """Take the step or undo it; to be called about once a second.

        Parameters
        ----------
        is_paused
            Whether reading waits for room.
        """
        is_overloaded = self._overload.look(1.0 if is_paused else self._depth())
        change = self._steps.look([Cause.OVERLOAD] if is_overloaded else [])
        if change is None:
            return
        self.is_taken = change.level > 0
        for sink in self._sinks:
            sink.puts_off = self.is_taken
        event = "degraded" if self.is_taken else "restored"
        self._metrics.counter("degradations", step=HOUSEKEEPING, change=event).add()
        log = _log.warning if self.is_taken else _log.info
        log(event, step=HOUSEKEEPING, now=TEXT if self.is_taken else "housekeeping as ever")
