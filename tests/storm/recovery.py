"""How soon a feed is back: `make recovery`, or `python -m tests.storm.recovery`.

Faults of every kind strike a feed's links, each at least 12 s after that link's last recovery; then
the exchange of one link is gone for 30 s, that of another one for 120 s, and a connection with 100
symbols is reset. Simulators are in this process, the feed is in one of its own; times are those of
its rows (ts_recv). Gates: first row after a fault p50 300 ms and p99 5 s; after an outage, of each
of 100 symbols, and until a half-open connection has been replaced, 5 s; no trade doubled.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import duckdb
from benchmarks.verdicts import all_held
from tests.storm.exchanges import READY_S, STOP_S, start_feed, write_config
from tests.storm.truth import read_rows

from tickwire.sim import Simulator

CALM_S = 12.0  # since the last recovery: 20 connects a minute are allowed
RATE = 200.0  # messages a second of a link
SYMBOLS = ("BTC", "ETH", "SOL", "HYPE")
CHANNELS = ("trades", "quotes")
MANY = tuple(f"C{number}" for number in range(100))
MANY_RATE = 2000.0
OUTAGES_S = (30.0, 120.0)
LONGEST_S = 60.0  # that a recovery is waited for
MOST_MEDIAN_MS, MOST_MS = 300.0, 5000.0

# What ends a connection, perhaps with what a client meets when it comes again.
ENDS = (
    ("reset",), ("fin",), ("close:1000",), ("close:1001",), ("close:1008",), ("close:1011",),
    ("close:1012",), ("close:4000",), ("protocol-error",), ("half-frame",), ("half-frame:reset",),
)  # fmt: skip
HALF_OPEN = (("freeze@0s..30s",), ("half-frame:hold",))
UPGRADES = (
    ("429:1", "reset"), ("503:1", "reset"), ("403", "reset"), ("wrong-key", "reset"),
    ("garbage", "reset"), ("byte-by-byte", "reset"), ("abort", "reset"),
    ("refuse@0s..300ms", "reset"),
)  # fmt: skip
KINDS = ENDS + HALF_OPEN + UPGRADES


@dataclass(slots=True)
class Strike:
    """A fault, and what came of it.

    Parameters
    ----------
    kind
        As the simulator reads it.
    link
        Which one.
    at_ns
        When it struck, or when an outage was over; wall time.
    """

    kind: str
    link: int
    at_ns: int
    first_ms: float | None = None


class Links:
    """Some simulators, their feed, and all that strikes them."""

    def __init__(self, n: int, folder: Path) -> None:
        self.folder = folder
        self.sims = [
            Simulator(
                "hyperliquid", rate=RATE, symbols=SYMBOLS, seed=number, log=folder / f"{number}"
            )
            for number in range(n)
        ]
        self.many = Simulator("hyperliquid", rate=MANY_RATE, symbols=MANY)
        self.strikes: list[Strike] = []
        self.many_ns = 0
        self.many_ms: list[float | None] = []
        self.code = -1

    async def run(self, faults: int, seed: int, outages_s: tuple[float, ...]) -> None:
        """Run the feed, and let everything happen."""
        async with contextlib.AsyncExitStack() as stack:
            for sim in (*self.sims, self.many):
                await stack.enter_async_context(sim)
            feed = await asyncio.to_thread(start_feed, self._config())
            try:
                for sim in (*self.sims, self.many):
                    await self._until_back(sim, -1, READY_S)
                await asyncio.gather(
                    *(
                        self._strike_link(number, share, seed)
                        for number, share in enumerate(shares(faults, len(self.sims)))
                    ),
                    self._reset_many(),
                )
                await asyncio.gather(
                    *(
                        self._outage(number % len(self.sims), s)
                        for number, s in enumerate(outages_s)
                    )
                )
                await asyncio.sleep(2)
                feed.send_signal(signal.SIGTERM)
                self.code = await asyncio.to_thread(feed.wait, STOP_S)
            finally:
                feed.kill()
                await asyncio.to_thread(feed.wait)
        self._judge()

    def _config(self) -> Path:
        sources = [
            {
                "venue": "hyperliquid", "channels": [*CHANNELS],
                "symbols": [*symbols], "url": sim.ws_url, "proxy": "off",
            }
            for sim, symbols in (*((sim, SYMBOLS) for sim in self.sims), (self.many, MANY))
        ]  # fmt: skip
        return write_config(self.folder, {"name": "recovery"}, sources)

    async def _until_back(self, sim: Simulator, before: int, longest_s: float) -> None:
        """Wait until a connection that is newer than one of a number brings everything."""
        n = len(CHANNELS) * len(MANY if sim is self.many else SYMBOLS)
        async with asyncio.timeout(longest_s):
            while not any(  # noqa: ASYNC110 - it has no event
                each.number > before and len(each.client.keys) >= n and each.n_messages
                for each in sim.connections
            ):
                await asyncio.sleep(0.01)

    async def _strike_link(self, link: int, n: int, seed: int) -> None:
        chance = random.Random(f"{seed}/{link}")
        sim = self.sims[link]
        deck: list[tuple[str, ...]] = []
        for done in range(n):
            await asyncio.sleep(CALM_S + chance.uniform(0, 1))
            deck = deck or chance.sample(KINDS, len(KINDS))
            faults = deck.pop()
            before = max(each.number for each in sim.connections)
            for fault in faults:
                sim.inject(fault)
            self.strikes.append(Strike(" ".join(faults), link, time.time_ns()))
            await self._until_back(sim, before, LONGEST_S)
            if link == 0:
                print(f"{done + 1} of {n} faults of each link", flush=True)

    async def _reset_many(self) -> None:
        await asyncio.sleep(CALM_S)
        before = max(each.number for each in self.many.connections)
        self.many_ns = time.time_ns()
        self.many.inject("reset")
        await self._until_back(self.many, before, LONGEST_S)

    async def _outage(self, link: int, seconds: float) -> None:
        await asyncio.sleep(CALM_S)
        sim = self.sims[link]
        before = max(each.number for each in sim.connections)
        sim.inject(f"down@0s..{seconds:g}s")
        await asyncio.sleep(seconds)
        self.strikes.append(Strike(f"down {seconds:g} s", link, time.time_ns()))
        await self._until_back(sim, before, LONGEST_S)

    # What the feed wrote.

    def _judge(self) -> None:
        with duckdb.connect(str(self.folder / "m.duckdb"), read_only=True) as connection:
            rows = connection.execute(
                "SELECT conn, symbol, epoch_ns(min(ts_recv)) FROM "
                "(SELECT conn, symbol, ts_recv FROM trades UNION ALL "
                "SELECT conn, symbol, ts_recv FROM quotes) GROUP BY conn, symbol"
            ).fetchall()
            urls = dict(
                connection.execute(
                    "SELECT conn, detail FROM sessions WHERE event = 'connected'"
                ).fetchall()
            )
        first_ns: dict[str, list[int]] = defaultdict(list)  # of each connection, by address
        of_many: dict[str, list[int]] = defaultdict(list)
        for conn, symbol, at_ns in rows:
            first_ns[urls[conn]].append(at_ns)
            if symbol in MANY:
                of_many[symbol].append(at_ns)
        for strike in self.strikes:
            strike.first_ms = _after(first_ns[f"{self.sims[strike.link].ws_url}/ws"], strike.at_ns)
        self.many_ms = [_after(of_many[symbol], self.many_ns) for symbol in MANY]

    def n_doubled(self) -> int:
        """Count trades that are there twice: ids of two links are not the same, nor their order."""
        ids = read_rows(self.folder / "m.duckdb", column="conn || ' ' || trade_id")
        return sum(len(each) - len(set(each)) for each in ids.values())


def _after(times_ns: list[int], at_ns: int) -> float | None:
    later = [each for each in times_ns if each > at_ns]
    return (min(later) - at_ns) / 1e6 if later else None


def shares(n: int, links: int) -> list[int]:
    """Share faults out evenly."""
    return [n // links + (number < n % links) for number in range(links)]


def quantile(values: list[float], part: float) -> float:
    """Give a quantile that is one of the values."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def report(links: Links) -> bool:
    """Print the figures and the gates; whether all are held."""
    never = [each for each in links.strikes if each.first_ms is None]
    by_kind: dict[str, list[float]] = defaultdict(list)
    for each in links.strikes:
        if each.first_ms is not None:
            by_kind[each.kind].append(each.first_ms)
    print(f"{'fault':<28}{'n':>5}{'p50 ms':>10}{'most':>10}")
    for kind, found in sorted(by_kind.items()):
        print(f"{kind:<28}{len(found):>5}{statistics.median(found):>10,.0f}{max(found):>10,.0f}")
    outages = [ms for kind, found in by_kind.items() if kind.startswith("down") for ms in found]
    frozen = {" ".join(each) for each in HALF_OPEN}
    half_open = [ms for kind, found in by_kind.items() if kind in frozen for ms in found]
    found = [ms for kind, each in by_kind.items() if not kind.startswith("down") for ms in each]
    many = [ms for ms in links.many_ms if ms is not None]
    p50, p99 = statistics.median(found), quantile(found, 0.99)
    doubled = links.n_doubled()
    print(
        f"{len(found)} faults: p50 {p50:,.0f} ms, p99 {p99:,.0f} ms, most {max(found):,.0f} ms; "
        f"{len(many)} of {len(MANY)} symbols after one reset: last {max(many, default=0):,.0f} ms"
    )
    gates = [
        (links.code == 0, "exit code 0"),
        (not never, f"a row after each fault ({len(never)} had none)"),
        (p50 <= MOST_MEDIAN_MS, f"first row p50 {MOST_MEDIAN_MS:g} ms"),
        (p99 <= MOST_MS, f"first row p99 {MOST_MS:g} ms"),
        *((ms <= MOST_MS, f"first row {MOST_MS:g} ms after an outage") for ms in outages),
        (
            len(many) == len(MANY) and max(many) <= MOST_MS,
            f"each of {len(MANY)} symbols {MOST_MS:g} ms after a reset",
        ),
        (doubled == 0, f"no trade doubled ({doubled} are)"),
    ]
    if half_open:
        gates.append((max(half_open) <= MOST_MS, f"half-open replaced within {MOST_MS:g} ms"))
    return all_held(gates)


def main(arguments: list[str] | None = None) -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.storm.recovery", description=__doc__)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--links", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--outages", default=",".join(f"{each:g}" for each in OUTAGES_S))
    given = parser.parse_args(arguments)
    outages_s = tuple(float(each) for each in given.outages.split(",") if each)
    with tempfile.TemporaryDirectory(prefix="tickwire-recovery-") as folder:
        links = Links(given.links, Path(folder))
        asyncio.run(links.run(given.faults, given.seed, outages_s))
        return 0 if report(links) else 1


if __name__ == "__main__":
    sys.exit(main())
