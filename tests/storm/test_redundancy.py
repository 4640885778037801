"""Several connections to a simulator that fails: nothing is missing, nothing doubled, no gap.

Rows are compared with the simulator's own log, as in `test_storm`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import pytest
from tests.feed.test_handler import until
from tests.storm.truth import MS, compare, made, read_gaps, read_rows

import tickwire
from tickwire.feed.sources import degrading, sharing
from tickwire.feed.streams import changes
from tickwire.session import WindowLimiter, reporting
from tickwire.sim import Simulator
from tickwire.venues import load

VENUES = {
    "hyperliquid": (("BTC", "ETH"), ["trades", "quotes", "book", "tickers", "mids"]),
    "binance": (("BTCUSDT", "ETHUSDT"), ["trades", "quotes", "book:100ms"]),
}
# How late a leg is all the time, and what strikes one when both are subscribed.
FAULTS = {
    "reset": (["delay:15ms=#1@0s..", "jitter:5ms=#1@0s.."], ["reset=#0"]),
    "reset of the quicker one": (["delay:40ms=#0@0s..", "jitter:20ms=#0@0s.."], ["reset=#1"]),
    "freeze": (["jitter:10ms=#1@0s.."], ["freeze=#0@0s.."]),
    "rotation": (["delay:15ms=#1@0s.."], ["close:1001=#0"]),
    "losses": (["delay:5ms=#1@0s.."], ["drop/9=#0@0s..900ms", "drop/7=#1@1s..60s"]),
    "repeats": (["jitter:10ms=#1@0s.."], ["repeat/9=#0@0s..60s"]),
}


@pytest.fixture(autouse=True)
def short_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Close what is replaced soon."""
    monkeypatch.setattr(changes, "OVERLAP_S", 0.3)


