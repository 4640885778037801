"""One run of one pipeline, in a process of its own: `python -m benchmarks.pipelines.worker`.

Reads a JSON object from its arguments, prints one as its last line.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from dataclasses import dataclass
from typing import Any

import structlog
import uvloop
from benchmarks.pipelines.answer import Answer
from benchmarks.pipelines.cases import CASES, SYMBOL, VENUE_TYPES, Amount, Case
from benchmarks.pipelines.meter import Collector, Meter

EMPTY = "picows, empty callback"
RECV = "recv alone"
YARDSTICKS = (EMPTY, RECV)
TICKWIRE = ("tickwire[protocol]", "tickwire[stream]", "tickwire[picows]")
PEERS = (
    "picows + orjson + pyarrow",
    "picows + msgspec + pyarrow",
    "websockets + orjson + pyarrow",
    "aiohttp + orjson + pyarrow",
)
PIPELINES = (*TICKWIRE, *PEERS, *YARDSTICKS)


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is to do.

    Parameters
    ----------
    pipeline, case
        By name.
    n_bytes
        Of the whole load, frame headers included.
    url
        Of the load generator.
    ca_file
        The authority to trust, for TLS.
    """

    pipeline: str
    case: str
    n_bytes: int
    url: str
    ca_file: str | None = None

    @property
    def context(self) -> ssl.SSLContext | None:
        """What a client needs for TLS; None for plain."""
        return ssl.create_default_context(cafile=self.ca_file) if self.ca_file else None


def amount_of(case: Case, pipeline: str) -> Amount:
    """Give how many messages a run of that pipeline has."""
    return case.slow if pipeline in PEERS else case.fast


def requests_of(case: Case) -> list[str]:
    """Give the subscribe requests, as Hyperliquid takes them."""
    return [
        json.dumps(
            {
                "method": "subscribe",
                "subscription": {"type": VENUE_TYPES[table], "coin": SYMBOL},
            }
        )
        for table in case.tables
    ]


def run(order: Order) -> dict[str, Any]:
    """Run a pipeline once; give its figures, and what was wrong with its answer."""
    case = CASES[order.case]
    amount = amount_of(case, order.pipeline)
    if order.pipeline in YARDSTICKS:
        # What is decoded by none has no answer to check.
        figures = run_yardstick(order, case, amount).figures()
        return figures | {"rows": 0, "checked": False, "faults": []}
    answer = Answer(case.spec(amount.n_messages))
    collector = _run_pipeline(order, case, amount, answer)
    faults = answer.finish()
    return collector.meter.figures() | {
        "rows": collector.n_rows,
        "batches": collector.n_batches,
        "checked": not faults,
        "faults": faults,
    }


def run_yardstick(order: Order, case: Case, amount: Amount) -> Meter:
    """Read without decoding."""
    from benchmarks.pipelines.yardsticks import receive_empty, receive_nothing

    meter = Meter(amount)
    if order.pipeline == RECV:
        receive_nothing(order.url, requests_of(case), order.n_bytes, meter, order.context)
    else:
        uvloop.run(receive_empty(order.url, requests_of(case), meter, order.context))
    return meter


def _run_pipeline(order: Order, case: Case, amount: Amount, answer: Answer) -> Collector:
    async def main() -> Collector:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        collector = Collector(case.tables, amount, answer, lambda: done.set_result(None))
        await receive(order, case, collector, done)
        return collector

    return uvloop.run(main())


async def receive(
    order: Order, case: Case, collector: Collector, done: asyncio.Future[None]
) -> None:
    """Receive until the last message has been delivered, importing what that pipeline needs."""
    library, _, rest = order.pipeline.partition(" + ")
    if order.pipeline in TICKWIRE:
        from benchmarks.pipelines.ours import receive_tickwire

        carrier: Any = order.pipeline.removeprefix("tickwire[").removesuffix("]")
        await receive_tickwire(carrier, order.url, order.ca_file, case, collector, done)
        return
    from benchmarks.pipelines import parsers, peers

    parser: parsers.Parser
    if rest.startswith("msgspec"):
        parser = parsers.MsgspecParser(collector.add)
    else:
        parser = parsers.OrjsonParser(collector.add)
    receive_from = {
        "picows": peers.receive_picows,
        "websockets": peers.receive_websockets,
        "aiohttp": peers.receive_aiohttp,
    }[library]
    await receive_from(order.url, order.context, requests_of(case), parser, done)


def main() -> int:
    """Do what the argument says."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    print(json.dumps(run(Order(**json.loads(sys.argv[1])))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
