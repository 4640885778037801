"""A real feed against a simulator that fails: what was sent is there, and once.

Both run in one loop; the rows are read from the sinks afterwards, and compared with the simulator's
own log.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.storm.truth import Verdict, compare, made, read_gaps, read_rows

import tickwire
from tickwire.sim import Simulator

VENUES = {
    "hyperliquid": (("BTC", "ETH", "SOL", "HYPE"), ["trades", "quotes"]),
    "binance": (("BTCUSDT", "ETHUSDT", "SOLUSDT"), ["trades", "book:100ms"]),
}
# In the order of their times; a connection is back within a second of each.
FAULTS = (
    "repeat/20@100ms..60s",
    "reset=one@500ms",
    "close:1012@n3000",
    "half-frame=trades@2500ms",
    "unsubscribe={first}@3500ms",
)


async def run(
    venue: str, folder: Path, seconds: float, rate: float, **options: Any
) -> dict[str, dict[tuple[str, str], Verdict]]:
    """Run a feed against the simulator, and compare both of its sinks with the truth."""
    symbols, channels = VENUES[venue]
    log = folder / "sent.jsonl"
    async with Simulator(venue, rate=rate, symbols=symbols, log=log, **options) as sim:
        feed = tickwire.FeedHandler(
            tickwire.Source(
                venue=venue, channels=channels, symbols=symbols,
                url=sim.ws_url, rest_url=sim.rest_url,
            ),
            [
                tickwire.DuckDBSink(path=folder / "m.duckdb"),
                tickwire.ParquetSink(path=folder / "data", rotate_s=1),
            ],
            state_dir=folder / "state",
        )  # fmt: skip
        async with feed:
            await asyncio.sleep(seconds)
            stop_ns = time.time_ns()
    end_ns = time.time_ns()
    truth = made(log)
    return {
        path.name: compare(
            truth, read_rows(path), read_gaps(path, end_ns), to_ns=stop_ns - 200_000_000
        )
        for path in (folder / "m.duckdb", folder / "data")
    }


def assert_nothing_sent_is_lost(verdicts: dict[str, dict[tuple[str, str], Verdict]]) -> None:
    for sink, streams in verdicts.items():
        for stream, verdict in streams.items():
            where = f"{sink} {stream}: {verdict}"
            assert verdict.rows, where
            assert not verdict.doubled, where
            assert not verdict.invented, where
            assert not verdict.sent_missing, where


def faults_of(venue: str) -> Sequence[str]:
    return [fault.format(first=VENUES[venue][0][0]) for fault in FAULTS]


@pytest.mark.parametrize("venue", VENUES)
async def test_what_is_sent_through_faults_is_there_once(venue: str, tmp_path: Path) -> None:
    verdicts = await run(venue, tmp_path, 4.5, 2000, faults=faults_of(venue))
    assert_nothing_sent_is_lost(verdicts)
    assert any(verdict.missing for verdict in verdicts["m.duckdb"].values())  # it was struck


@pytest.mark.thorough
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("venue", VENUES)
async def test_a_storm(venue: str, seed: int, tmp_path: Path) -> None:
    verdicts = await run(venue, tmp_path, 45, 3000, chaos=seed, chaos_every_s=2.0)
    assert_nothing_sent_is_lost(verdicts)
