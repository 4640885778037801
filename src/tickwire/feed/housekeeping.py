"""What a running feed looks after a few times a second, and what may wait once a second.

Rules of this file
------------------
- It runs in the loop's thread, as one task; nothing here is called per message.
- Each waking of an idle processor costs as much as several messages, so it is seldom unless
  something waits for it, and together with the clock's that notices stalls.
- A source is looked at when something has come for it or happened to it, else about once a second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial

from tickwire.config import Context
from tickwire.errors import RequestRefused
from tickwire.feed.critical import Critical
from tickwire.feed.kept.committed import Committed
from tickwire.feed.kept.state import State
from tickwire.feed.pipeline import Pipeline
from tickwire.feed.put_off import PutOff
from tickwire.feed.sources.sources import LiveSource
from tickwire.feed.streams.undecoded import Undecoded
from tickwire.net.awake import counting, to_step_s
from tickwire.sinks import Sink
from tickwire.supervise import Coordinator

HOUSEKEEPING_S = 0.25
HURRIED_S = 0.05
SELDOM_S = 1.0  # reserving sequence numbers, looking for sources that are refused
LISTS_S = 10.0  # a feed of which all is refused waits so long for what venues list


class Housekeeping:
    """The housekeeping of one feed.

    Parameters
    ----------
    pipeline, sources, sinks
        What it looks after.
    coordinator
        Where sources arrive once they are subscribed.
    committed
        Declares what sinks have lost.
    state
        Where sequence numbers are reserved.
    no_disk_emergency_s
        How long a sink and its spill may take no rows; 0: for ever.

    Attributes
    ----------
    on_look
        Called after each look with how late the loop was, seconds.
    is_checked
        Gives whether the symbols have been looked up: what a venue lists says better why it
        refuses them.
    put_off
        What waits while rings are full.
    undecoded
        Reports messages that could not be decoded.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        sources: Sequence[LiveSource],
        sinks: Sequence[Sink],
        coordinator: Coordinator,
        *,
        committed: Committed,
        state: State,
        no_disk_emergency_s: float,
    ) -> None:
        self.on_look: Callable[[float], None] = lambda _late_s: None
        self.is_checked: Callable[[], bool] = lambda: True
        self._pipeline = pipeline
        self._sources = sources
        self._coordinator = coordinator
        self._committed = committed
        self._state = state
        self._failures = pipeline.failures
        self._critical = Critical(
            pipeline.rings, sinks, no_disk_emergency_s, self._failures.report, time.monotonic
        )
        self.put_off = PutOff(
            pipeline.metrics, sinks, partial(pipeline.registry.most, "ring_depth")
        )
        self.undecoded = Undecoded(pipeline.registry, self._failures)
        self._seldom_due_s = 0.0
        self._refused_s: float | None = None  # since when all is
        self._is_refused = False  # reported

    async def run(self) -> None:
        """Look again and again; ends by being cancelled."""
        late_s = 0.0
        loop = asyncio.get_running_loop()
        with counting() as awake:
            while True:
                # After a stall of the loop nothing is judged, which every source has to note.
                is_late = awake.grace_s() > 0
                now_ns = time.monotonic_ns()
                due = [each for each in self._sources if is_late or each.is_due(now_ns)]
                self.look(due)
                for source in due:
                    await source.look_at_groups(now_ns)
                self.on_look(late_s)
                pause_s = HURRIED_S if self._is_hurried() else to_step_s(loop, HOUSEKEEPING_S)
                slept_s = time.monotonic()
                await asyncio.sleep(pause_s)
                late_s = time.monotonic() - slept_s - pause_s

    def look(self, due: Sequence[LiveSource]) -> None:
        """Write down what is due, reserve sequence numbers, and look for what has failed.

        Parameters
        ----------
        due
            The sources that are looked at.
        """
        self._pipeline.ledger.housekeeping()
        self._pipeline.lag.look()
        if self._sources and self._pipeline.kept_books is not None:
            self._pipeline.kept_books.look()
        for source in due:
            source.housekeeping()
        self._committed.look()
        now_s = time.monotonic()
        is_due = now_s >= self._seldom_due_s
        if is_due:
            self._seldom_due_s = now_s + SELDOM_S
            self._seldom()
        if is_due or not self._coordinator.is_ready:
            self._look_at_answers()

    def _is_hurried(self) -> bool:
        """Whether the start, a full ring or a row of the feed's own waits for housekeeping."""
        return (
            not self._coordinator.is_ready
            or self._pipeline.ledger.n_waiting > 0
            or is_paused(self._sources)
        )

    def _seldom(self) -> None:
        """Do what may wait for a second."""
        self._critical.look()
        if self._sources:  # a replay fills its rings as it pleases
            self.put_off.look(is_paused=is_paused(self._sources))
        if not self.put_off.is_taken:
            self.undecoded.look()
        self._state.use(self._pipeline.next_numbers())
        for pipeline in self._pipeline.sources:
            pipeline.look_for_drift()
        for source in self._sources:
            source.seldom()

    def _look_at_answers(self) -> None:
        """See which sources are subscribed, and whether every subscription was refused."""
        for source in self._sources:
            if source.is_settled:
                self._coordinator.arrive(f"source {source.name}")
        if self._sources and all(source.is_refused for source in self._sources):
            self._report_refusal()
        else:
            self._refused_s = None

    def _report_refusal(self) -> None:
        now_s = time.monotonic()
        if self._refused_s is None:
            self._refused_s = now_s
        if not self._is_refused and (self.is_checked() or now_s - self._refused_s >= LISTS_S):
            self._is_refused = True
            text = f"every subscription was refused: {refusals_of(self._sources)[0]}"
            self._failures.report(RequestRefused(text), Context.FEED)


def is_paused(sources: Sequence[LiveSource]) -> bool:
    """Whether a source waits for room in a ring."""
    return any(source.is_paused for source in sources)


def refusals_of(sources: Sequence[LiveSource]) -> list[str]:
    """Give the subscriptions that cannot be had now, and why."""
    return [text for source in sources for text in source.refusals]
