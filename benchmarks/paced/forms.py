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

__all__ = ["receive_now_and_then", "receive_to_batch"]


def receive_now_and_then(plan: Plan, report: Report) -> None:
    """Let the rows lie in the ring; a consumer takes them every 50 ms."""
    uvloop.run(run_feed(plan, report, _now_and_then))


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
