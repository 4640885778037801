"""One run of one peer, in a process of its own: `python -m benchmarks.pipelines.worker`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from benchmarks.pipelines import binance, hyperliquid, peers
from benchmarks.pipelines.parsers import Parser
from benchmarks.pipelines.rows import Target

from tickwire.bench import orders, worker
from tickwire.bench.meter import Collector
from tickwire.bench.orders import Order, Pipeline

PEERS = (
    "picows + orjson + pyarrow",
    "picows + msgspec + pyarrow",
    "websockets + orjson + pyarrow",
    "aiohttp + orjson + pyarrow",
)
PIPELINES = {
    pipeline.name: pipeline
    for pipeline in (
        *orders.PIPELINES,
        *(Pipeline(name, "benchmarks.pipelines.worker", is_slow=True) for name in PEERS),
    )
}


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


async def receive_peer(order: Order, collector: Collector, done: asyncio.Future[None]) -> None:
    """Receive with another client and another parser."""
    library, _, rest = order.pipeline.partition(" + ")
    n_rows: dict[str, int] = {}
    links = []
    for conn, link in enumerate(order.links):
        make = PARSERS[link.venue.startswith("binance"), rest.startswith("msgspec")]
        links.append((link, make(Target(collector.add, link.venue, conn, n_rows))))
    await RECEIVE[library](links, order.context, done, deflated=order.case.deflated)


if __name__ == "__main__":
    sys.exit(worker.main(receive_peer))
