"""The table of instruments: what venues list of a feed's symbols, at the start and when it changes.

Rules of this file
------------------
- A row is written where an instrument is new or is not what it was: the last row of a symbol
  counts. With `["*"]` all that a venue lists is written.
- A list that cannot be had is a warning, and asked for again; it stops nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from tickwire.clock import wall_ns
from tickwire.errors import TickwireError
from tickwire.feed.plan.plans import SourcePlan
from tickwire.feed.plan.symbols import InThread, Rest, listed
from tickwire.feed.streams.room import until_room
from tickwire.logs import get_logger
from tickwire.ring import Ring
from tickwire.venues import LISTED, Instrument

REFRESH_S = 3600.0
RETRY_S = 60.0

_log = get_logger("tickwire.feed")


class Listings:
    """Keeps the table of instruments of a feed.

    Parameters
    ----------
    sources
        Those whose channels have `instruments` are listed.
    ring
        The table's.
    rest_of
        Gives what fetches the lists of a source's venue.
    in_thread
        Runs a function in a thread.
    sleep
        What waits, seconds.
    """

    def __init__(
        self,
        sources: Iterable[SourcePlan],
        ring: Ring,
        rest_of: Callable[[SourcePlan], Rest],
        in_thread: InThread = asyncio.to_thread,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._sources = [each for each in sources if LISTED in each.settings.channels]
        self._ring = ring
        self._rest_of = rest_of
        self._in_thread = in_thread
        self._sleep = sleep
        self._written: dict[tuple[str, str], Instrument] = {}

    async def run(self) -> None:
        """List, wait, list again; until cancelled."""
        while True:
            results = [await self.refresh(source) for source in self._sources]
            await self._sleep(REFRESH_S if all(results) else RETRY_S)

    async def refresh(self, source: SourcePlan) -> bool:
        """Write what is new in a source's list; False where the list cannot be had."""
        venue, symbols = source.venue, source.settings.symbols
        if venue.instruments is None or source.is_elsewhere:
            _log.warning("no list of instruments", venue=venue.name, why="rest_url is not given")
            return True
        try:
            queries = venue.instruments([each for each in symbols if each != "*"])
            rest = self._rest_of(source)
            found = await listed(queries, source.rest_url, rest, self._in_thread)
        except TickwireError as error:
            _log.warning("instruments not listed", venue=venue.name, error=str(error))
            return False
        for symbol, instrument in found.items():
            key = (venue.name, symbol)
            if (symbol in symbols or "*" in symbols) and self._written.get(key) != instrument:
                await self._write(venue.name, instrument)
                self._written[key] = instrument
        return True

    async def _write(self, venue: str, instrument: Instrument) -> None:
        row = instrument.shown()
        expiry_ns = row.pop("expiry_ns")
        texts = {key: row[key] or None for key in ("kind", "base", "quote", "settle", "status")}
        times = {"ts_event": None, "ts_recv": wall_ns(), "expiry": expiry_ns}
        values = row | texts | times | {"venue": venue, "conn": -1}
        await until_room(self._ring, partial(self._ring.append, **values))
