"""What a recording costs a feed: `python -m benchmarks.recording`.

Trades come at a fixed rate, by an open loop from a process of its own, to a feed with one consumer.
Runs take turns: with a recording and without one. Gated is the CPU of the event loop's thread per
message, which bounds how many a feed can take: the median of the ratios of neighbouring runs. The
CPU of the whole process is shown beside it: it has the compression, which a thread of its own does.
A run counts only where every message was recorded, or none was to be.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from tickwire import FeedHandler, RawSink, Source
from tickwire.bench.cases import SYMBOL
from tickwire.bench.open_loop import OpenLoopServer
from tickwire.bench.schedule import Stretch, TradeLoad

MOST = 1.15  # of the loop's CPU per message, recorded against not


async def _feed(url: str, folder: Path, n_messages: int, *, is_recorded: bool) -> dict[str, Any]:
    """Take that many messages; CPU from the first tenth to the last tenth of them."""
    source = Source(
        venue="hyperliquid", channels=["trades"], symbols=[SYMBOL], url=url, check_symbols=False
    )
    sinks = [RawSink(path=folder / "rec")] if is_recorded else []
    marks = []
    async with FeedHandler([source], sinks) as feed:
        pipeline = feed.pipeline
        assert pipeline is not None
        print("ready", flush=True)

        async def take() -> None:
            async for batch in feed.batches("trades"):
                del batch

        taking = asyncio.create_task(take())
        for share in (0.1, 0.9, 1.0):
            while pipeline.messages < share * n_messages:  # noqa: ASYNC110 - counts have no event
                await asyncio.sleep(0.02)
            marks.append((time.thread_time_ns(), time.process_time_ns(), pipeline.messages))
    await taking
    summary = feed.summary()
    n_recorded = sum(summary["recorded_messages"].values())
    n_dropped = sum(summary["recording_dropped_messages"].values())
    n_bytes = sum(path.stat().st_size for path in folder.glob("rec/*"))  # noqa: ASYNC240
    (loop_ns, all_ns, before), (loop_end_ns, all_end_ns, after), _ = marks
    return {
        "loop_ns": (loop_end_ns - loop_ns) / (after - before),
        "process_ns": (all_end_ns - all_ns) / (after - before),
        "is_whole": n_dropped == 0 and (n_recorded >= n_messages) == is_recorded,
        "dropped": n_dropped,
        "bytes": n_bytes / n_messages,
    }


def _run(rate: float, seconds: float, *, is_recorded: bool) -> dict[str, Any]:
    """Give what a run cost."""
    n_messages = int(rate * seconds)
    with OpenLoopServer(TradeLoad()) as server, tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", "benchmarks.recording", "--child", server.urls[0], folder,
            str(n_messages), "recorded" if is_recorded else "bare",
        ]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:  # noqa: S603
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(0.5)
            server.begin(Stretch(n_messages, rate))
            found: dict[str, Any] = json.loads(child.stdout.read())
        server.report()
    return found


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and exit 1 where the gate is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recording", description=__doc__)
    parser.add_argument("--rate", type=float, default=100_000.0)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        url, folder, n_messages, how = options.child
        life = _feed(url, Path(folder), int(n_messages), is_recorded=how == "recorded")
        print(json.dumps(uvloop.run(life)), flush=True)
        return
    ratios, are_whole = [], True
    for number in range(options.rounds):
        order = (False, True) if number % 2 == 0 else (True, False)
        found = {on: _run(options.rate, options.seconds, is_recorded=on) for on in order}
        bare, recorded = found[False], found[True]
        ratios.append(recorded["loop_ns"] / bare["loop_ns"])
        are_whole = are_whole and recorded["is_whole"] and bare["is_whole"]
        print(
            f"loop {bare['loop_ns']:,.0f} and {recorded['loop_ns']:,.0f} ns a message, "
            f"ratio {ratios[-1]:.3f}; process {bare['process_ns']:,.0f} and "
            f"{recorded['process_ns']:,.0f} ns; {recorded['bytes']:.0f} bytes on disk a message, "
            f"{recorded['dropped']:,} not recorded",
            flush=True,
        )
    ratio = statistics.median(ratios)
    print(f"median of {len(ratios)} ratios: {ratio:.3f}, at most {MOST}")
    sys.exit(ratio > MOST or not are_whole)


if __name__ == "__main__":
    main()
