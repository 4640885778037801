"""Hours of traffic in minutes: nothing may grow after the first of them.

Two simulated exchanges send as many messages as they would in `--hours`, at so many times their
pace; connections break, Parquet files rotate and DuckDB checkpoints as often as they would in that
time. Memory, Python's blocks, descriptors and threads are looked at all along; those of the last
quarter are compared with those of the first quarter after the warm-up. Exits 1 where something
grew, or where less happened than should have.

    python -m tests.soak.soak --hours 8 --seconds 300 --warm-up 60
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog
from tests.soak.exchanges import VENUES
from tests.soak.gauges import Sample, growths, look

import tickwire

# What a day at two exchanges is like, before it is accelerated.
MESSAGES_PER_S = 25.0  # of each
RECONNECT_EVERY_S = 600.0  # of each
ROTATE_EVERY_S = 60.0
# Messages per second above which a busy machine would measure itself only.
MOST_MESSAGES_PER_S = 4000.0
# How many Parquet files are open at a time differs by as many as there are tables and venues; what
# is left open by each reconnect or rotation is hundreds.
ALLOWED = Sample(rss_bytes=24 << 20, blocks=3000, descriptors=10, threads=2)


@dataclass(frozen=True, slots=True)
class Plan:
    """How long, and how fast.

    Parameters
    ----------
    hours
        Of traffic.
    seconds
        That it takes.
    warm_up_s
        Of them, before the first look that counts.
    rss_bytes
        How much the resident memory may grow.
    """

    hours: float
    seconds: float
    warm_up_s: float
    rss_bytes: float

    @property
    def speed(self) -> float:
        """Times the pace of the clock."""
        return self.hours * 3600 / self.seconds

    @property
    def rate(self) -> float:
        """Messages per second of each exchange."""
        return min(MOST_MESSAGES_PER_S, MESSAGES_PER_S * self.speed)

    @property
    def reconnect_s(self) -> float:
        """Between two ends of a connection."""
        return max(1.0, RECONNECT_EVERY_S / self.speed)

    @property
    def rotate_s(self) -> float:
        """Between two Parquet files."""
        return max(0.25, ROTATE_EVERY_S / self.speed)


def feed_of(plan: Plan, addresses: dict[str, list[str]], folder: Path) -> tickwire.FeedHandler:
    """Make the feed that is looked at."""
    sources = [
        tickwire.Source(
            venue=venue,
            channels=["trades", "quotes", "book", "tickers"],
            symbols=["BTC", "ETH"] if venue == "hyperliquid" else ["BTCUSDT", "ETHUSDT"],
            url=addresses[venue][0],
            rest_url=addresses[venue][1],
            backoff_max_s=1.0,
        )
        for venue in VENUES
    ]
    sinks = [
        tickwire.DuckDBSink(path=folder / "market.duckdb", checkpoint_mb=16, memory_mb=32),
        tickwire.ParquetSink(path=folder / "data", rotate_s=plan.rotate_s),
    ]
    # Small rings wrap within the warm-up, so that all of their memory has been used by then.
    return tickwire.FeedHandler(sources, sinks, ring_rows=16_384, state_dir=folder / "state")


async def watch(plan: Plan, feed: tickwire.FeedHandler, folder: Path) -> list[Sample]:
    """Run the feed and look at the process; gives the samples after the warm-up."""
    samples = []
    every_s = plan.seconds / 120
    async with feed:
        trades = asyncio.create_task(_consume(feed))
        began_s = told_s = time.monotonic()
        while (now_s := time.monotonic()) < began_s + plan.seconds:
            await asyncio.sleep(every_s)
            sample = look()
            if now_s - began_s >= plan.warm_up_s:
                samples.append(sample)
            if now_s - told_s >= plan.seconds / 30:
                told_s = now_s
                _tell(plan, feed.summary(), sample, now_s - began_s, folder)
    await trades
    return samples


async def _consume(feed: tickwire.FeedHandler) -> None:
    """Take part as a program does."""
    async for batch in feed.batches("trades"):
        assert batch.num_rows


def _tell(plan: Plan, summary: dict[str, Any], sample: Sample, past_s: float, folder: Path) -> None:
    hours = past_s * plan.speed / 3600
    n_files = sum(1 for _ in folder.glob("data/trades/**/*.parquet"))
    print(
        f"{past_s:5.0f} s = {hours:5.2f} h: {summary['messages']:>9,} messages, "
        f"{sum(summary['rows'].values()):>10,} rows, {summary['reconnects']:>3} reconnects, "
        f"{n_files:>4} files of trades, {sample.rss_bytes / 2**20:6.1f} MiB, "
        f"{sample.blocks:,} blocks, {sample.descriptors} descriptors, {sample.threads} threads",
        flush=True,
    )


def missing(plan: Plan, summary: dict[str, Any], folder: Path) -> list[str]:
    """Say what should have happened and did not."""
    happened = {
        "messages": (summary["messages"], plan.rate * plan.seconds / 4),
        "reconnects": (summary["reconnects"], plan.seconds / plan.reconnect_s / 2),
        "messages that cannot be decoded": (sum(summary["decode_errors"].values()), 1),
        "gaps": (summary["gaps"], 1),
        "rows of books": (summary["rows"]["book"], 1000),
        "Parquet files of trades": (
            sum(1 for _ in folder.glob("data/trades/**/*.parquet")),
            plan.seconds / plan.rotate_s / 4,
        ),
        "checkpoints": (summary["sink_stalls"]["duckdb"]["count"], 1),
    }
    wrong = [
        f"{what}: {count:,}, expected {least:,.0f} or more"
        for what, (count, least) in happened.items()
        if count < least
    ]
    committed = summary["rows_committed"]
    wrong += [
        f"{sink}: {committed[sink][table]:,} of {n_rows:,} rows of {table}"
        for table, n_rows in summary["rows"].items()
        for sink in ("duckdb", "parquet")
        if committed[sink][table] != n_rows
    ]
    return wrong


async def soak(plan: Plan, folder: Path) -> int:
    """Do it all; gives the exit code."""
    exchanges = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.soak.exchanges", str(plan.rate), str(plan.reconnect_s),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert exchanges.stdin is not None
    assert exchanges.stdout is not None
    try:
        addresses = json.loads(await exchanges.stdout.readline())
        feed = feed_of(plan, addresses, folder)
        samples = await watch(plan, feed, folder)
    finally:
        exchanges.stdin.close()
        await exchanges.wait()
    summary = feed.summary()
    found = growths(samples, replace(ALLOWED, rss_bytes=plan.rss_bytes))
    wrong = missing(plan, summary, folder)
    span = f"{plan.hours:g} h of traffic in {plan.seconds:g} s"
    print(f"{span}; first after {plan.warm_up_s:g} s, then at the end:")
    print("\n".join(map(str, found)))
    print("\n".join(wrong) or "Everything that should happen has happened.")
    return 1 if wrong or any(growth.is_too_much for growth in found) else 0


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description="Hours of traffic in minutes: nothing may grow.")
    parser.add_argument("--hours", type=float, default=8.0, help="of traffic")
    parser.add_argument("--seconds", type=float, default=300.0, help="that it takes")
    parser.add_argument("--warm-up", type=float, default=60.0, help="of them, in seconds")
    parser.add_argument("--rss-mb", type=float, default=24.0, help="that memory may grow by")
    arguments = parser.parse_args()
    plan = Plan(arguments.hours, arguments.seconds, arguments.warm_up, arguments.rss_mb * 2**20)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory(prefix="tickwire-soak-") as folder:
        return tickwire.run(soak(plan, Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
