"""Connections that are lost in the middle of traffic, and trades that are had by REST afterwards.

A venue's ids count up by one: what is there once from the first to the last is whole.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.storm.truth import MS, compare, made, read_rows

import tickwire
from tickwire.feed.streams import backfill_pages
from tickwire.sim import Simulator

SYMBOLS = ("BTCUSDT", "ETHUSDT")
# What strikes, one after the other; each time every gap is filled before the next.
FAULTS = (
    ["rest-418:1s*2", "rest-slow:100ms@0s..2s", "reset"],
    ["rest-dead@0s..1500ms", "refuse@0s..300ms", "close:1001"],
)


@pytest.fixture(autouse=True)
def retry_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again soon."""
    monkeypatch.setattr(backfill_pages, "FIRST_RETRY_S", 0.05)


class Run:
    """A feed against a simulator that fails.

    Parameters
    ----------
    channels
        The source's.
    folder
        Where sinks and state are.
    venue, symbols
        The source's.
    rate
        Of the market.
    """

    def __init__(
        self,
        channels: list[str],
        folder: Path,
        venue: str = "binance",
        symbols: tuple[str, ...] = SYMBOLS,
        rate: float = 1500,
    ) -> None:
        self.folder = folder
        self.sim = Simulator(venue, rate=rate, symbols=symbols, log=folder / "log")
        self.source: dict[str, Any] = {"venue": venue, "channels": channels, "symbols": symbols}
        self.sinks = (folder / "m.duckdb", folder / "data")
        self.gaps: dict[int, tickwire.GapEvent] = {}
        self.summary: dict[str, Any] = {}

    async def run(self, work: Callable[[], Awaitable[object]]) -> None:
        """Run a feed on the simulator, whose state stays."""
        source = tickwire.Source(url=self.sim.ws_url, rest_url=self.sim.rest_url, **self.source)
        sinks = [
            tickwire.DuckDBSink(path=self.sinks[0]),
            tickwire.ParquetSink(path=self.sinks[1], rotate_s=1),
        ]
        feed = tickwire.FeedHandler(source, sinks, state_dir=self.folder / "state")

        @feed.on_gap
        async def note(event: tickwire.GapEvent) -> None:
            self.gaps[event.gap_id] = event

        async with feed:
            await feed.ready()
            await work()
            self.stop_ns = time.time_ns()
        self.summary = feed.summary()

    async def strike(self, *faults: str) -> None:
        """Let faults happen, and wait until the gaps of all streams are filled."""
        n_gaps = len(self.gaps)
        for fault in faults:
            self.sim.inject(fault)
        await self.until_filled(n_gaps + len(SYMBOLS))
        await asyncio.sleep(0.2)

    async def until_filled(self, n_gaps: int) -> None:
        """Wait until so many gaps have ended and are filled."""
        async with asyncio.timeout(30):
            while (  # noqa: ASYNC110 - it has no event
                len(self.gaps) < n_gaps
                or any(each.recovered is None for each in self.gaps.values())
            ):
                await asyncio.sleep(0.02)

    def check(self) -> None:
        """Compare the ids of every sink with all that there were."""
        asked = ("trades", "channel || ' ' || trade_id")
        for sink in self.sinks:
            for stream, ids in read_rows(sink, *asked).items():
                for channel in self.source["channels"]:
                    found = sorted(int(each.split()[1]) for each in ids if f"{channel} " in each)
                    assert len(found) > 100, (stream, channel)
                    expected = list(range(found[0], found[-1] + 1))
                    assert found == expected, (sink.name, stream, channel)
        for gap in self.gaps.values():
            assert gap.state == "closed"
            assert gap.left_start_ns is gap.left_end_ns is None, gap
        assert self.summary["duplicate_trades"] == self.summary["conflicting_trades"] == 0
        assert not self.summary["backfills_given_up"]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask DuckDB."""
        with duckdb.connect(str(self.sinks[0]), read_only=True) as connection:
            return connection.execute(query).fetchall()


async def test_every_trade_is_there_once(tmp_path: Path) -> None:
    run = Run(["trades", "trades:agg"], tmp_path)

    async def work() -> None:
        await asyncio.sleep(0.3)
        for faults in FAULTS:
            await run.strike(*faults)

    async with run.sim:
        await run.run(work)
    run.check()
    assert run.summary["connects"] >= 1 + len(FAULTS)
    assert run.summary["backfilled_rows"] == run.summary["recovered_rows"] > 100
    [(n_rows, n_conns)] = run.rows(
        "select count(*), count(distinct conn) from trades "
        "where conn in (select conn from sessions where event = 'backfill')"
    )
    assert n_rows == run.summary["backfilled_rows"]
    assert n_conns >= len(SYMBOLS) * len(FAULTS)


async def test_the_time_between_two_runs_is_filled(tmp_path: Path) -> None:
    run = Run(["trades", "trades:agg"], tmp_path)
    async with run.sim:
        await run.run(lambda: asyncio.sleep(0.5))
        for _ in range(2000):  # without a client the market rests
            run.sim.exchange.market.step()
        await run.run(lambda: run.until_filled(len(SYMBOLS)))
    run.check()
    assert {gap.reason for gap in run.gaps.values()} == {"down"}
    assert run.summary["backfilled_rows"] > 100


async def test_what_hyperliquid_repeats_after_a_subscribe_fills_a_gap(tmp_path: Path) -> None:
    run = Run(["trades"], tmp_path, "hyperliquid", ("BTC", "ETH"), rate=60)

    async def work() -> None:
        await asyncio.sleep(1)
        # A reconnect may be so quick that the market made nothing meanwhile.
        while not any(gap.recovered for gap in run.gaps.values()):
            await run.strike("reset")

    async with run.sim:
        await run.run(work)
    # Its ids have no order: the simulator's log tells, which has what it repeated.
    for sink in run.sinks:
        verdicts = compare(
            made(run.folder / "log"), read_rows(sink), {}, to_ns=run.stop_ns - 200 * MS
        )
        assert len(verdicts) == 2
        for stream, verdict in verdicts.items():
            assert verdict.rows > 10, (stream, str(verdict))
            assert not verdict.missing, (stream, str(verdict))
            assert not verdict.doubled, (stream, str(verdict))
    events = dict(run.rows("select event, count(*) from sessions group by event"))
    assert events["backfill"] == sum(bool(gap.recovered) for gap in run.gaps.values()) > 0
    assert all(gap.left_start_ns is None for gap in run.gaps.values())
