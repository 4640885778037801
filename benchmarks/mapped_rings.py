"""What rings in files cost: `python -m benchmarks.mapped_rings [--disk DIR] [--tmpfs DIR]`.

A feed takes trades at full speed, its rings in memory or in files, on a disk and on a tmpfs, with
the disk idle and busy with another process's writes and syncs. Feeds take turns; each mapped one is
divided by the anonymous one of its round. Shown are the median of the ratios of CPU per message,
and of the latencies from read to ring.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import structlog
import uvloop

from tickwire import FeedHandler, Source
from tickwire.bench.cases import SYMBOL
from tickwire.bench.load import LoadServer, LoadSpec

MOST_RATIO = 1.03
BUSY_BYTES = 64 << 20
RING_ROWS = 262_144


class Cost(NamedTuple):
    """Of one run.

    Parameters
    ----------
    cpu_ns
        Per message, user and kernel.
    p99_us, max_us
        From read to ring.
    """

    cpu_ns: float
    p99_us: float
    max_us: float


async def measure(n_messages: int, rings: Path | None) -> Cost:
    """Run a feed of trades; without a folder its rings are in memory."""
    with tempfile.TemporaryDirectory(prefix="tickwire-state-") as state:
        spec = LoadSpec("trades", n_messages)
        with LoadServer(spec) as server:
            source = Source(
                venue="hyperliquid", channels=["trades"], symbols=[SYMBOL], url=server.url
            )
            feed = FeedHandler([source], state_dir=state, ring_dir=rings, ring_rows=RING_ROWS)
            await feed.start()
            taking = asyncio.ensure_future(_take(feed))
            cpu = time.process_time()
            while feed.summary()["messages"] < n_messages:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.05)
            cpu_ns = (time.process_time() - cpu) / n_messages * 1e9
            latency = feed.summary()["latency_us"]["read_to_ring"]
            await feed.stop()
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)
    return Cost(cpu_ns, latency["p99"], latency["max"])


async def _take(feed: FeedHandler) -> None:
    async for _ in feed.batches("trades"):
        pass


@contextlib.contextmanager
def busy(folder: Path) -> Iterator[None]:
    """Write to a disk meanwhile, and sync, again and again."""

    def write() -> None:
        block = os.urandom(1 << 20)
        with tempfile.TemporaryFile(dir=folder) as file:
            while True:
                file.seek(0)
                for _ in range(BUSY_BYTES // len(block)):
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())

    process = get_context("fork").Process(target=write)  # its CPU is not the feed's
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def compare(name: str, folder: Path, n_messages: int, rounds: int) -> float:
    """Print what files in a folder cost beside memory; give the median ratio."""
    ratios, mapped, anonymous = [], [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="tickwire-rings-", dir=folder) as rings:
            anonymous.append(uvloop.run(measure(n_messages, None)))
            mapped.append(uvloop.run(measure(n_messages, Path(rings))))
        ratios.append(mapped[-1].cpu_ns / anonymous[-1].cpu_ns)
    ratio = statistics.median(ratios)

    def middle(costs: list[Cost]) -> str:
        cpu, p99, most = (statistics.median(each) for each in zip(*costs, strict=True))
        return f"{cpu:,.0f} ns, p99 {p99:,.0f} us, max {most:,.0f} us"

    print(
        f"{name}: ratio {ratio:.3f} ({min(ratios):.3f} to {max(ratios):.3f}); "
        f"files {middle(mapped)}; memory {middle(anonymous)}",
        flush=True,
    )
    return ratio


def main(arguments: list[str] | None = None) -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mapped_rings", description=__doc__)
    parser.add_argument("--disk", type=Path, default=Path())
    parser.add_argument("--tmpfs", type=Path, default=Path("/dev/shm"))  # noqa: S108 - what it is for
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args(arguments)
    ratios = []
    for name, folder in (("disk", given.disk), ("tmpfs", given.tmpfs)):
        ratios.append(compare(f"{name}, idle", folder, given.messages, given.rounds))
        with busy(given.disk):
            ratios.append(compare(f"{name}, disk busy", folder, given.messages, given.rounds))
    return 1 if max(ratios) > MOST_RATIO else 0


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    sys.exit(main())
