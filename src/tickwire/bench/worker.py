"""One run of one pipeline, in a process of its own: `python -m tickwire.bench.worker`.

Reads a JSON object from its arguments, prints one as its last line. A module that knows other
pipelines calls `main` with its own way to receive.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
import uvloop

from tickwire.bench.answer import Answer
from tickwire.bench.cases import CASES, SYMBOL, VENUE_TYPES, Amount, Case
from tickwire.bench.meter import Collector, Meter
from tickwire.bench.ours import receive_tickwire
from tickwire.bench.yardsticks import receive_empty, receive_nothing

EMPTY = "picows, empty callback"
RECV = "recv alone"
YARDSTICKS = (EMPTY, RECV)
TICKWIRE = ("tickwire[protocol]", "tickwire[stream]", "tickwire[picows]")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline that can be measured.

    Parameters
    ----------
    name
        As in the results.
    module
        What runs it: `python -m` this, with an order.
    is_slow
        It makes Python objects, and gets fewer messages.
    """

    name: str
    module: str = "tickwire.bench.worker"
    is_slow: bool = False

    def amount(self, case: Case) -> Amount:
        """Give how many messages a run has."""
        return case.slow if self.is_slow else case.fast


PIPELINES = tuple(Pipeline(name) for name in (*TICKWIRE, *YARDSTICKS))


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is to do.

    Parameters
    ----------
    pipeline, case
        By name.
    n_warm, n_main
        How many messages there are before the clock starts, and after.
    n_bytes
        Of the whole load, frame headers included.
    url
        Of the load generator.
    ca_file
        The authority to trust, for TLS.
    """

    pipeline: str
    case: str
    n_warm: int
    n_main: int
    n_bytes: int
    url: str
    ca_file: str | None = None

    @property
    def amount(self) -> Amount:
        """How many messages there are."""
        return Amount(self.n_warm, self.n_main)

    @property
    def context(self) -> ssl.SSLContext | None:
        """What a client needs for TLS; None for plain."""
        return ssl.create_default_context(cafile=self.ca_file) if self.ca_file else None


class Receive(Protocol):
    """How a pipeline is run: it gives batches to the collector until `done` is."""

    async def __call__(
        self, order: Order, case: Case, collector: Collector, done: asyncio.Future[None]
    ) -> None:
        """Receive until the last message has been delivered."""


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


def run(order: Order, receive: Receive) -> dict[str, Any]:
    """Run a pipeline once; give its figures, and what was wrong with its answer."""
    case = CASES[order.case]
    if order.pipeline in YARDSTICKS:
        # What is decoded by none has no answer to check.
        figures = run_yardstick(order, case).figures()
        return figures | {"rows": 0, "checked": False, "faults": []}
    answer = Answer(case.spec(order.amount.n_messages))
    collector = uvloop.run(_collect(order, case, answer, receive))
    faults = answer.finish()
    return collector.meter.figures() | {
        "rows": collector.n_rows,
        "batches": collector.n_batches,
        "checked": not faults,
        "faults": faults,
    }


def run_yardstick(order: Order, case: Case) -> Meter:
    """Read without decoding."""
    meter = Meter(order.amount)
    if order.pipeline == RECV:
        receive_nothing(order.url, requests_of(case), order.n_bytes, meter, order.context)
    else:
        uvloop.run(receive_empty(order.url, requests_of(case), meter, order.context))
    return meter


async def _collect(order: Order, case: Case, answer: Answer, receive: Receive) -> Collector:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    collector = Collector(case.tables, order.amount, answer, lambda: done.set_result(None))
    await receive(order, case, collector, done)
    return collector


async def receive_ours(
    order: Order, case: Case, collector: Collector, done: asyncio.Future[None]
) -> None:
    """Receive with tickwire, by one of its carriers."""
    carrier: Any = order.pipeline.removeprefix("tickwire[").removesuffix("]")
    await receive_tickwire(carrier, order.url, order.ca_file, case, collector, done)


def main(receive: Receive = receive_ours) -> int:
    """Do what the argument says."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    print(json.dumps(run(Order(**json.loads(sys.argv[1])), receive)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
