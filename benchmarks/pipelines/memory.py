"""Peak memory of a feed that runs long.

No sink; an `async for` drops every batch. A process per run, as its peak is that of its life.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import uvloop

from tickwire import FeedHandler, Source
from tickwire.bench.load import LoadServer, LoadSpec
from tickwire.bench.processes import ReceiverProcess

N_SMALL, N_LARGE = 1_000_000, 10_000_000
RUNS = 3
TIMEOUT_S = 120.0


@dataclass(slots=True)
class MemoryResult:
    """Runs of so many messages.

    Parameters
    ----------
    n_messages
        In each.
    peaks
        Peak resident memory, bytes.
    faults
        What was wrong.
    """

    n_messages: int
    peaks: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Of the peaks."""
        return statistics.median(self.peaks)

    def to_dict(self) -> dict[str, Any]:
        """Give what the results file has."""
        return {
            "case": "trades/ws, memory",
            "pipeline": "tickwire[protocol]",
            "messages": self.n_messages,
            "rows": self.n_messages,
            "checked": not self.faults,
            "peak_rss_bytes": self.median,
            "runs": [{"peak_rss_bytes": peak} for peak in self.peaks],
        }


def measure_memory(
    sizes: Sequence[int] = (N_SMALL, N_LARGE),
    n_runs: int = RUNS,
    *,
    tell: Callable[[str], None] = print,
) -> list[MemoryResult]:
    """Measure runs of each size in turn."""
    results = [MemoryResult(n_messages) for n_messages in sizes]
    for number in range(n_runs):
        for result in results:
            run = run_once(result.n_messages)
            result.peaks.append(run["peak_rss_bytes"])
            result.faults += run["faults"]
            tell(
                f"{'memory':<25} {number + 1}/{n_runs} {result.n_messages:>10,} messages "
                f"{run['peak_rss_bytes'] / 1e6:9,.1f} MB"
                + "".join(f"  WRONG: {fault}" for fault in run["faults"])
            )
    return results


def run_once(n_messages: int) -> dict[str, Any]:
    """Run a feed in a process of its own."""
    with LoadServer(LoadSpec(n_messages=n_messages)) as server, ReceiverProcess(drop) as receiver:
        receiver.begin((server.url, n_messages))
        run: dict[str, Any] = receiver.result(TIMEOUT_S)
    return run


def drop(job: tuple[str, int], report: Callable[[Any], None]) -> None:
    """Do one run, in its process."""
    report(uvloop.run(drop_all(*job)))


async def drop_all(url: str, n_messages: int) -> dict[str, Any]:
    """Take every batch and drop it; gives the peak, and whether each row came once."""
    source = Source(venue="hyperliquid", channels=["trades"], symbols=["BTC"], url=url)
    faults = []
    async with FeedHandler([source]) as feed:
        n_rows, next_seq = 0, 0
        async for batch in feed.batches("trades"):
            if batch["seq"][0].as_py() != next_seq:
                faults.append(f"rows are missing before {batch['seq'][0]}")
            n_rows += batch.num_rows
            next_seq = batch["seq"][-1].as_py() + 1
            if n_rows >= n_messages:
                break
        summary = feed.summary()
    if n_rows != n_messages or summary["dropped_rows"]:
        faults.append(f"{n_rows} rows instead of {n_messages}")
    return {"peak_rss_bytes": summary["peak_rss_bytes"], "faults": faults[:3]}
