"""What being watched costs a feed: `python -m benchmarks.watching`.

Runs take turns (`in_turns`), with rows that end in Parquet: a bare feed, and one that is watched:
metrics scraped every second, and four alerts. The figure is CPU of the feed's process per message.
A scrape of 1,000 series is measured apart: its CPU, of which a scrape a second may take 1 % of a
core, and for how much of it the loop does nothing else, at most 2 ms. `--rounds 0` measures that
alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import uvloop
from benchmarks.in_turns import InTurns, costs, judge
from benchmarks.verdicts import all_held

from tickwire import AlertSettings, FeedHandler, MetricsSettings, ParquetSink, Source
from tickwire.bench.cases import SYMBOL
from tickwire.feed.probe import FeedProbe
from tickwire.health import Exposition, HealthServer
from tickwire.observe import Metrics, Registry

MOST = 1.03  # of CPU per message, watched against bare
N_SERIES = 1000
MOST_SCRAPE_MS = 10.0  # of CPU: 1 % of a core for one a second
MOST_TURN_MS = 2.0
RULES = (
    "ring_depth > 0.8 for 5s",
    "rate(messages) < 1 for 30s",
    "p99(read_to_commit_seconds) > 1",
    "gaps_open > 0 for 1m",
)


async def _feed(url: str, folder: Path, n_messages: int, is_watched: bool) -> dict[str, Any]:
    """Take that many messages; give what one of them costs."""
    source = Source(venue="hyperliquid", channels=["trades"], symbols=[SYMBOL], url=url)
    watched: dict[str, Any] = {}
    if is_watched:
        watched = {
            "metrics": MetricsSettings(listen="127.0.0.1:0"),
            "alerts": [AlertSettings(name=rule, when=rule) for rule in RULES],
        }
    else:

        def nothing(probe: FeedProbe) -> None:
            del probe

        FeedProbe.start = nothing  # type: ignore[method-assign] # not even housekeeping
    sink = ParquetSink(path=folder / "data", rotate_s=2)
    async with FeedHandler(source, sink, state_dir=folder / "state", **watched) as feed:
        print(feed.metrics_url or "-", flush=True)
        assert feed.pipeline is not None
        (cpu_ns,) = await costs(feed.pipeline, n_messages, time.process_time_ns)
    return {"cpu_ns": cpu_ns}


def _scrape(child: subprocess.Popen[str], url: str) -> None:
    """Scrape a feed that is watched, once a second, until it ends."""
    while child.poll() is None and url.startswith("http"):
        with contextlib.suppress(OSError):  # it may be over
            urllib.request.urlopen(f"{url}/metrics", timeout=5).read()  # noqa: S310
        time.sleep(1.0)


class _Still:
    """A feed with nothing to say."""

    text_age_s = 0.0

    def components(self) -> list[Any]:
        """Give none."""
        return []

    def is_ready(self) -> bool:
        """Say yes."""
        return True

    def is_live(self) -> bool:
        """Say yes."""
        return True

    def details(self) -> dict[str, Any]:
        """Give none."""
        return {}


SCRAPER = """
import sys, time, urllib.request
for _ in range(int(sys.argv[2])):
    urllib.request.urlopen(sys.argv[1]).read()
    time.sleep(0.1)
"""


async def _scrapes(n: int) -> tuple[float, float]:
    """Give the CPU of a scrape in s, and the longest time that one keeps the loop, in ms of CPU.

    CPU of this thread: what other processes of the machine do is no part of it.
    """
    registry = Registry()
    for number in range(N_SERIES):
        labels = {"source": str(number), "venue": "binance", "reason": "not_json"}
        Metrics(registry).counter("decode_errors", **labels).add(number)
    server = HealthServer(_Still(), Exposition(registry), ("127.0.0.1", 0), None)
    await server.start()
    scraper = [sys.executable, "-c", SCRAPER, f"{server.url}/metrics", str(n)]

    async def scrape() -> float:
        process = await asyncio.create_subprocess_exec(*scraper)
        began_s = time.thread_time()
        await process.wait()
        return time.thread_time() - began_s

    cpu_s = await scrape() / n
    turns_s: list[float] = []

    async def spin() -> None:
        while True:
            before_s = time.thread_time()
            await asyncio.sleep(0)
            turns_s.append(time.thread_time() - before_s)

    spinning = asyncio.create_task(spin())
    await scrape()
    spinning.cancel()
    await server.stop()
    longest_s = sorted(turns_s)[-n:]  # about one for each scrape
    return cpu_s, statistics.median(longest_s) * 1e3


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and exit 1 where the gate is missed."""
    turns = InTurns("benchmarks.watching", _feed, _scrape)
    options = turns.options(arguments, doc=__doc__, rate=20_000.0, seconds=10.0)
    cpu_s, late_ms = uvloop.run(_scrapes(50))
    print(
        f"a scrape of {N_SERIES:,} series: {cpu_s * 1e3:.2f} ms of CPU, "
        f"at most {late_ms:.2f} ms of it in one turn of the loop"
    )
    is_light = all_held(
        [
            (cpu_s * 1e3 <= MOST_SCRAPE_MS, f"a scrape at most {MOST_SCRAPE_MS:g} ms of CPU"),
            (late_ms <= MOST_TURN_MS, f"at most {MOST_TURN_MS:g} ms of it in one turn"),
        ]
    )
    if not options.rounds:
        sys.exit(not is_light)
    ratios = []
    for bare, watched in turns.rounds(options):
        ratios.append(watched["cpu_ns"] / bare["cpu_ns"])
        print(
            f"bare {bare['cpu_ns']:,.0f} ns, watched {watched['cpu_ns']:,.0f} ns, "
            f"ratio {ratios[-1]:.3f}",
            flush=True,
        )
    judge(ratios, MOST, is_right=is_light)


if __name__ == "__main__":
    main()