class Run:
    """A feed against a simulator.

    Parameters
    ----------
    venue
        Which.
    folder
        Where sink, state and log are.
    faults
        Of the simulator, from the start.
    **source
        Keys of the source.
    """

    def __init__(self, venue: str, folder: Path, faults: list[str], **source: Any) -> None:
        self.venue, self.folder = venue, folder
        symbols, channels = VENUES[venue]
        self.sim = Simulator(venue, rate=1500, symbols=symbols, log=folder / "log", faults=faults)
        self.source = {"venue": venue, "channels": channels, "symbols": symbols} | source
        self.summary: dict[str, Any] = {}
        self.stop_ns = 0

    async def run(self, work: Callable[[tickwire.FeedHandler], Awaitable[object]]) -> None:
        """Run the feed while `work` does."""
        async with self.sim as sim:
            self.source.setdefault("url", sim.ws_url)
            await self.feed(sim, work)

    async def feed(
        self, sim: Simulator, work: Callable[[tickwire.FeedHandler], Awaitable[object]]
    ) -> None:
        """Run the feed against a simulator that runs."""
        source = tickwire.Source(rest_url=sim.rest_url, ping_timeout_s=0.5, **self.source)
        sink = tickwire.DuckDBSink(path=self.folder / "m.duckdb")
        async with tickwire.FeedHandler(source, sink, state_dir=self.folder / "state") as feed:
            await feed.ready()
            self.start_ns = time.time_ns() + 700 * MS  # every leg is subscribed by then
            await work(feed)
            self.stop_ns = self.stop_ns or time.time_ns()
        self.summary = feed.summary()

    def check(self, tables: tuple[str, ...] = ("trades",), *, gaps_from_ns: int = 0) -> None:
        """Compare with what the simulator made."""
        path = self.folder / "m.duckdb"
        of = f"from gaps where epoch_ns(ts_start) > {gaps_from_ns}"
        assert not self.rows(f"select table_name, symbol, reason, ts_start, detail {of}")
        for table in tables:
            verdicts = compare(
                made(self.folder / "log", table),
                read_rows(path, table),
                {},
                from_ns=self.start_ns,
                to_ns=self.stop_ns - 200 * MS,
            )
            assert len(verdicts) == 2
            for stream, verdict in verdicts.items():
                assert verdict.rows > 50, (stream, str(verdict))
                assert not verdict.missing, (stream, str(verdict))
                assert not verdict.doubled, (stream, str(verdict))
                assert not verdict.invented, (stream, str(verdict))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the sink."""
        with duckdb.connect(str(self.folder / "m.duckdb"), read_only=True) as connection:
            return connection.execute(query).fetchall()

    def column(self, query: str) -> list[Any]:
        """Ask the sink for one column."""
        return [row[0] for row in self.rows(query)]

    def check_numbers(self) -> None:
        """Quotes of Binance have a number each, and its books a chain."""
        if self.venue != "binance":
            return
        doubled = "select count(*) - count(distinct (symbol, venue_seq)) from quotes"
        assert self.column(doubled) == [0]
        # Every message's last row, against the one before it.
        broken = """
            select count(*) from (
                select venue_prev_seq, is_snapshot, lag(venue_seq) over (
                    partition by symbol order by seq) as before, lag(is_snapshot) over (
                    partition by symbol order by seq) as after_snapshot
                from book where last
            ) where not is_snapshot and not after_snapshot and venue_prev_seq != before"""
        assert self.column(broken) == [0]
        assert self.column("select count(*) from book where is_snapshot and last") == [2]


@pytest.mark.parametrize(
    "fault",
    [pytest.param(name, marks=() if name == "reset" else pytest.mark.thorough) for name in FAULTS],
)
@pytest.mark.parametrize("venue", VENUES)
async def test_what_strikes_one_leg_costs_nothing(venue: str, fault: str, tmp_path: Path) -> None:
    late, striking = FAULTS[fault]
    run = Run(venue, tmp_path, late, redundancy=2)

    async def work(feed: tickwire.FeedHandler) -> None:
        await asyncio.sleep(0.7)
        for each in striking:
            run.sim.inject(each)
        # Half-open is found in two and a half seconds here: 2 s of silence, and a ping.
        await asyncio.sleep(4 if fault == "freeze" else 2)

    await run.run(work)
    run.check()
    run.check_numbers()
    legs = run.summary["legs"]["0"]
    assert legs.keys() == {"0", "1"}
    total = {what: legs["0"][what] + legs["1"][what] for what in ("first", "late", "lost")}
    assert total["first"] == run.summary["messages"]
    assert total["late"] == sum(leg["lateness_us"]["count"] for leg in legs.values()) > 500
    assert not any(leg["refused"] for leg in legs.values())
    if fault in ("losses", "freeze"):
        assert total["lost"] > 50
    n_ends = fault not in ("losses", "repeats")
    assert run.summary["connects"] == 2 + n_ends


@pytest.mark.thorough
@pytest.mark.parametrize("venue", VENUES)
async def test_without_any_leg_there_is_a_gap(venue: str, tmp_path: Path) -> None:
    run = Run(venue, tmp_path, [], redundancy=2)

    async def work(feed: tickwire.FeedHandler) -> None:
        await asyncio.sleep(1)
        run.sim.inject("reset")
        await asyncio.sleep(1.5)

    await run.run(work)
    path = tmp_path / "m.duckdb"
    gaps = read_gaps(path, time.time_ns())
    truth = made(tmp_path / "log")
    verdicts = compare(truth, read_rows(path), gaps, to_ns=run.stop_ns - 200 * MS)
    for stream, verdict in verdicts.items():
        assert gaps[stream]
        assert not verdict.doubled, (stream, str(verdict))
        assert not verdict.undeclared, (stream, str(verdict))


@pytest.mark.parametrize("redundancy", [1, pytest.param(2, marks=pytest.mark.thorough)])
@pytest.mark.parametrize("venue", VENUES)
async def test_a_refresh_costs_nothing(venue: str, redundancy: int, tmp_path: Path) -> None:
    run = Run(venue, tmp_path, [], redundancy=redundancy)

    async def work(feed: tickwire.FeedHandler) -> None:
        await asyncio.sleep(1)
        for _ in range(2):
            assert await feed.refresh(0)
        await asyncio.sleep(0.5)

    await run.run(work)
    run.check()
    run.check_numbers()
    assert run.summary["planned_changes"] == 2 * redundancy
    assert run.summary["connects"] == 3 * redundancy
    events = run.column("select event from sessions order by seq")
    # The next one is there and subscribed before one ends.
    n_open = n_subscribed = 0
    for event in events[: -redundancy or None]:
        n_open += {"connected": 1, "disconnected": -1}.get(event, 0)
        n_subscribed += {"subscribed": 1, "disconnected": -1}.get(event, 0)
        if event == "disconnected":
            assert n_subscribed >= redundancy


@pytest.mark.parametrize(
    "venue", ["hyperliquid", pytest.param("binance", marks=pytest.mark.thorough)]
)
async def test_a_connection_is_replaced_before_it_is_too_old(venue: str, tmp_path: Path) -> None:
    declared = load(venue)
    young = replace(declared, limits=replace(declared.limits, max_age_s=1.0))
    run = Run(venue, tmp_path, [], redundancy=1)
    run.source["venue"] = young

    async def work(feed: tickwire.FeedHandler) -> None:
        await until(lambda: feed.summary()["planned_changes"] >= 1)
        await asyncio.sleep(0.3)

    await run.run(work)
    run.check()
    run.check_numbers()
    assert run.summary["planned_changes"] >= 1
    assert run.summary["reconnects"] == 0


async def test_a_venues_notice_is_heeded(tmp_path: Path) -> None:
    run = Run("binance", tmp_path, [], redundancy=1)

    async def work(feed: tickwire.FeedHandler) -> None:
        n_asked = run.sim.stats.subscriptions
        await asyncio.sleep(1)
        run.sim.inject("notice=#0")
        await until(lambda: run.sim.stats.subscriptions == 2 * n_asked)
        await asyncio.sleep(0.1)  # what was on its way to the old one has come
        run.sim.inject("close:1001=#0")
        await until(lambda: feed.summary()["planned_changes"] == 1)
        await asyncio.sleep(0.5)

    await run.run(work)
    run.check()
    run.check_numbers()
    assert run.summary["planned_changes"] == 1
    assert "closing" in run.column("select event from sessions")


@contextlib.asynccontextmanager
async def forwarded(port: int, url: str) -> AsyncIterator[None]:
    """Take connections on a port and carry their bytes to and from a simulator's."""
    to = urlsplit(url)
    writers: list[asyncio.StreamWriter] = []

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):  # of a connection that a side has reset
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward, back = await asyncio.open_connection(to.hostname, to.port)
        writers.extend((writer, back))
        await asyncio.gather(carry(reader, back), carry(onward, writer))

    server = await asyncio.start_server(take, "127.0.0.1", port)
    async with server:
        yield
        for writer in writers:
            writer.close()


