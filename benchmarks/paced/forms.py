"""tickwire at a pace, in each form in which a program can take its rows.

Rules of this file
------------------
- The time is taken once per batch or row that the program gets.
- What a form reads of the rows is what its users would: rows and light batches their prices, whose
  sum is compared; of record batches one in 64 is kept and compared whole. The rows themselves are
  compared one by one, in the ring.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic_ns

import uvloop

from tickwire import FeedHandler
from tickwire.bench.arrivals import Arrivals
from tickwire.bench.receivers import (
    KEPT_EVERY,
    KeptBatches,
    Plan,
    Progress,
    receive_to_batch,
    run_feed,
)

Report = Callable[[Arrivals], None]
CONSUMER_S = 0.05
LINGER_MS = 5
COALESCE_US = 500

__all__ = [
    "receive_coalesced",
    "receive_light",
    "receive_lingering",
    "receive_lingering_light",
    "receive_now_and_then",
    "receive_rows",
    "receive_to_batch",
]


def receive_light(plan: Plan, report: Report) -> None:
    """Take light batches by `async for`, and add up their prices."""
    uvloop.run(run_feed(plan, report, _light))


def receive_rows(plan: Plan, report: Report) -> None:
    """Take rows by `async for`, and add up their prices."""
    uvloop.run(run_feed(plan, report, _rows))


def receive_lingering(plan: Plan, report: Report) -> None:
    """Take record batches by `async for`, with `linger_ms=5`."""
    uvloop.run(run_feed(plan, report, _lingering))


def receive_lingering_light(plan: Plan, report: Report) -> None:
    """The same with light batches, whose prices are added up."""
    uvloop.run(run_feed(plan, report, _lingering_light))


def receive_now_and_then(plan: Plan, report: Report) -> None:
    """Let the rows lie in the ring; a consumer takes them every 50 ms."""
    uvloop.run(run_feed(plan, report, _now_and_then))


def receive_coalesced(plan: Plan, report: Report) -> None:
    """The same from a source with `coalesce_us=500`."""
    uvloop.run(run_feed(plan, report, _now_and_then, coalesce_us=COALESCE_US))


async def _now_and_then(feed: FeedHandler, progress: Progress, kept: KeptBatches) -> None:
    n_rows = n_batches = 0
    with feed.batches("trades") as consumer:
        while True:
            await asyncio.sleep(CONSUMER_S)
            if consumer.empty():
                continue
            batch = consumer.get_nowait()
            now_ns = monotonic_ns()
            n_rows += batch.num_rows
            progress.add(now_ns, n_rows)
            n_batches += 1
            if n_batches % KEPT_EVERY == 0:
                kept.add(n_rows - batch.num_rows, batch)


async def _light(feed: FeedHandler, progress: Progress, kept: KeptBatches) -> None:
    n_rows = 0
    add = progress.add
    async for batch in feed.batches("trades", form="light"):
        now_ns = monotonic_ns()
        kept.price_sum += sum(batch.to_pylist("price"))
        kept.n_priced += batch.num_rows
        n_rows += batch.num_rows
        add(now_ns, n_rows)
        del batch  # dropped when it has been used, not when the next one comes


async def _rows(feed: FeedHandler, progress: Progress, kept: KeptBatches) -> None:
    n_rows = 0
    add = progress.add
    async for row in feed.rows("trades"):
        now_ns = monotonic_ns()
        kept.price_sum += row.price
        kept.n_priced += 1
        n_rows += 1
        add(now_ns, n_rows)


async def _lingering_light(feed: FeedHandler, progress: Progress, kept: KeptBatches) -> None:
    n_rows = 0
    add = progress.add
    async for batch in feed.batches("trades", form="light", linger_ms=LINGER_MS):
        now_ns = monotonic_ns()
        kept.price_sum += sum(batch.to_pylist("price"))
        kept.n_priced += batch.num_rows
        n_rows += batch.num_rows
        add(now_ns, n_rows)
        del batch


async def _lingering(feed: FeedHandler, progress: Progress, kept: KeptBatches) -> None:
    n_rows = n_batches = 0
    async for batch in feed.batches("trades", linger_ms=LINGER_MS):
        n_rows += batch.num_rows
        progress.add(monotonic_ns(), n_rows)
        n_batches += 1
        if n_batches % KEPT_EVERY == 0:
            kept.add(n_rows - batch.num_rows, batch)
        del batch
