"""Trades that were missed, had by REST: what ids show to be missing is fetched and published.

Rules of this file
------------------
- `ledger.Holes` says what is missing once a gap has ended; this asks for it in pages, from the
  oldest id on, within the venue's limit, and tells the ledger what is left.
- Of an answer only what is missing is decoded, as the venue wrote it. So no row comes twice, and
  no trade counts as a duplicate.
- Rows have the number of a connection of their own, the ts_recv of their answer, and stand behind
  newer ones: their order is that of arrival, as ever.
- Where a hole has no end because nothing has come since, an answer with fewer trades than were
  asked for may be that of a node that lags: it is asked again, later and later, before it is
  believed; the table sessions says so.
- A host that is down keeps no hole longer than another: who has waited for it as long as any may,
  and what is found meanwhile, is given up at once.
- What is given up is a line in the log and a count, and stays missing: the ledger has said so.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from tickwire.config import Context
from tickwire.decode import Decoder
from tickwire.errors import HostDown, TickwireError
from tickwire.feed.endpoints import request_url
from tickwire.feed.plans import SourcePlan
from tickwire.feed.room import until_room
from tickwire.feed.trade_pages import trades_of
from tickwire.ledger import Hole, Ledger, Missing, Place, StreamGaps, StreamState
from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.supervise import Backoff, Failures, ManagedTask, cancel_all, spawn, unless_set
from tickwire.venues import Backfill

LOOK_S = 0.25  # at holes that are not due, which end as seldom
FIRST_RETRY_S = 0.5
MAX_RETRY_S = 60.0
MOST_FAILURES = 10  # in a row: about four minutes
LONGEST_DOWN_S = 240.0  # of a host that cannot be asked, whatever hole is waiting for it
LOOK_AT_HOST_S = 2.0
LATER_S = (1.0, 2.0, 4.0)  # after answers that have not all that they might: a node may lag
MOST_AT_ONCE = 4  # holes of a source

_log = get_logger("tickwire.feed")


class Rest(Protocol):
    """What fetches trades."""

    async def get(self, url: str) -> tuple[bytes, int]:
        """Give the body and the wall clock at its arrival, ns."""


# The venue's times between which rows may be missing still; None: as the gap itself says.
Left = tuple[int | None, int | None]
WHOLE: Left = (None, None)


@dataclass(slots=True)
class _Filling:
    """A hole that is being filled.

    Parameters
    ----------
    hole
        Which.
    conn
        The number that its rows have for a connection; -1 before the first.
    n_rows, n_requests
        So far.
    """

    hole: Hole
    conn: int = -1
    n_rows: int = 0
    n_requests: int = 0

    @property
    def symbol(self) -> str:
        """Whose trades they are."""
        return self.hole.stream.symbol


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
                    filling = _Filling(waiting.pop(stream))
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

    async def _fill(self, filling: _Filling, rest: Rest, next_conn: Callable[[], int]) -> None:
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
            fetch = _Fetch(self, rule, filling, missing, rest, next_conn)
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

    def note_end(
        self, filling: _Filling, channel: str, next_id: int | None, n_answers: int
    ) -> None:
        """Write down that a hole without an end is believed to have no more trades, and why."""
        venue = self.plan.venue.name
        text = f"no {channel} from id {next_id} on, as {n_answers} answers say, {sum(LATER_S):g} s "
        text += f"from the first to the last, for gap {filling.hole.gaps[0].gap_id}"
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


class _Fetch:
    """Fetches what one channel of a hole misses."""

    def __init__(
        self,
        owner: Backfiller,
        rule: Backfill,
        filling: _Filling,
        missing: Missing,
        rest: Rest,
        next_conn: Callable[[], int],
    ) -> None:
        self._owner = owner
        self._rule = rule
        self._filling = filling
        self._missing = missing
        self._rest = rest
        self._next_conn = next_conn
        self._backoff = Backoff(FIRST_RETRY_S, MAX_RETRY_S, at_once=0)
        self._is_open = missing.open_from is not None
        self._is_live = False  # a connection brings what comes behind the last answer
        self._n_ids = 0  # missing ones that were had
        self._begin_ns: int | None = None  # of the first row, by the venue's clock
        self._last_ns: int | None = None  # and of the last one

    async def by_id(self) -> Left | None:
        """Fetch page by page, from the oldest id on; give what is left."""
        missing, owner, rule = self._missing, self._owner, self._rule
        most = owner.most_rows
        n_later = 0
        next_id = missing.after(0)
        n_older = missing.n_ids - most
        if n_older > 0:  # the newest ones are worth more
            owner.give_up(self._filling.hole, f"{n_older} trades before the last {most}")
            next_id = missing.last(most)
        while next_id is not None:
            if self._n_ids >= most and self._is_open:
                owner.give_up(self._filling.hole, f"trades behind the first {most}")
                return self._last_ns, None
            limit = min(rule.limit, most)
            if not self._is_open:
                limit = min(limit, missing.ids[-1][1] - next_id + 1)
            page = await self._page(next_id, limit)
            if page is None:
                return WHOLE if n_older > 0 else (self._last_ns, None)
            if self._is_open and self._is_live:
                return None
            if page:
                next_id = missing.after(page[-1][0])
            if self._is_open and len(page) < limit:
                if n_later == len(LATER_S):
                    owner.note_end(self._filling, rule.channel, next_id, n_later + 1)
                    return None
                await asyncio.sleep(LATER_S[n_later])
                n_later += 1
        if self._n_ids < min(missing.n_ids, most):
            n_lacking = min(missing.n_ids, most) - self._n_ids
            owner.give_up(self._filling.hole, f"{n_lacking} ids are not there")
            return WHOLE
        return (None, self._begin_ns) if n_older > 0 else None

    async def newest(self) -> Left | None:
        """Fetch the newest ones, which is all that there is; give what is left."""
        first_id = self._missing.after(0)
        if first_id is None:
            return None
        page = await self._page(first_id, min(self._rule.limit, self._owner.most_rows))
        if page is None:
            return WHOLE
        if not page or page[0][0] <= first_id:
            return None
        self._owner.give_up(self._filling.hole, "older trades than the newest cannot be had")
        return None, self._begin_ns

    async def _page(self, first_id: int, limit: int) -> list[tuple[int, str]] | None:
        """Fetch trades from an id on and publish the missing ones; None where that is given up."""
        owner, n_failures = self._owner, 0
        while True:
            try:
                page, ts_recv = await self._ask(first_id, limit)
                # The newest ones have at least the last that came, if not one behind it.
                least_id = first_id - self._is_open
                can_be_none = self._is_open and self._rule.is_by_id
                if not can_be_none and (not page or page[-1][0] < least_id):
                    raise TickwireError(f"trade {least_id} is not there yet")
                await self._publish(page, ts_recv)
            except HostDown as error:  # others have found out
                if error.down_s >= LONGEST_DOWN_S:
                    owner.give_up(self._filling.hole, str(error))
                    return None
                await asyncio.sleep(min(error.wait_s, LOOK_AT_HOST_S))
            except TickwireError as error:
                n_failures += 1
                owner.failed(self._filling.hole, error)
                if n_failures == MOST_FAILURES:
                    owner.give_up(self._filling.hole, str(error))
                    return None
                await asyncio.sleep(self._backoff.next_delay_s())
            else:
                self._backoff.reset()
                return page

    async def _ask(self, first_id: int, limit: int) -> tuple[list[tuple[int, str]], int]:
        rule, owner = self._rule, self._owner
        path = rule.path.format(
            symbol=quote(self._filling.symbol, safe=""), first_id=first_id, limit=limit
        )
        is_asked = True
        try:
            payload, ts_recv = await self._rest.get(request_url(owner.plan.rest_url, path))
        except HostDown:
            is_asked = False
            raise
        finally:
            self._filling.n_requests += is_asked
            owner.requests.add(is_asked)
        page = trades_of(payload, rule.id_key, limit)
        if rule.is_by_id and page and page[0][0] < first_id:
            raise TickwireError(f"asked for trades from {first_id} on, got {page[0][0]}")
        return page, ts_recv

    async def _publish(self, page: Sequence[tuple[int, str]], ts_recv: int) -> None:
        filling, owner = self._filling, self._owner
        wanted: list[tuple[int, str]] = []
        trades, taken = b"", None

        def offer() -> bool:
            nonlocal wanted, trades, taken
            wanted = self._wanted(page)  # what has come meanwhile is not
            if not wanted:
                return True
            if filling.conn < 0:
                filling.conn = self._next_conn()
                owner.note_begin(filling.hole, filling.conn, self._rule.channel, wanted[0][0])
            trades = f"[{','.join(text for _, text in wanted)}]".encode()
            taken = owner.decoder.backfills.take(
                self._rule.message,
                trades,
                symbol=filling.symbol,
                ts_recv=ts_recv,
                conn=filling.conn,
                remember=self._is_open,
            )
            return taken is not None

        await until_room(owner.decoder, offer)
        if taken is None:
            return
        if owner.on_answer is not None:
            owner.on_answer(
                self._rule.message, trades, filling.symbol, ts_recv, filling.conn, self._is_open
            )
        n_rows, begin_ns, self._last_ns = taken
        self._begin_ns = self._begin_ns or begin_ns
        self._n_ids += len(wanted)
        filling.n_rows += n_rows
        owner.rows.add(n_rows)

    def _wanted(self, page: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
        if not self._is_open:
            return [each for each in page if self._missing.has(each[0])]
        since = self._owner.holes.ids_since(self._filling.hole, self._rule.channel)
        self._is_live = any(number in since for number, _ in page)
        return [each for each in page if self._missing.has(each[0]) and each[0] not in since]


def _hull(left: Sequence[Left]) -> Left | None:
    """Give all that is left of several channels as one part."""
    if not left:
        return None
    begins, ends = zip(*left, strict=True)
    return (
        None if None in begins else min(begins),
        None if None in ends else max(ends),
    )