@pytest.mark.parametrize("venue", VENUES)
async def test_going_back_to_the_first_endpoint_costs_nothing(
    venue: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(degrading, "FIRST_CALM_S", 0.3)
    monkeypatch.setattr(degrading, "PROBE_EVERY_S", 0.3)
    run = Run(venue, tmp_path, [], redundancy=1)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    async def work(feed: tickwire.FeedHandler) -> None:
        await until(lambda: feed.summary()["degradations"] != {})
        assert feed.summary()["connects"] == 1
        async with forwarded(port, run.sim.ws_url):  # the first one answers again
            both = {"endpoint": {"degraded": 1, "restored": 1}}
            await until(lambda: feed.summary()["degradations"] == both)
            await asyncio.sleep(0.5)
            run.stop_ns = time.time_ns()
            await feed.stop()

    async with run.sim as sim:
        path = sim.ws_url.partition("://")[2].partition("/")[2]
        run.source["urls"] = [f"ws://127.0.0.1:{port}/{path}", sim.ws_url]
        await run.feed(sim, work)
    run.check(gaps_from_ns=run.start_ns)  # before it there was no connection
    run.check_numbers()
    assert run.summary["planned_changes"] == 1
    assert run.summary["reconnects"] == 0


async def test_what_the_new_connection_cannot_have_keeps_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "CHANGE_S", 0.6)
    run = Run("hyperliquid", tmp_path, [], redundancy=1)

    async def work(feed: tickwire.FeedHandler) -> None:
        await asyncio.sleep(0.5)
        run.sim.inject("reject=ETH@0s..")
        refreshing = asyncio.ensure_future(feed.refresh())
        await until(lambda: len(run.sim.connections) > 1)
        assert not await feed.refresh()  # the same change, while it goes on
        assert not await refreshing
        await asyncio.sleep(0.3)

    await run.run(work)
    run.check()
    assert run.summary["planned_changes"] == 0


async def test_a_new_connection_that_brings_nothing_does_not_take_the_old_ones_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "CHANGE_S", 0.6)
    monkeypatch.setattr(changes, "OVERLAP_S", 0.1)
    # Of symbols alone, which the fault names: mids have none.
    run = Run("hyperliquid", tmp_path, [], redundancy=1, channels=["trades", "quotes"])

    async def work(feed: tickwire.FeedHandler) -> None:
        await asyncio.sleep(0.3)
        run.sim.inject(f"silent={','.join(VENUES['hyperliquid'][0])}@0s..")
        assert not await feed.refresh()
        await asyncio.sleep(0.2)

    await run.run(work)
    run.check()
    assert run.summary["planned_changes"] == 0


async def test_legs_of_several_sources_share_a_tight_limit_of_connects_and_none_starves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "tickwire")
    window_s = 1.0

    def tight(count: int, _window_s: float = 60.0, **options: Any) -> WindowLimiter:
        is_of_connects = "n_reserved" in options
        return WindowLimiter(2, window_s) if is_of_connects else WindowLimiter(0)

    monkeypatch.setattr(sharing, "WindowLimiter", tight)
    monkeypatch.setattr(reporting, "LOGGED_WAIT_S", 0.1)
    symbols, channels = VENUES["hyperliquid"]
    async with Simulator("hyperliquid", rate=200, symbols=symbols) as sim:
        sources = [
            tickwire.Source(
                venue="hyperliquid", channels=channels, symbols=[each], redundancy=2,
                url=sim.ws_url, rest_url=sim.rest_url,
            )
            for each in symbols
        ]  # fmt: skip
        async with tickwire.FeedHandler(sources, [], state_dir=None) as feed:
            await feed.ready()  # with a leg of each source: neither waits for the other's second
            await until(lambda: len(sim.connections) == 4)
            began_s = time.monotonic()
            for number in range(4):
                sim.inject(f"reset=#{number}")
            await until(lambda: feed.summary()["connects"] == 8)
            await until(lambda: len(sim.connections) == 4)
            took_s = time.monotonic() - began_s
        summary = feed.summary()
    # Four of them, two a window, and what is left of the window before.
    assert window_s <= took_s < 5 * window_s
    assert summary["connect_limit_wait_s"] >= window_s
    assert "waiting for the venue's limit of connects" in caplog.text
    assert {source: set(legs) for source, legs in summary["legs"].items()} == {
        "0": {"0", "1"},
        "1": {"0", "1"},
    }
