"""What health says of a feed's parts that are not well."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.feed.test_handler import source, until

import tickwire
from tickwire.errors import EmergencyShutdown
from tickwire.feed import probe
from tickwire.health import Component, State
from tickwire.sim import Simulator

Run = Callable[[Coroutine[Any, Any, None]], None]


def part(feed: tickwire.FeedHandler, name: str) -> Component:
    """Give the component whose name begins so."""
    assert feed._probe is not None
    [found] = [each for each in feed._probe.components() if each.name.startswith(name)]
    return found


def test_a_source_without_any_connection_has_failed_after_a_while(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with (
            Simulator(rate=500) as sim,
            tickwire.FeedHandler([source(sim.ws_url, backoff_max_s=60.0)]) as feed,
        ):
            await until(lambda: feed.is_healthy)
            sim.inject("down@0s..")
            await until(lambda: feed.status().connected == 0)
            found = part(feed, "source 0")
            assert found.state is State.DEGRADED
            assert found.reasons[0] == "1 of 1 connections are not open"
            monkeypatch.setattr(probe, "FAILED_AFTER_S", 0.0)
            assert part(feed, "source 0").state is State.FAILED
            feed.pause(0)
            await until(lambda: "paused by the program" in part(feed, "source 0").reasons)
            assert part(feed, "source 0").state is State.DEGRADED

    run(main())


def test_an_emergency_and_a_ring_that_stops_the_feed_are_named(run: Run) -> None:
    async def main() -> None:
        async with Simulator(rate=2000) as sim:
            feed = tickwire.FeedHandler([source(sim.ws_url)])
            running = asyncio.create_task(feed.run())
            await until(lambda: feed.has_run)
            consumer = feed.batches("trades", on_lag="block", maxsize=100)
            await until(lambda: consumer.qsize() > 0)
            await until(lambda: part(feed, "rings").state is not State.OK)
            assert part(feed, "rings").reasons == ("trades is full and stops the feed",)
            await until(lambda: bool(part(feed, "source 0").reasons))
            assert "reading is paused: a ring is full" in part(feed, "source 0").reasons
            feed.declare_emergency("a test")
            found = part(feed, "emergency")
            assert (found.state, found.reasons) == (State.FAILED, ("a test",))
            with pytest.raises(EmergencyShutdown):
                await running

    run(main())
