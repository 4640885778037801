"""Up to where the rows of each stream outlive the process, and the gaps of those that do not.

Rules of this file
------------------
- A row outlives the process once every sink has it, or a spill on disk. Rows that a sink was not
  given (`lag`) count as passed over: the gap of their loss says what is missing.
- A sink that has ended is not waited for: its gaps say what it has not got, and are written once.
  Where rings lie in files, the next run gives it these rows instead.
- A gap has a look of its own, soon. Looks cost time by the number of streams: of the loop's, those
  because of gaps take a tenth, or as much as two a second take. Where a look takes long, it goes on
  in a task that lets others have their turn, and counts from its end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import Context

from tickwire.feed.kept.cuts import (
    Cut,
    declare_cuts,
    declare_damaged,
    find_cuts,
    last_rows,
    noted_of,
)
from tickwire.feed.kept.delivered import Delivered
from tickwire.feed.kept.losses import declare_losses, lost_rows
from tickwire.feed.kept.positions import SNAPSHOT_S, Positions
from tickwire.feed.kept.ring_store import RingStore
from tickwire.feed.pipeline import Pipeline
from tickwire.feed.sources.sources import LiveSource
from tickwire.ledger import Gap, Position
from tickwire.ledger.index import StreamName
from tickwire.ledger.known_until import PositionsPass, merged
from tickwire.sinks import Sink
from tickwire.store import Spill
from tickwire.supervise import cancel_all, spawn

GAPS = "gaps"
NEWS_S = 0.05  # between two looks because of gaps, at least
REST = 9  # times as long as a look took
SLICE_S = 0.0005  # of a look


class Committed:
    """Keeps the positions of a feed's streams, and declares what is lost at its end.

    Parameters
    ----------
    positions
        Their file.
    pipeline
        Rings and ledger.
    sinks, sources
        The feed's; more may be added.
    rings
        Where the rings lie in files.
    delivered
        What sinks had at the start, where that was read back.
    """

    def __init__(
        self,
        positions: Positions,
        pipeline: Pipeline,
        sinks: Sequence[Sink],
        sources: Sequence[LiveSource],
        rings: RingStore | None = None,
        delivered: Delivered | None = None,
    ) -> None:
        self._delivered = delivered
        self._positions = positions
        self._pipeline = pipeline
        self._sinks = sinks
        self._sources = sources
        self._rings = rings
        self._cuts: list[Cut] = []
        self._declared: set[str] = set()  # sinks whose losses are gaps
        self._outputs_end: dict[tuple[str, str], int] = {}  # by sink and table
        self._earlier: dict[StreamName, Position] = {}
        self._news: asyncio.TimerHandle | None = None  # a look because of gaps
        self._has_news = self._has_ended = False
        self._looked_s, self._cost_s = float("-inf"), 0.0
        self._reading: PositionsPass | None = None  # a look that goes on
        self._look: asyncio.Future[None] | None = None

    def find_cuts(self, spills: Mapping[str, Spill]) -> None:
        """Find what outputs have lost since the last run; in a thread, before the sinks start."""
        self._outputs_end = last_rows(self._sinks, spills)
        self._cuts = find_cuts(self._positions.load_sinks(), self._sinks, spills)

    def start(self) -> None:
        """Let each source's gaps begin where the last run ended, and write that one's last ones."""
        positions = self._positions.load()
        if self._rings is not None:  # what they had goes to every sink
            for name, last in self._rings.newest.items():
                known = positions.get(name)
                # A gap that was open goes on from its own start, and so is ended.
                if known is None or (known.gap_id is None and known.recv_ns < last.recv_ns):
                    positions[name] = last
        # Rows of the last run say nothing of the gaps before them, unless its rings had these too.
        has_rings = self._rings is not None and bool(self._rings.newest)
        unsettled = frozenset() if has_rings else self._positions.unsettled
        is_certain = self._delivered is not None and self._delivered.is_certain and not unsettled
        if self._delivered is not None and self._positions.is_kept:
            for name, last in self._delivered.newest.items():
                known = positions.get(name)
                if known is None:  # the last run ended before it had noted any
                    positions[name] = last
                elif name in unsettled:
                    continue
                elif known.gap_id is None and known.recv_ns < last.recv_ns:
                    positions[name] = last._replace(ids=known.ids)
            for name, last in self._delivered.lacked.items():
                positions.setdefault(name, last)
        if self._cuts:
            declare_cuts(self._cuts, self._pipeline.ledger, positions)
        self._earlier = dict(positions)
        self._positions.begin(
            positions, (name for source in self._sources for name in source.gaps.names())
        )
        if self._positions.is_kept and self._sources:
            self._pipeline.ledger.follow(self._note_gap)
        self._declare_damaged()  # before any row comes: what was lost was before
        for gap in self._positions.take_gaps():
            if gap.end_ns is None:
                gap.end_ns = max(gap.start_ns, self._pipeline.ledger.now().recv_ns)
            self._pipeline.ledger.write_again(gap)
        for source in self._sources:
            source.gaps.start(positions, knows_ids=is_certain)

    def _note_gap(self, gap: Gap) -> None:
        """Keep a gap before rows behind it are committed: a kill may come at any time."""
        due_s = self._looked_s + min(SNAPSHOT_S, max(NEWS_S, REST * self._cost_s))
        self._positions.note_gap(gap, due_s)
        place = gap.place
        if self._reading is not None and place.venue is not None and place.symbol is not None:
            self._reading.changed.add((place.venue, gap.table, place.symbol))
        self._has_news = True
        if self._news is not None or self._has_ended:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # the process ends: `abandon` keeps it
            return
        pause_s = max(0.0, due_s - time.monotonic())
        # Not in the context of whom the gap concerns: the write outlives it.
        self._news = loop.call_later(pause_s, self._look_at_news, context=Context())

    def _look_at_news(self) -> None:
        self._news = None
        if self._has_news:
            self._begin_look()

    def look(self, *, last: bool = False) -> None:
        """Keep up to where the rows of each stream outlive the process, where that is due."""
        self._declare_damaged()
        if self._look is not None and self._look.done():
            self._look.result()
            self._look = None
        if self._sources and last:
            self._finish(PositionsPass([source.gaps for source in self._sources]))
        elif self._sources and self._positions.is_due:
            self._begin_look()

    def _begin_look(self) -> None:
        if self._reading is not None:
            return  # what has happened since it began is read again
        self._cost_s = 0.0
        reading = self._reading = PositionsPass([source.gaps for source in self._sources])
        steps = reading.steps()
        if self._has_all(steps):
            self._finish(reading)
        else:
            self._look = spawn("streams", self._go_on(reading, steps))

    async def _go_on(self, reading: PositionsPass, steps: Iterator[None]) -> None:
        try:
            has_all = False
            while not has_all:
                await asyncio.sleep(0)
                has_all = self._has_all(steps)
            self._finish(reading)
        finally:
            self._reading = None

    def _has_all(self, steps: Iterator[None]) -> bool:
        """Read streams for a moment; whether those were all."""
        began_s = time.thread_time()
        while True:
            has_all = next(steps, self) is self
            now_s = time.thread_time()
            if has_all or now_s - began_s >= SLICE_S:
                break
        self._cost_s += now_s - began_s
        return has_all

    def _finish(self, reading: PositionsPass) -> None:
        """Take a snapshot. Rows count up to now, of which the streams were read before."""
        began_s = time.thread_time()
        for _ in reading.steps() if reading is not self._reading else ():
            pass
        self._reading = None
        self._has_news = False
        rings = self._pipeline.rings
        self._positions.take(
            {name: rings[name].published for name in self._pipeline.streams}
            | {GAPS: self._pipeline.ledger.n_gap_rows},
            reading.end(),
        )
        self._positions.commit(
            self._safe_rows(sink for sink in self._sinks if sink.name not in self._declared),
            noted_of(self._sinks),
        )
        self._looked_s = time.monotonic()
        self._cost_s += time.thread_time() - began_s

    def _declare_damaged(self) -> None:
        for sink in self._sinks:
            for damaged in sink.take_damaged():
                positions = self._earlier | merged(source.gaps for source in self._sources)
                since_ns = self._outputs_end.get((sink.name, damaged.table))
                declare_damaged(
                    sink.name, damaged, since_ns, self._pipeline.ledger, positions,
                    sink.held.next_numbers.get(damaged.table, 0),
                )  # fmt: skip

    def declare_losses(self, sinks: Iterable[Sink]) -> None:
        """Write the gaps of rows that sinks have not got, once, and keep them for the next run."""
        self._declare_damaged()
        if self._rings is not None:
            return
        for sink in sinks:
            if sink.name in self._declared or not sink.rows_left:
                continue
            for table, n_safe in self._safe_rows([sink]).items():
                if table in self._pipeline.streams:
                    ring = self._pipeline.rings[table]
                    gaps = declare_losses(
                        self._pipeline.ledger, ring, n_safe, sink.name, sink.rows_in_memory(table)
                    )
                    self._positions.keep_gaps(gaps)
            self._declared.add(sink.name)

    async def close(self) -> None:
        """Keep what holds at the feed's end."""
        self._has_ended = True
        if self._news is not None:
            self._news.cancel()
        if self._look is not None:
            await cancel_all([self._look])
            self._look = None
        self.look(last=True)
        await self._positions.close()

    def abandon(self) -> None:
        """Keep what holds now, for a process that ends at once: nothing more is committed."""
        committed: dict[StreamName, Position | None] = {}
        for table, n_safe in self._safe_rows(self._sinks).items():
            if table in self._pipeline.streams:
                for lost in lost_rows(self._pipeline.rings[table], n_safe):
                    committed[str(lost.venue), table, str(lost.symbol)] = lost.before
        self._positions.abandon(merged(source.gaps for source in self._sources), committed)

    def _safe_rows(self, sinks: Iterable[Sink]) -> dict[str, int]:
        """Give how many rows of each table outlive the process in each of these sinks."""
        safe: dict[str, int] = {}
        for sink in sinks:
            for table, n_rows in sink.rows_safe.items():
                n = n_rows + self._pipeline.lag.n_dropped(table, sink.name)
                safe[table] = min(n, safe.get(table, n))
        return safe
