"""tickwire itself, as a program uses it: a feed, and an `async for` per table."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Literal

from tickwire import FeedHandler, Source
from tickwire.bench.cases import SYMBOL, Case
from tickwire.bench.meter import Collector

Carrier = Literal["protocol", "stream", "picows"]


async def receive_tickwire(
    carrier: Carrier,
    url: str,
    ca_file: str | None,
    case: Case,
    collector: Collector,
    done: asyncio.Future[None],
) -> None:
    """Take batches of every table until the last message has been delivered."""
    source = Source(
        venue="hyperliquid",
        channels=list(case.tables),
        symbols=[SYMBOL],
        url=url,
        ca_file=Path(ca_file) if ca_file else None,
        carrier=carrier,
    )
    async with FeedHandler([source]) as feed:

        async def take(table: str) -> None:
            async for batch in feed.batches(table):
                collector.add(table, batch)

        takers = [asyncio.ensure_future(take(table)) for table in case.tables]
        try:
            await asyncio.wait({done, *takers}, return_when=asyncio.FIRST_COMPLETED)
            if not done.done():
                raise RuntimeError("the feed ended before the last message")
        finally:
            for taker in takers:
                taker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*takers)
