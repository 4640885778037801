"""Readers in other processes beside a feed at full speed: `python -m benchmarks.attach`.

Three readers follow the trades of one feed: one reads along, one is stopped for some seconds by
SIGSTOP, one is killed. Rows seen and rows missed must be all rows, and none torn: the sender
repeats its messages with fresh ids, so each row's other cells follow from its id. Then the feed's
CPU per message with two readers is compared with that of a feed alone, in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import structlog
import uvloop

import tickwire
from tickwire import FeedHandler, Source
from tickwire.bench.cases import SYMBOL
from tickwire.bench.load import LoadServer, LoadSpec
from tickwire.errors import TickwireError

TAPE = 10_000
MOST_RATIO = 1.03
SETTLE_S = 0.3


class Torn:
    """Counts rows whose cells do not belong together: each follows from the trade's id."""

    def __init__(self) -> None:
        self.n_rows = 0
        self._expected = np.full((2, TAPE), np.nan)

    def look(self, batch: tickwire.Batch) -> None:
        """Count those of a batch."""
        ids = np.array(batch["trade_id"].tolist(), np.int64)
        self.n_rows += int((np.diff(ids) != np.diff(batch["seq"])).sum())
        at = ids % TAPE
        for expected, name in zip(self._expected, ("price", "size"), strict=True):
            found = batch[name]
            first = np.isnan(expected[at])
            expected[at[first]] = found[first]
            self.n_rows += int((expected[at] != found).sum())


def read(folder: Path) -> None:
    """Wait for a feed, follow it to its end, and print what came."""
    torn = Torn()
    rows = 0
    print("waits", flush=True)
    with attached(folder) as ring:
        first = ring.next_seq
        for batch in ring:
            rows += len(batch)
            torn.look(batch)
        last = ring.next_seq
        found = {"first": first, "last": last, "rows": rows, "missed": ring.missed}
        found["torn"] = torn.n_rows
    print(json.dumps(found), flush=True)


def attached(folder: Path) -> tickwire.AttachedRing:
    """Attach to a feed as soon as its rings are there."""
    while True:
        with contextlib.suppress(TickwireError):
            return tickwire.attach(folder, "trades")
        time.sleep(0.002)


@contextlib.contextmanager
def readers(folder: Path, n: int) -> Iterator[list[subprocess.Popen[str]]]:
    """Start some, and wait until they look for the feed."""
    command = [sys.executable, "-m", "benchmarks.attach", "--read", str(folder)]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own
        for _ in range(n)
    ]
    try:
        for each in started:
            assert each.stdout is not None
            assert each.stdout.readline() == "waits\n"
        yield started
    finally:
        for each in started:
            each.send_signal(signal.SIGCONT)
            each.kill()
            each.wait()
            if each.stdout is not None:
                each.stdout.close()


async def _feed(
    n_messages: int, n_readers: int, stop_s: float = 0.0
) -> tuple[float, list[dict[str, Any]]]:
    """Run a feed; give its CPU per message, ns, and what readers say at its end."""
    with (
        tempfile.TemporaryDirectory(prefix="tickwire-attach-") as name,
        LoadServer(LoadSpec("trades", n_messages, TAPE)) as server,
        readers(Path(name, "rings", "main"), n_readers) as started,
    ):
        folder = Path(name)
        source = Source(venue="hyperliquid", channels=["trades"], symbols=[SYMBOL], url=server.url)
        feed = FeedHandler([source], state_dir=folder / "state", ring_dir=folder / "rings")
        await feed.start()
        taking = asyncio.ensure_future(_take(feed))
        cpu = time.process_time()
        stopping = asyncio.ensure_future(_disturb(started, stop_s)) if stop_s else None
        while feed.summary()["messages"] < n_messages:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.05)
        cpu_ns = (time.process_time() - cpu) / n_messages * 1e9
        if stopping is not None:
            await stopping
        n_rows = feed.summary()["rows"]["trades"]
        await feed.stop()
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
        found = []
        for each in started:
            out, _ = await asyncio.to_thread(each.communicate)
            found.append({"published": n_rows, **json.loads(out)} if out.strip() else {})
        return cpu_ns, found


async def _take(feed: FeedHandler) -> None:
    async for _ in feed.batches("trades"):
        pass


async def _disturb(started: list[subprocess.Popen[str]], stop_s: float) -> None:
    """Stop one for some time, and kill another."""
    await asyncio.sleep(SETTLE_S)
    started[1].send_signal(signal.SIGSTOP)
    started[2].kill()
    await asyncio.sleep(stop_s)
    started[1].send_signal(signal.SIGCONT)


def check(found: list[dict[str, Any]]) -> list[str]:
    """Give what is wrong with what readers say."""
    problems = []
    for number, each in enumerate(found):
        if not each:  # killed
            continue
        n_all = each["last"] - each["first"]
        if each["rows"] + each["missed"] != n_all or each["last"] != each["published"]:
            problems.append(f"reader {number}: rows and missed are not all that was published")
        if each["torn"]:
            problems.append(f"reader {number}: {each['torn']} torn rows")
    return problems


def main(arguments: list[str] | None = None) -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attach", description=__doc__)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--stop-s", type=float, default=10.0)
    parser.add_argument("--pairs", type=int, default=7, help="Of feeds with and without readers.")
    parser.add_argument("--pair-rows", type=int, default=1_000_000)
    given = parser.parse_args(arguments)
    if given.read:
        read(given.read)
        return 0
    cpu_ns, found = uvloop.run(_feed(given.rows, 3, given.stop_s))
    for name, each in zip(("reads along", "stopped", "killed"), found, strict=True):
        print(f"{name}: {each or 'gone'}")
    print(f"{cpu_ns:,.0f} ns of the feed's CPU per message")
    problems = check(found)
    ratios = []
    for _ in range(given.pairs):
        alone, _ = uvloop.run(_feed(given.pair_rows, 0))
        beside, said = uvloop.run(_feed(given.pair_rows, 2))
        problems += check(said)
        ratios.append(beside / alone)
        print(f"alone {alone:,.0f} ns, with two readers {beside:,.0f} ns: {ratios[-1]:.3f}")
    if ratios:
        median = statistics.median(ratios)
        print(f"median of {len(ratios)} ratios: {median:.3f}, at most {MOST_RATIO}")
        if median > MOST_RATIO:
            problems.append("readers cost the feed too much")
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    sys.exit(main())
