"""Trades that were missed, had by REST: what ids show to be missing is fetched and published.

Rules of this file
------------------
- `ledger.Holes` says what is missing once a gap has ended; this asks for it in pages, from the
  oldest id on, within the venue's limit, and tells the ledger what is left.
- Of an answer only what is missing is decoded, as the venue wrote it. So no row comes twice, and
  no trade counts as a duplicate.
- Rows have the number of a connection of their own, the ts_recv of their answer, and stand behind
  newer ones: their order is that of arrival, as ever.
- What is given up is a line in the log and a count, and stays missing: the ledger has said so.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from tickwire.config import Context
from tickwire.decode import Decoder
from tickwire.errors import TickwireError
from tickwire.feed.plan.plans import SourcePlan
from tickwire.feed.streams.backfill_pages import WHOLE, Fetch, Filling, Left, Rest
from tickwire.ledger import Hole, Ledger, Place, StreamGaps, StreamState
from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.supervise import Failures, ManagedTask, cancel_all, spawn, unless_set

LOOK_S = 0.25  # at holes that are not due, which end as seldom
MOST_AT_ONCE = 4  # holes of a source

_log = get_logger("tickwire.feed")


class Backfiller:
    """Fills the holes of one source.

    Parameters
    ----------
    plan
        The source's, with `backfills`.
    decoder, gaps, metrics, failures
        The source's.
    ledger
        Where it is written down that rows come by REST.
    conns
        Where the numbers are kept that its rows have for a connection.
    """

    def __init__(
        self,
        plan: SourcePlan,
        decoder: Decoder,
        gaps: StreamGaps,
        ledger: Ledger,
        conns: deque[int],
        metrics: Metrics,
        failures: Failures,
    ) -> None:
        if gaps.holes is None:
            raise ValueError(f"{plan.venue.name}: nothing can be had by id")
        self.plan = plan
        self.decoder = decoder
        self.holes = gaps.holes
        self.rows = metrics.counter("backfilled_rows")
        self.requests = metrics.counter("backfill_requests")
        self.most_rows = plan.settings.backfill_max_rows
        self._gaps = gaps
        self._ledger = ledger
        self._conns = conns
        self._failures = failures
        self._given_up = metrics.counter("backfills_given_up")
        self._unfinished: set[Hole] = set()
        # Called with the trades that were published: kind of message, text, symbol, when they came,
        # connection, and whether their ids are remembered.
        self.on_answer: Callable[[str, bytes, str, int, int, bool], None] | None = None

    async def run(self, rest: Rest, next_conn: Callable[[], int]) -> None:
        """Fill holes as they are found, until cancelled.

        Parameters
        ----------
        rest
            Keeps within the venue's limit.
        next_conn
            Gives the number of the next connection of the feed.
        """
        waiting: dict[StreamState, Hole] = {}
        running: dict[StreamState, ManagedTask[None]] = {}
        try:
            while True:
                if not waiting and not running:
                    await self.holes.found.wait()
                for hole in self.holes.take_due():
                    waiting.setdefault(hole.stream, hole).join(hole)
                for stream, task in tuple(running.items()):
                    if task.done():
                        del running[stream]
                        task.result()
                # Two of one stream at a time would have the same trades twice.
                for stream in [each for each in waiting if each not in running]:
                    if len(running) == MOST_AT_ONCE:
                        break
                    filling = Filling(waiting.pop(stream))
                    running[stream] = spawn(
                        f"backfill of {filling.symbol}", self._fill(filling, rest, next_conn)
                    )
                if running and not self.holes.found.is_set():
                    ended = asyncio.wait(running.values(), return_when=asyncio.FIRST_COMPLETED)
                    await unless_set(self.holes.found, spawn("the end of a backfill", ended))
                elif waiting or self.holes.found.is_set():
                    await asyncio.sleep(LOOK_S)  # no signal tells that a trade has come after one
        finally:
            await cancel_all(running.values())
            for hole in (*self._unfinished, *waiting.values(), *self.holes.take_due(is_last=True)):
                self.give_up(hole, "backfill ends")
            self._unfinished.clear()

    async def _fill(self, filling: Filling, rest: Rest, next_conn: Callable[[], int]) -> None:
        self._unfinished.add(filling.hole)
        left: list[Left] = []
        for rule in self.plan.backfills:
            if rule.channel not in filling.hole.before:
                continue
            missing = self.holes.missing(filling.hole, rule.channel)
            if missing is None:
                self.give_up(filling.hole, f"what {rule.channel} misses is not known")
                left.append(WHOLE)
                continue
            fetch = Fetch(self, rule, filling, missing, rest, next_conn)
            remains = await (fetch.by_id() if rule.is_by_id else fetch.newest())
            if remains is not None:
                left.append(remains)
        self._unfinished.discard(filling.hole)
        self._gaps.filled(filling.hole, filling.n_rows, _hull(left))
        if filling.n_requests:
            _log.info(
                "backfilled",
                venue=self.plan.venue.name,
                symbol=filling.symbol,
                rows=filling.n_rows,
                requests=filling.n_requests,
                complete=not left,
            )

    def note_begin(self, hole: Hole, conn: int, channel: str, first_id: int) -> None:
        """Write down that rows of a hole come by REST, before the first of them."""
        self._conns.append(conn)
        text = f"{channel} from id {first_id} on, for gap {hole.gaps[0].gap_id}"
        self._ledger.event("backfill", text, Place(self.plan.venue.name, hole.stream.symbol, conn))

    def note_end(self, filling: Filling, why: str) -> None:
        """Write down that a hole without an end is believed to have no more trades, and why."""
        venue = self.plan.venue.name
        text = f"{why}, for gap {filling.hole.gaps[0].gap_id}"
        conn = filling.conn if filling.conn >= 0 else None
        self._ledger.event("backfill", text, Place(venue, filling.symbol, conn))
        _log.info("backfill ends", venue=venue, symbol=filling.symbol, detail=text)

    def failed(self, hole: Hole, error: TickwireError) -> None:
        """Report that an answer could not be had; it is asked for again."""
        self._report(error, "backfill failed", hole)

    def give_up(self, hole: Hole, why: str) -> None:
        """Report that the rest of a hole stays missing."""
        self._given_up.add()
        self._report(TickwireError(why), "backfill given up", hole)

    def _report(self, error: TickwireError, event: str, hole: Hole) -> None:
        venue = self.plan.venue.name
        self._failures.report(
            error, Context.REST, event, part=venue, log=_log,
            venue=venue, symbol=hole.stream.symbol, gap=hole.gaps[0].gap_id,
        )  # fmt: skip


def _hull(left: Sequence[Left]) -> Left | None:
    """Give all that is left of several channels as one part."""
    if not left:
        return None
    begins, ends = zip(*left, strict=True)
    return (
        None if None in begins else min(begins),
        None if None in ends else max(ends),
    )
