"""What a feed costs while nothing comes, by sources: `python -m benchmarks.idle`.

Rules of this file
------------------
- Each source has a connection, a symbol and one message, sent when all are subscribed; what follows
  is silence. Its first seconds, in which caches fill and things are learned, are not in the figure.
- CPU is the clock's. `--instructions` counts with callgrind instead: what a busy machine cannot
  spoil, for it is the same looks a second however slow each is. Of these, user space is seen alone.
- A venue's limits of connects are not what is measured: this one has none.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import uvloop
from benchmarks.callgrind import functions_of, totals_of, under_callgrind
from benchmarks.many import NO_LIMITS

from tickwire import FeedHandler, Source
from tickwire.bench.fleet import FleetServer
from tickwire.bench.load import LoadSpec
from tickwire.venues import load

SECONDS, CALM_S = 10.0, 3.0
MOST_MS = 0.8  # of CPU in a second, one source
N_MOST = 25  # functions
LATE_S = 300.0


async def idle(url: str, coins: tuple[str, ...], seconds: float) -> dict[str, float]:
    """Take each coin's message, and measure what comes after."""
    free = replace(load("hyperliquid"), limits=NO_LIMITS)
    sources = [
        Source(
            venue=free, channels=["trades"], symbols=[coin], url=url, proxy="off",
            connect_timeout_s=120.0, first_message_s=600.0, stale_after_s=600.0,
        )
        for coin in coins
    ]  # fmt: skip
    async with FeedHandler(sources) as feed:
        n_rows = 0
        async for batch in feed.batches("trades", form="light"):
            n_rows += batch.num_rows
            if n_rows >= len(coins):
                break
        await asyncio.sleep(CALM_S)
        os.ctermid()
        began, began_ns = resource.getrusage(resource.RUSAGE_SELF), time.process_time_ns()
        await asyncio.sleep(seconds)
        ended, cpu_ns = resource.getrusage(resource.RUSAGE_SELF), time.process_time_ns()
        os.ctermid()
    wakes = ended.ru_nvcsw - began.ru_nvcsw
    return {"ms": (cpu_ns - began_ns) / 1e6 / seconds, "wakes": wakes / seconds}


def measure(n_sources: int, seconds: float, folder: Path | None) -> dict[str, float]:
    """Measure a feed of so many sources, in a process of its own.

    Parameters
    ----------
    n_sources, seconds
        How many, and how long.
    folder
        Where callgrind writes what it counts; None: it does not.
    """
    coins = tuple(f"C{number:04d}" for number in range(n_sources))
    spec = LoadSpec(
        n_messages=n_sources, tape_messages=n_sources, coins=coins, rate=1_000.0,
        n_connections=n_sources, n_requests=1,
    )  # fmt: skip
    command = [sys.executable, "-m", "benchmarks.idle"]
    if folder is not None:
        command = [*under_callgrind(folder / "counts"), *command]
    with FleetServer(spec) as server:
        child = [*command, "--child", server.url, "--sources", str(n_sources)]
        child += ["--seconds", str(seconds)]
        done = subprocess.run(  # noqa: S603 - our own program
            child, stdout=subprocess.PIPE, text=True, check=True, timeout=LATE_S + seconds
        )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    if folder is not None:
        found["instructions"] = totals_of(folder / "counts.2")["Ir"] / seconds
    return found


def main(arguments: list[str] | None = None) -> int:
    """Measure and judge; 1 where one source takes too much."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.idle", description=__doc__)
    parser.add_argument("--sources", type=int, action="append", help="may be repeated; 1 and 100")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--instructions", action="store_true", help="count them, with valgrind")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    numbers = options.sources or [1, 100]
    if min(numbers) < 1 or not options.seconds > 0:
        parser.error("a source at least, and some time")
    if options.child:
        coins = tuple(f"C{number:04d}" for number in range(numbers[0]))
        print(json.dumps(uvloop.run(idle(options.child, coins, options.seconds))), flush=True)
        return 0
    if options.instructions and shutil.which("valgrind") is None:
        print("SKIPPED: there is no valgrind")
        return 0
    is_missed = False
    for n_sources in numbers:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) if options.instructions else None
            found = measure(n_sources, options.seconds, folder)
            line = f"{n_sources:,} sources: {found['wakes']:.1f} wakes a second"
            if folder is None:
                is_missed |= n_sources == 1 and found["ms"] > MOST_MS
                print(f"{line}, {found['ms']:.2f} ms of CPU a second (one: at most {MOST_MS})")
                continue
            print(f"{line}, {found['instructions']:,.0f} instructions a second")
            for function, n in functions_of(folder / "counts.2").most_common(N_MOST):
                print(f"{n / options.seconds:>14,.0f}  {function}")
    return int(is_missed)


if __name__ == "__main__":
    sys.exit(main())
