"""Many quiet connections over TLS, beside one that brings as much: `python -m benchmarks.many`.

Rules of this file
------------------
- Both receivers get as many messages a second, in writes of one message, each from a sender and in
  a process of its own. What a connection takes is the difference of their resident memory, by the
  number of connections: rings, Python and libraries are in both.
- Memory and CPU are looked at over the whole stretch that was sent, once all is subscribed.
- Every row has to come: the sum over all symbols is compared.
- A venue's limits of connects are not what is measured: this one has none.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvloop

from tickwire import FeedHandler, Source
from tickwire.bench.fleet import FleetServer
from tickwire.bench.load import LoadSpec
from tickwire.bench.processes import ReceiverProcess
from tickwire.errors import TickwireError
from tickwire.venues import Limits, load

N_CONNECTIONS, RATE, SECONDS = 1_000, 10_000.0, 20.0
MOST_KB = 400.0
READY_S, LATE_S = 240.0, 60.0
NO_LIMITS = Limits(
    subscriptions_per_connection=1_000_000,
    subscriptions_per_request=1,
    requests_per_s=1e6,
    connects_per_min=1_000_000,
)
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Job:
    """What a receiver is to take.

    Parameters
    ----------
    url
        Where to connect.
    ca_file
        Of who signed the server's certificate.
    shares
        The coins of each connection.
    n_messages
        In all.
    """

    url: str
    ca_file: str
    shares: tuple[tuple[str, ...], ...]
    n_messages: int


def receive(job: Job, report: Callable[[Any], None]) -> None:
    """Take what comes, in its process."""
    report(uvloop.run(take_all(job)))


async def take_all(job: Job) -> dict[str, float]:
    """Take every row; gives memory, CPU per message and how often the process woke."""
    free = replace(load("hyperliquid"), limits=NO_LIMITS)
    sources = [
        Source(
            venue=free, channels=["trades"], symbols=list(coins), url=job.url,
            ca_file=job.ca_file, proxy="off", connect_timeout_s=120.0,
            first_message_s=600.0, stale_after_s=600.0,
        )
        for coins in job.shares
    ]  # fmt: skip
    async with FeedHandler(sources) as feed:
        n_rows, begun, cpu_ns = 0, resource.getrusage(resource.RUSAGE_SELF), 0
        async for batch in feed.batches("trades", form="light"):
            if not n_rows:  # all is subscribed before anything is sent
                begun, cpu_ns = resource.getrusage(resource.RUSAGE_SELF), time.process_time_ns()
                first = batch.num_rows
            n_rows += batch.num_rows
            if n_rows >= job.n_messages:
                break
        n_timed = max(n_rows - first, 1)
        cpu_ns = time.process_time_ns() - cpu_ns
        ended = resource.getrusage(resource.RUSAGE_SELF)
        memory = resident_bytes()
    if n_rows != job.n_messages:
        raise TickwireError(f"{n_rows} rows instead of {job.n_messages}")
    wakes = ended.ru_nvcsw - begun.ru_nvcsw
    return {"bytes": memory, "cpu_ns": cpu_ns / n_timed, "wakes": wakes / n_timed}


def resident_bytes() -> int:
    """Give what this process has in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


def measure(n_connections: int, rate: float, seconds: float, n_coins: int) -> dict[str, float]:
    """Measure a feed with so many connections in a process of its own.

    Parameters
    ----------
    n_connections
        Each has its own share of the coins.
    rate
        Messages per second, in all.
    seconds
        How long.
    n_coins
        In all.
    """
    coins = tuple(f"C{number:04d}" for number in range(n_coins))
    n_messages = round(rate * seconds / n_coins) * n_coins
    with tempfile.TemporaryDirectory() as folder:
        spec = LoadSpec(
            n_messages=n_messages, tape_messages=n_messages, coins=coins, rate=rate,
            n_connections=n_connections, n_requests=n_coins // n_connections, tls_folder=folder,
        )  # fmt: skip
        shares = tuple(part.coins or (part.coin,) for part in spec.parts())
        with FleetServer(spec) as server, ReceiverProcess(receive) as receiver:
            receiver.begin(Job(server.url, str(Path(folder) / "ca.pem"), shares, n_messages))
            found: dict[str, float] = receiver.result(READY_S + 2 * seconds + LATE_S)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Measure both and judge; 1 where a connection takes too much."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many", description=__doc__)
    parser.add_argument("--connections", type=int, default=N_CONNECTIONS)
    parser.add_argument("--rate", type=float, default=RATE, help="messages a second, in all")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    options = parser.parse_args(arguments)
    n = options.connections
    if n < 2 or options.rate * options.seconds < n:
        parser.error("two connections at least, and a message for each")
    one, many = (measure(each, options.rate, options.seconds, n) for each in (1, n))
    print("| connections | MB | CPU, us per message | wakes per message |\n|---|---|---|---|")
    for name, found in ((1, one), (n, many)):
        memory, cpu_us = found["bytes"] / 1e6, found["cpu_ns"] / 1e3
        print(f"| {name:,} | {memory:.1f} | {cpu_us:.2f} | {found['wakes']:.2f} |")
    each_kb = (many["bytes"] - one["bytes"]) / (n - 1) / 1e3
    is_missed = each_kb > MOST_KB
    word = "MISSED" if is_missed else "reached"
    print(f"{word}: memory of a connection {each_kb:.1f} kB, at most {MOST_KB:.0f}")
    print(f"CPU per message against one connection: {many['cpu_ns'] / one['cpu_ns']:.2f}")
    return int(is_missed)


if __name__ == "__main__":
    sys.exit(main())
