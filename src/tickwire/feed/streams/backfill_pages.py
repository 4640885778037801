"""Trades that one channel of a hole misses, fetched page by page and published.

Rules of this file
------------------
- Of an answer only what is missing is decoded, as the venue wrote it.
- Where a hole has no end because nothing has come since, an answer with fewer trades than were
  asked for may be that of a node that lags: it is asked again, later and later, before it is
  believed; the table sessions says so.
- A host that is down keeps no hole longer than another: who has waited for it as long as any may,
  and what is found meanwhile, is given up at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from tickwire.errors import HostDown, TickwireError
from tickwire.feed.plan.endpoints import request_url
from tickwire.feed.streams.room import until_room
from tickwire.feed.streams.trade_pages import trades_of
from tickwire.ledger import Hole, Missing
from tickwire.supervise import Backoff
from tickwire.venues import Backfill

if TYPE_CHECKING:
    from tickwire.feed.streams.backfill import Backfiller

FIRST_RETRY_S = 0.5
MAX_RETRY_S = 60.0
MOST_FAILURES = 10  # in a row: about four minutes
LONGEST_DOWN_S = 240.0  # of a host that cannot be asked, whatever hole is waiting for it
LOOK_AT_HOST_S = 2.0
LATER_S = (1.0, 2.0, 4.0)  # after answers that have not all that they might: a node may lag


class Rest(Protocol):
    """What fetches trades."""

    async def get(self, url: str) -> tuple[bytes, int]:
        """Give the body and the wall clock at its arrival, ns."""


# The venue's times between which rows may be missing still; None: as the gap itself says.
Left = tuple[int | None, int | None]
WHOLE: Left = (None, None)


@dataclass(slots=True)
class Filling:
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


class Fetch:
    """Fetches what one channel of a hole misses.

    Parameters
    ----------
    owner
        Of the source.
    rule
        How the channel's trades are had.
    filling
        The hole.
    missing
        Which ids.
    rest
        Keeps within the venue's limit.
    next_conn
        Gives the number of the next connection of the feed.
    """

    def __init__(
        self,
        owner: Backfiller,
        rule: Backfill,
        filling: Filling,
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
                    text = f"no {rule.channel} from id {next_id} on, as {n_later + 1} answers say, "
                    text += f"{sum(LATER_S):g} s from the first to the last"
                    owner.note_end(self._filling, text)
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
