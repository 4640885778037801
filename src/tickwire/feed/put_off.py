"""What a feed puts off or gives up while its rings are full, so that rows come first.

Rules of this file
------------------
- It is the first step of doing with less: taken at half-full rings, long before symbols are left
  out (`feed.degrading`), and it costs no row.
- Put off is what nothing is lost by: figures for a dashboard are up to `REUSE_S` old, checkpoints
  of DuckDB wait (up to twice their size), clock offsets and reports of what could not be decoded
  wait. Alerts, liveness, gaps, emergencies and the state go on as ever.
- Then a recording of raw messages is given up, where rings are nearly full for longer. It says
  itself how much it lacks; who needs both has less in the tables, or a faster disk.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial

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
RECORDING = "recording"
RECORDING_HIGH, RECORDING_LOW = 0.8, 0.5
RECORDING_HIGH_S = 3.0  # symbols are left out after 5 s

_log = get_logger("tickwire.feed")


class _Step:
    """A step that is taken or not.

    Parameters
    ----------
    name
        For log, metrics and health.
    texts
        What is so once it is taken, and once it is undone.
    high, low, for_s
        See `Sustained`; of the depth of the fullest ring.
    apply
        Takes the step, or undoes it.
    metrics, clock
        As of `PutOff`.
    """

    def __init__(
        self,
        name: str,
        texts: tuple[str, str],
        high: float,
        low: float,
        for_s: float,
        apply: Callable[[bool], None],
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self.is_taken = False
        self.text = texts[0]
        self._name = name
        self._texts = texts
        self._apply = apply
        self._metrics = metrics
        step = Step(name, frozenset({Cause.OVERLOAD}))
        self._steps = Degradation([step], settle_s=0.0, first_calm_s=FIRST_CALM_S, clock=clock)
        self._overload = Sustained(high, low, for_s, clock=clock)
        metrics.watch("degraded", lambda: self.is_taken, step=name)

    def look(self, depth: float) -> None:
        """Take the step or undo it."""
        is_overloaded = self._overload.look(depth)
        change = self._steps.look([Cause.OVERLOAD] if is_overloaded else [])
        if change is None:
            return
        self.is_taken = change.level > 0
        self._apply(self.is_taken)
        event = "degraded" if self.is_taken else "restored"
        self._metrics.counter("degradations", step=self._name, change=event).add()
        log = _log.warning if self.is_taken else _log.info
        log(event, step=self._name, now=self._texts[not self.is_taken])


class PutOff:
    """The steps of one feed.

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
    """

    def __init__(
        self,
        metrics: Metrics,
        sinks: Iterable[Sink],
        depth: Callable[[], float],
        *,
        clock: Clock = time.monotonic,
    ) -> None:
        self._sinks = sinks
        self._depth = depth
        make = partial(_Step, metrics=metrics.labelled(source="", venue=""), clock=clock)
        texts = "housekeeping is put off, because rings stayed full", "housekeeping as ever"
        self._housekeeping = make(HOUSEKEEPING, texts, HIGH_DEPTH, LOW_DEPTH, HIGH_S, self._put_off)
        self._steps = [self._housekeeping]
        recorders = [sink.recorder for sink in sinks if sink.recorder is not None]
        if recorders:
            texts = "messages are not recorded, because rings stayed full", "messages are recorded"
            self._steps.append(
                make(
                    RECORDING,
                    texts,
                    RECORDING_HIGH,
                    RECORDING_LOW,
                    RECORDING_HIGH_S,
                    recorders[0].suspend,
                )
            )

    @property
    def texts(self) -> list[str]:
        """What is put off or given up now, in words."""
        return [step.text for step in self._steps if step.is_taken]

    @property
    def is_taken(self) -> bool:
        """Whether housekeeping is put off now."""
        return self._housekeeping.is_taken

    def look(self, *, is_paused: bool) -> None:
        """Take steps or undo them; to be called about once a second.

        Parameters
        ----------
        is_paused
            Whether reading waits for room.
        """
        depth = 1.0 if is_paused else self._depth()
        for step in self._steps:
            step.look(depth)

    def _put_off(self, is_taken: bool) -> None:
        for sink in self._sinks:
            sink.puts_off = is_taken
