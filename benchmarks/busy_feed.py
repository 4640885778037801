"""A whole feed under load, for profilers to look at: `python -m benchmarks.busy_feed`.

The load generator, a process of its own, sends as fast as the feed takes; the feed decodes, and an
`async for` per table takes the batches and drops them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time

import structlog
import uvloop
from benchmarks.captures.cases import CASES

from tickwire import FeedHandler, Source
from tickwire.bench.cases import SYMBOL
from tickwire.bench.load import LoadServer
from tickwire.errors import TickwireError
from tickwire.net import CARRIERS

ENDLESS = 1 << 40
FEEDS = {
    name: CASES[name]
    for name in ("trades/ws", "bbo/ws", "l2Book/ws", "l2Book capture/ws", "mix/ws")
}


def steady(case: str, carrier: str, seconds: float) -> int:
    """Receive for so long; how many messages that were."""
    return uvloop.run(_life(case, carrier, seconds))


async def _life(case: str, carrier: str, seconds: float) -> int:
    tables = FEEDS[case].tables
    with LoadServer(FEEDS[case].spec(ENDLESS)) as server:
        source = Source(
            venue="hyperliquid",
            channels=list(tables),
            symbols=[SYMBOL],
            url=server.url,
            carrier=carrier,
        )
        async with FeedHandler([source]) as feed:

            async def take(table: str) -> None:
                async for _ in feed.batches(table):
                    pass

            takers = [asyncio.ensure_future(take(table)) for table in tables]
            await asyncio.sleep(0.5)
            before = feed.summary()["messages"]
            print("steady", flush=True)
            await asyncio.sleep(seconds)
            n_messages = int(feed.summary()["messages"] - before)
            for taker in takers:
                taker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*takers)
    return n_messages


def main(arguments: list[str] | None = None) -> None:
    """Keep a feed busy."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.busy_feed", description=__doc__)
    parser.add_argument("--case", choices=FEEDS, default="trades/ws")
    parser.add_argument("--carrier", choices=CARRIERS, default="protocol")
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args(arguments)
    cpu = time.process_time()
    try:
        n_messages = steady(options.case, options.carrier, options.seconds)
    except TickwireError as error:
        sys.exit(str(error))
    cpu_ns = (time.process_time() - cpu) / n_messages * 1e9
    print(f"{options.case}: {n_messages:,} messages, {cpu_ns:,.0f} ns of CPU each, start included")


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    main()
