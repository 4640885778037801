"""What a recording costs a feed: `python -m benchmarks.recording`.

Runs take turns (`in_turns`): a feed with one consumer, recorded and bare. Gated is the CPU of the
event loop's thread per message, which bounds how many a feed can take. The CPU of the whole process
is shown beside it: it has the compression, which a thread of its own does. A run counts only where
every message was recorded, or none was to be.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from benchmarks.in_turns import InTurns, costs, judge

from tickwire import FeedHandler, RawSink, Source
from tickwire.bench.cases import SYMBOL

MOST = 1.15  # of the loop's CPU per message, recorded against not


async def _feed(url: str, folder: Path, n_messages: int, is_recorded: bool) -> dict[str, Any]:
    """Take that many messages; give what one of them costs."""
    source = Source(
        venue="hyperliquid", channels=["trades"], symbols=[SYMBOL], url=url, check_symbols=False
    )
    sinks = [RawSink(path=folder / "rec")] if is_recorded else []
    async with FeedHandler([source], sinks) as feed:
        assert feed.pipeline is not None
        print("ready", flush=True)

        async def take() -> None:
            async for batch in feed.batches("trades"):
                del batch

        taking = asyncio.create_task(take())
        loop_ns, process_ns = await costs(
            feed.pipeline, n_messages, time.thread_time_ns, time.process_time_ns
        )
    await taking
    summary = feed.summary()
    n_recorded = sum(summary["recorded_messages"].values())
    n_dropped = sum(summary["recording_dropped_messages"].values())
    n_bytes = sum(path.stat().st_size for path in folder.glob("rec/*"))  # noqa: ASYNC240
    return {
        "loop_ns": loop_ns,
        "process_ns": process_ns,
        "is_whole": n_dropped == 0 and (n_recorded >= n_messages) == is_recorded,
        "dropped": n_dropped,
        "bytes": n_bytes / n_messages,
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and exit 1 where the gate is missed."""
    turns = InTurns("benchmarks.recording", _feed)
    options = turns.options(arguments, doc=__doc__, rate=100_000.0, seconds=5.0)
    ratios, are_whole = [], True
    for bare, recorded in turns.rounds(options):
        ratios.append(recorded["loop_ns"] / bare["loop_ns"])
        are_whole = are_whole and recorded["is_whole"] and bare["is_whole"]
        print(
            f"loop {bare['loop_ns']:,.0f} and {recorded['loop_ns']:,.0f} ns a message, "
            f"ratio {ratios[-1]:.3f}; process {bare['process_ns']:,.0f} and "
            f"{recorded['process_ns']:,.0f} ns; {recorded['bytes']:.0f} bytes on disk a message, "
            f"{recorded['dropped']:,} not recorded",
            flush=True,
        )
    judge(ratios, MOST, is_right=are_whole)


if __name__ == "__main__":
    main()
