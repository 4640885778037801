"""One run of one pipeline, in a process of its own: `python -m tickwire.bench.worker`.

Reads a JSON object from standard input, prints one as its last line. A module that knows other
pipelines calls `main` with its own way to receive.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from pathlib import Path
from typing import Any, Protocol

import structlog
import uvloop

from tickwire.bench.answer import Answer
from tickwire.bench.expected import Expected
from tickwire.bench.meter import Collector, Meter
from tickwire.bench.orders import RECV, YARDSTICKS, Order
from tickwire.bench.ours import receive_tickwire
from tickwire.bench.yardsticks import receive_empty, receive_nothing
from tickwire.errors import TickwireError


class Receive(Protocol):
    """How a pipeline is run: it gives batches to the collector until `done` is."""

    async def __call__(
        self, order: Order, collector: Collector, done: asyncio.Future[None]
    ) -> None:
        """Receive until the last message has been delivered."""


def run(order: Order, receive: Receive) -> dict[str, Any]:
    """Run a pipeline once; give its figures, and what was wrong with its answer."""
    try:
        return _run(order, receive)
    finally:
        gc.unfreeze()  # where it failed, its meter has not been stopped


def _run(order: Order, receive: Receive) -> dict[str, Any]:
    if order.pipeline in YARDSTICKS:
        # What is decoded by none has no answer to check.
        meter = run_yardstick(order)
        none = {"rows": 0, "checked": False, "faults": []}
        return meter.figures() | none | {"ended_ns": meter.ended_ns}
    answer = Answer(Expected.load(Path(order.answer)))
    collector = uvloop.run(_collect(order, answer, receive))
    faults = answer.finish()
    return collector.meter.figures() | {
        "ended_ns": collector.meter.ended_ns,
        "rows": collector.n_rows,
        "batches": collector.n_batches,
        "checked": not faults,
        "faults": faults,
    }


def run_yardstick(order: Order) -> Meter:
    """Read without decoding."""
    meter = Meter(order.amount)
    if order.pipeline == RECV:
        receive_nothing(order, meter)
    else:
        uvloop.run(receive_empty(order, meter))
    return meter


async def _collect(order: Order, answer: Answer, receive: Receive) -> Collector:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    last_table = order.case.tables[-1]
    collector = Collector(order.amount, last_table, answer, lambda: done.set_result(None))
    await receive(order, collector, done)
    return collector


async def receive_ours(order: Order, collector: Collector, done: asyncio.Future[None]) -> None:
    """Receive with tickwire, by one of its carriers."""
    carrier: Any = order.pipeline.removeprefix("tickwire[").removesuffix("]")
    await receive_tickwire(carrier, order, collector, done)


def main(receive: Receive = receive_ours) -> int:
    """Do what standard input says."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    try:
        done = run(Order.from_json(sys.stdin.read()), receive)
    except (TickwireError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(done))
    return 0


if __name__ == "__main__":
    sys.exit(main())
