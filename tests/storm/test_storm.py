"""A real feed against a simulator that fails: what was sent is there, and once.

Both run in one loop; the rows are read from the sinks afterwards, and compared with the simulator's
own log.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.storm.truth import MS, Stream, Verdict, compare, made, read_gaps, read_rows

import tickwire
from tickwire.sim import Simulator

Verdicts = dict[Stream, Verdict]
VENUES = {
    "hyperliquid": (("BTC", "ETH", "SOL", "HYPE"), ["trades", "quotes"]),
    "binance": (("BTCUSDT", "ETHUSDT", "SOLUSDT"), ["trades", "book:100ms"]),
}
# Each can be noticed: by the connection's end, or by what the venue says.
FAULTS = ("repeat/20@100ms..600s", "reset=one", "close:1012@n{n}", "half-frame=trades@n{n}")
NOTICED = {"hyperliquid": ("unsubscribe=BTC",), "binance": ()}  # Binance says nothing


class Storm:
    """A feed, the simulator, and what came of them.

    Parameters
    ----------
    venue
        Which.
    folder
        Where its sinks and the log are.
    rate
        Of the market.
    **options
        Of the simulator.
    """

    def __init__(self, venue: str, folder: Path, rate: float, **options: Any) -> None:
        self.folder = folder
        symbols, channels = VENUES[venue]
        self.sim = Simulator(venue, rate=rate, symbols=symbols, log=folder / "log", **options)
        self._source = {
            "venue": venue, "channels": channels, "symbols": symbols, "backfill": False,
        }  # fmt: skip

    async def run(self, work: Callable[[], Awaitable[object]]) -> dict[str, Verdicts]:
        """Run the feed while `work` does, and compare both of its sinks with the truth."""
        sinks = [
            tickwire.DuckDBSink(path=self.folder / "m.duckdb"),
            tickwire.ParquetSink(path=self.folder / "data", rotate_s=1),
        ]
        async with self.sim as sim:
            source = tickwire.Source(url=sim.ws_url, rest_url=sim.rest_url, **self._source)
            async with tickwire.FeedHandler(source, sinks, state_dir=self.folder / "state"):
                await work()
                stop_ns = time.time_ns()
        truth, end_ns = made(self.folder / "log"), time.time_ns()
        return {
            path.name: compare(
                truth, read_rows(path), read_gaps(path, end_ns), to_ns=stop_ns - 200 * MS
            )
            for path in (self.folder / "m.duckdb", self.folder / "data")
        }

    async def strike(self, fault: str) -> None:
        """Let a fault happen, and wait until every stream has rows again."""
        before = self.sim.stats.faults.total()
        self.sim.inject(fault.format(n=self.sim.stats.messages + 100))
        async with asyncio.timeout(60):
            while self.sim.stats.faults.total() == before:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.01)
            n_subscriptions = len(self._source["symbols"]) * len(self._source["channels"])
            while self.sim.stats.subscriptions < n_subscriptions:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)


def assert_what_was_sent_is_there_once(verdicts: dict[str, Verdicts]) -> None:
    for sink, streams in verdicts.items():
        for stream, verdict in streams.items():
            where = f"{sink} {stream}: {verdict}"
            assert verdict.rows, where
            assert not verdict.doubled, where
            assert not verdict.invented, where
            assert not verdict.sent_missing, where


@pytest.mark.parametrize("venue", VENUES)
async def test_what_is_sent_is_there_once_and_what_is_not_is_in_a_gap(
    venue: str, tmp_path: Path
) -> None:
    storm = Storm(venue, tmp_path, 2000)

    async def work() -> None:
        for fault in (*FAULTS, *NOTICED[venue]):
            await storm.strike(fault)

    verdicts = await storm.run(work)
    assert_what_was_sent_is_there_once(verdicts)
    for sink, streams in verdicts.items():
        for stream, verdict in streams.items():
            assert not verdict.undeclared, f"{sink} {stream}: {verdict}"
    assert sum(len(verdict.missing) for verdict in verdicts["m.duckdb"].values()) > 100


@pytest.mark.thorough
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("venue", VENUES)
async def test_a_storm(venue: str, seed: int, tmp_path: Path) -> None:
    storm = Storm(venue, tmp_path, 3000, chaos=seed, chaos_every_s=2.0)
    assert_what_was_sent_is_there_once(await storm.run(lambda: asyncio.sleep(45)))
