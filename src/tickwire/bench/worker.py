"""One run of one pipeline, in a process of its own."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import uvloop

from tickwire.bench.answer import Answer
from tickwire.bench.baselines import receive_empty, receive_nothing
from tickwire.bench.expected import Expected
from tickwire.bench.jobs import BASELINES, RECV, TICKWIRE, Job, Pipeline
from tickwire.bench.meter import Collector, Meter
from tickwire.bench.tickwire_pipeline import receive_tickwire


class Decode(Protocol):
    """How a pipeline is run: it gives batches to the collector until `done` is."""

    async def __call__(self, job: Job, collector: Collector, done: asyncio.Future[None]) -> None:
        """Receive until the last message has been delivered."""


def run_decoder(job: Job, decode: Decode) -> dict[str, Any]:
    """Run a pipeline once; give its figures, and what was wrong with its answer."""
    try:
        answer = Answer(Expected.load(Path(job.answer)))
        collector = uvloop.run(_collect(job, answer, decode))
        faults = answer.finish()
        return collector.meter.figures() | {
            "ended_ns": collector.meter.ended_ns,
            "rows": collector.n_rows,
            "batches": collector.n_batches,
            "checked": not faults,
            "faults": faults,
        }
    finally:
        gc.unfreeze()  # where it failed, its meter has not been stopped


async def _collect(job: Job, answer: Answer, decode: Decode) -> Collector:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    last_table = job.case.tables[-1]
    collector = Collector(job.amount, last_table, answer, lambda: done.set_result(None))
    await decode(job, collector, done)
    return collector


def read_baseline(job: Job) -> Meter:
    """Read without decoding."""
    meter = Meter(job.amount)
    if job.pipeline == RECV:
        receive_nothing(job, meter)
    else:
        uvloop.run(receive_empty(job, meter))
    return meter


def receive_baseline(job: Job, report: Callable[[Any], None]) -> None:
    """Run a baseline in its process."""
    try:
        meter = read_baseline(job)
    finally:
        gc.unfreeze()
    # What decodes nothing has no answer to check.
    none = {"rows": 0, "checked": False, "faults": []}
    report(meter.figures() | none | {"ended_ns": meter.ended_ns})


async def decode_by_tickwire(job: Job, collector: Collector, done: asyncio.Future[None]) -> None:
    """Receive with tickwire, by one of its carriers."""
    carrier: Any = job.pipeline.removeprefix("tickwire[").removesuffix("]")
    await receive_tickwire(carrier, job, collector, done)


def receive_by_tickwire(job: Job, report: Callable[[Any], None]) -> None:
    """Run tickwire in its process."""
    report(run_decoder(job, decode_by_tickwire))


PIPELINES = (
    *(Pipeline(name, receive_by_tickwire) for name in TICKWIRE),
    *(Pipeline(name, receive_baseline) for name in BASELINES),
)
