"""The other side of the soak: two simulated exchanges in a process of their own.

It prints their addresses as JSON, ends connections as often as it is asked to, and ends when its
standard input does: `python -m tests.soak.exchanges RATE RECONNECT_S`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys

from tickwire.sim import Simulator

VENUES = ("hyperliquid", "binance-usdm")
# How connections end, in turn: by a close frame, without a word, by breaking the protocol.
ENDS = ("close", "fin", "protocol-error")


async def run(rate: float, reconnect_s: float) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    ended = loop.run_in_executor(None, sys.stdin.read)
    async with Simulator(VENUES[0], rate=rate) as first, Simulator(VENUES[1], rate=rate) as second:
        both = (first, second)
        print(json.dumps({each.venue: [each.ws_url, each.rest_url] for each in both}), flush=True)
        for end, simulator in itertools.cycle(itertools.product(ENDS, both)):
            done, _ = await asyncio.wait({ended}, timeout=reconnect_s / len(both))
            if done:
                return
            at = simulator.stats.messages
            simulator.inject(f"truncate@n{at + 1}")  # cannot be decoded
            simulator.inject(f"drop=book@n{at + 2}")  # a hole in a book
            simulator.inject(f"{end}@n{at + 50}")


if __name__ == "__main__":
    asyncio.run(run(float(sys.argv[1]), float(sys.argv[2])))
