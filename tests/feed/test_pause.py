"""A source is paused and resumed while the feed runs, from the loop and from another thread."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.feed.test_handler import until

import tickwire
from tickwire.sim import Simulator

Run = Callable[[Coroutine[Any, Any, None]], None]


def source(sim: Simulator, **more: Any) -> tickwire.Source:
    keys = {
        "venue": sim.venue,
        "channels": ["trades"],
        "symbols": ["BTC"],
        "rest_url": sim.rest_url,
        "silence_floor_s": 0.0,  # the simulator may be held up, which is a silence
    }
    return tickwire.Source(**keys | {"url": sim.ws_url} | more)


def rows(feed: tickwire.FeedHandler) -> int:
    return int(feed.summary()["rows"]["trades"])


def test_the_pause_is_one_gap_and_the_other_source_goes_on(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "market.duckdb"
        async with Simulator(rate=500) as sim:
            sources = [source(sim), source(sim, symbols=["ETH"])]
            feed = tickwire.FeedHandler(sources, [tickwire.DuckDBSink(path=path)])
            async with feed:
                await feed.ready()
                await until(lambda: rows(feed) > 0)
                feed.pause("0 hyperliquid")
                assert not feed.is_healthy  # at once
                await until(lambda: len(sim.connections) == 1)
                assert feed.coordinator.paused == ["source 0 hyperliquid"]
                n_rows = rows(feed)
                await until(lambda: rows(feed) > n_rows)  # ETH's
                assert feed.summary()["reconnects"] == 0
                thread = threading.Thread(target=feed.resume, args=(0,))
                thread.start()
                await until(lambda: len(sim.connections) == 2)
                await until(lambda: feed.is_healthy)
                thread.join()
                assert feed.coordinator.paused == []
                await until(lambda: feed.summary()["rows"]["gaps"] >= 2)
        with duckdb.connect(str(path), read_only=True) as database:
            gaps = database.sql(
                "SELECT symbol, reason, state FROM gaps WHERE table_name = 'trades' ORDER BY seq"
            ).fetchall()
            events = database.sql(
                "SELECT event FROM sessions WHERE event IN ('paused', 'resumed') ORDER BY seq"
            ).fetchall()
        assert gaps == [("BTC", "paused", "open"), ("BTC", "paused", "closed")]
        assert events == [("paused",), ("resumed",)]

    run(main())


def test_the_last_word_counts_and_a_paused_feed_stops(run: Run) -> None:
    async def main() -> None:
        async with Simulator(rate=500) as sim:
            feed = tickwire.FeedHandler([source(sim)])
            with pytest.raises(RuntimeError, match="does not run"):
                feed.pause(0)
            async with feed:
                feed.pause(0)  # while it connects
                feed.resume(0)
                await until(lambda: feed.is_healthy)
                for name in ("hyperliquid", 0):
                    feed.pause(name)
                await until(lambda: not sim.connections)
                with pytest.raises(KeyError, match="no source 'binance': 0 hyperliquid"):
                    feed.pause("binance")
            async with asyncio.timeout(20):
                await feed.stop()

    run(main())


def test_a_pause_before_the_connection_is_open_holds(run: Run) -> None:
    async def main() -> None:
        async with Simulator(rate=500) as sim, tickwire.FeedHandler([source(sim)]) as feed:
            feed.pause(0)
            assert feed._feed is not None
            [live] = feed._feed.sources
            # What was about to open opens, and is closed before anything is asked for.
            await until(lambda: live.sessions[0].handler is None)
            await until(lambda: not sim.connections)
            await asyncio.sleep(0.1)
            assert not sim.connections
            assert rows(feed) == 0
            feed.resume(0)
            await until(lambda: rows(feed) > 0)

    run(main())
