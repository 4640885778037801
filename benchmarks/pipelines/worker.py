"""One run of one peer, in a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from benchmarks.pipelines import binance, hyperliquid, peers
from benchmarks.pipelines.parsers import Parser
from benchmarks.pipelines.rows import Target

from tickwire.bench import worker
from tickwire.bench.jobs import Job, Pipeline
from tickwire.bench.meter import Collector

PEERS = (
    "picows + orjson + pyarrow",
    "picows + msgspec + pyarrow",
    "websockets + orjson + pyarrow",
    "aiohttp + orjson + pyarrow",
)
RECEIVE: dict[str, peers.Receive] = {
    "picows": peers.receive_picows,
    "websockets": peers.receive_websockets,
    "aiohttp": peers.receive_aiohttp,
}
PARSERS: dict[tuple[bool, bool], Callable[[Target], Parser]] = {
    # Binance or Hyperliquid, msgspec or orjson
    (False, False): hyperliquid.OrjsonParser,
    (False, True): hyperliquid.MsgspecParser,
    (True, False): binance.OrjsonParser,
    (True, True): binance.MsgspecParser,
}


async def decode_by_peer(job: Job, collector: Collector, done: asyncio.Future[None]) -> None:
    """Receive with another client and another parser."""
    library, _, rest = job.pipeline.partition(" + ")
    n_rows: dict[str, int] = {}
    endpoints = []
    for conn, endpoint in enumerate(job.endpoints):
        make = PARSERS[endpoint.venue.startswith("binance"), rest.startswith("msgspec")]
        endpoints.append((endpoint, make(Target(collector.add, endpoint.venue, conn, n_rows))))
    await RECEIVE[library](endpoints, job.context, done, deflated=job.case.deflated)


def receive_by_peer(job: Job, report: Callable[[Any], None]) -> None:
    """Run a peer in its process."""
    report(worker.run_decoder(job, decode_by_peer))


PIPELINES = {
    pipeline.name: pipeline
    for pipeline in (
        *worker.PIPELINES,
        *(Pipeline(name, receive_by_peer, is_slow=True) for name in PEERS),
    )
}
