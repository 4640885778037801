"""tickwire itself, as a program uses it: a feed, and an `async for` per table."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from tickwire import FeedHandler, Source
from tickwire.bench.jobs import Endpoint, Job
from tickwire.bench.meter import Collector
from tickwire.venues import load

Carrier = Literal["protocol", "stream", "picows"]
UNPACED = 1_000_000


def sources_of(job: Job, carrier: Carrier) -> list[Source]:
    """Give a source per address; one address may have several connections."""
    by_url: dict[str, list[Endpoint]] = {}
    for endpoint in job.endpoints:
        by_url.setdefault(without_path(endpoint.url), []).append(endpoint)
    return [
        Source(
            venue=_unpaced(endpoints[0].venue, len(endpoints[0].requests)),
            channels=list(job.case.tables),
            symbols=[symbol for endpoint in endpoints for symbol in endpoint.symbols],
            url=url,
            proxy="off",
            rest_url=job.rest_url or None,
            ca_file=Path(job.ca_file) if job.ca_file else None,
            carrier=carrier,
            compression="deflate" if job.case.deflated else "auto",
        )
        for url, endpoints in by_url.items()
    ]


def without_path(url: str) -> str:
    """Give the address alone: a path in a source's `url` would replace that of every endpoint."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _unpaced(name: str, n_requests: int) -> Any:
    """Give the venue without the limits that keep a client from hurrying a real exchange.

    Parameters
    ----------
    name
        Of the venue.
    n_requests
        Subscriptions that share a connection, where a request is one.
    """
    venue = load(name)
    limits = replace(venue.limits, requests_per_s=UNPACED, connects_per_min=UNPACED)
    if limits.subscriptions_per_request == 1:
        limits = replace(limits, subscriptions_per_connection=n_requests)
    return replace(venue, limits=limits)


async def receive_tickwire(
    carrier: Carrier, job: Job, collector: Collector, done: asyncio.Future[None]
) -> None:
    """Take batches of every table until the last message has been delivered."""
    async with FeedHandler(sources_of(job, carrier)) as feed:

        async def take(table: str) -> None:
            async for batch in feed.batches(table):
                collector.add(table, batch)

        takers = [asyncio.ensure_future(take(table)) for table in job.case.tables]
        try:
            await asyncio.wait({done, *takers}, return_when=asyncio.FIRST_COMPLETED)
            if not done.done():
                raise RuntimeError("the feed ended before the last message")
        finally:
            for taker in takers:
                taker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*takers)
