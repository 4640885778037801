"""One run of one peer, in a process of its own: `python -m benchmarks.pipelines.worker`."""

from __future__ import annotations

import asyncio
import sys

from benchmarks.pipelines import parsers, peers

from tickwire.bench import orders, worker
from tickwire.bench.meter import Collector
from tickwire.bench.orders import Order, Pipeline, requests_of

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


async def receive_peer(order: Order, collector: Collector, done: asyncio.Future[None]) -> None:
    """Receive with another client and another parser."""
    library, _, rest = order.pipeline.partition(" + ")
    parser: parsers.Parser
    if rest.startswith("msgspec"):
        parser = parsers.MsgspecParser(collector.add)
    else:
        parser = parsers.OrjsonParser(collector.add)
    receive = {
        "picows": peers.receive_picows,
        "websockets": peers.receive_websockets,
        "aiohttp": peers.receive_aiohttp,
    }[library]
    await receive(order.url, order.context, requests_of(order.case), parser, done)


if __name__ == "__main__":
    sys.exit(worker.main(receive_peer))
