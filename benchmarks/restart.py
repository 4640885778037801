"""How long a feed takes from its start to its first row: `python -m benchmarks.restart`.

A feed with rings in files takes trades at full speed until its ring of 1,048,576 rows is full,
because a consumer takes nothing, and is killed. It is started again, and the time is taken until
`feed.batches` gives the first row: with no sink, with a DuckDB sink that has committed what it
could, and with one whose file is gone, which gets all of the ring's rows first. Shown beside it are
the interpreter's own start and the imports.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import structlog

MOST_S = 1.0  # beyond the interpreter's start
ROWS = 1 << 20
CASES = ("no sink", "duckdb", "duckdb, its file is gone")


async def _run(folder: Path, url: str, symbol: str, has_sink: bool, is_filled: bool) -> None:
    """Fill the ring and be killed; or start, and say when the first row has come."""
    began_s = time.monotonic()
    from tickwire import DuckDBSink, FeedHandler, Source  # and nothing that a feed does not need

    imported_s = time.monotonic()
    source = Source(venue="hyperliquid", channels=["trades"], symbols=[symbol], url=url)
    sinks = [DuckDBSink(path=folder / "m.duckdb")] if has_sink else []
    feed = FeedHandler(
        source, *sinks, state_dir=folder / "state", ring_dir=folder / "rings", ring_rows=ROWS
    )
    await feed.start()
    started_s = time.monotonic()
    if is_filled:
        # A consumer that takes nothing: otherwise a flood begins again at the ring's front as soon
        # as all that is there has been taken, and a ring is never full.
        queue = feed.batches("trades")
        # A read that does not fit waits, so the last rows stay free.
        while queue.qsize() < ROWS - ROWS // 1000:  # noqa: ASYNC110 - it has no event of that
            await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
    async for _ in feed.batches("trades"):
        break
    times = {
        "began": began_s,
        "imported": imported_s,
        "started": started_s,
        "first": time.monotonic(),
        "cpu": time.process_time(),
    }
    print(json.dumps(times), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def _child(*arguments: str) -> tuple[float, str]:
    """Run this file as a process; gives when it was begun, and what it printed."""
    began_s = time.monotonic()
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "benchmarks.restart", *arguments], stdout=subprocess.PIPE, text=True
    )
    return began_s, done.stdout


def interpreter_s() -> float:
    """Give how long an interpreter takes to its first line."""
    began_s = time.monotonic()
    command = [sys.executable, "-c", "import time; print(time.monotonic())"]
    text = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout  # noqa: S603
    return float(text) - began_s


def restart(case: str) -> dict[str, float]:
    """Fill, kill, start again; gives seconds since the start of the process."""
    from tickwire.bench.cases import SYMBOL
    from tickwire.bench.load import LoadServer, LoadSpec

    with tempfile.TemporaryDirectory(prefix="tickwire-restart-") as name:
        sink = "sink" if case != CASES[0] else "-"
        with LoadServer(LoadSpec("trades", 3 * ROWS)) as server:
            _child("--fill", name, server.url, SYMBOL, sink)
        if case == CASES[2]:
            for path in Path(name).glob("m.duckdb*"):
                path.unlink()
        with LoadServer(LoadSpec("trades", ROWS)) as server:
            began_s, text = _child("--again", name, server.url, SYMBOL, sink)
    times: dict[str, float] = json.loads(text.splitlines()[-1])
    cpu_s = times.pop("cpu")
    return {**{key: at_s - began_s for key, at_s in times.items()}, "cpu": cpu_s}


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.restart", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--fill", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--again", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if child := given.fill or given.again:
        folder, url, symbol, sink = child
        asyncio.run(_run(Path(folder), url, symbol, sink == "sink", given.fill is not None))
    bare_s = statistics.median(interpreter_s() for _ in range(given.rounds))
    print(f"the interpreter's start: {bare_s:.3f} s")
    worst_s = 0.0
    for case in CASES:
        rounds = [restart(case) for _ in range(given.rounds)]
        middle = {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
        beyond_s = middle["first"] - bare_s
        worst_s = max(worst_s, beyond_s)
        imports_s = middle["imported"] - middle["began"]
        start_s = middle["started"] - middle["imported"]
        print(
            f"{case}: first row after {middle['first']:.3f} s, {beyond_s:.3f} beyond the "
            f"interpreter's start (imports {imports_s:.3f}, feed's start {start_s:.3f}; "
            f"CPU of all {middle['cpu']:.3f})",
            flush=True,
        )
    print(f"at most {MOST_S:g} s beyond the interpreter's start: {worst_s:.3f}")
    return 1 if worst_s > MOST_S else 0


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    sys.exit(main())
