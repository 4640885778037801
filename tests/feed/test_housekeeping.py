"""How often sources are looked at: at once where something has come, else seldom."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.feed.test_handler import source, trades, until
from tests.feed.test_staleness import drained, rows_of
from tests.net.servers import Peer, serve_raw, text

import tickwire
from tickwire.feed.sources.sources import LiveSource
from tickwire.net.awake import STEP_S, to_step_s
from tickwire.session.connection import SessionConnection


async def two_trades(peer: Peer) -> None:
    await peer.shake_hands()
    await peer.read_frame()
    first, second = trades(0, 2)
    await peer.send(text(first.decode()))
    await asyncio.sleep(1.6)
    await peer.send(text(second.decode()))
    await peer.answer_close()


@asynccontextmanager
async def quiet_feed() -> AsyncIterator[tuple[tickwire.FeedHandler, LiveSource, list[float]]]:
    """Run a feed that has had a trade; give it, its source and the times of looks from now on."""
    looks: list[float] = []
    async with (
        asyncio.timeout(20),
        serve_raw(two_trades) as port,
        tickwire.FeedHandler([source(f"ws://127.0.0.1:{port}")]) as feed,
    ):
        await until(lambda: feed.summary()["rows"]["trades"] == 1)
        live = feed._running().sources[0]
        plain, loop = live.housekeeping, asyncio.get_running_loop()

        def noted() -> None:
            looks.append(loop.time())
            plain()

        live.housekeeping = noted  # type: ignore[method-assign] # counted
        yield feed, live, looks


async def test_a_source_is_looked_at_when_something_has_come_and_else_seldom() -> None:
    async with quiet_feed() as (feed, _, looks):
        await until(lambda: feed.summary()["rows"]["trades"] == 2)
        came = asyncio.get_running_loop().time()
        n_quiet = len(looks)  # in 1.6 s: the first trade's, and one or two more
        assert n_quiet <= 3
        await until(lambda: len(looks) > n_quiet)
        assert looks[-1] - came < 0.5


async def test_a_change_that_is_asked_for_is_looked_at_soon() -> None:
    async with quiet_feed() as (_, live, looks):
        await until(lambda: bool(looks))
        asked = asyncio.get_running_loop().time()
        n_before = len(looks)
        live.refresh()
        await until(lambda: len(looks) > n_before)
        assert looks[-1] - asked < 0.5


async def test_a_session_that_failed_and_began_again_between_two_looks_has_left_a_gap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    n_connections = 0

    async def serve(peer: Peer) -> None:
        nonlocal n_connections
        n_connections += 1
        await peer.shake_hands()
        await peer.read_frame()
        (trade,) = trades(n_connections, n_connections + 1)
        await peer.send(text(trade.decode()))
        if n_connections == 1:
            await may_go.wait()
            peer.writer.transport.abort()
        else:
            await peer.answer_close()

    may_go, judge = asyncio.Event(), SessionConnection._judge

    def failed(attempt: SessionConnection, *how: Any) -> Any:
        if n_connections == 1:
            raise RuntimeError("a fault of its own")
        return judge(attempt, *how)

    monkeypatch.setattr(SessionConnection, "_judge", failed)
    monkeypatch.setattr("tickwire.supervise.managed_task.FIRST_DELAY_S", 0.02)
    async with (
        asyncio.timeout(20),
        serve_raw(serve) as port,
        tickwire.FeedHandler([source(f"ws://127.0.0.1:{port}")]) as feed,
    ):
        gaps = feed.batches("gaps")
        await until(lambda: feed.summary()["rows"]["trades"] == 1)
        may_go.set()
        await until(lambda: feed.summary()["rows"]["trades"] == 2)
        await asyncio.sleep(0.5)
        rows = [row async for batch in drained(gaps) for row in rows_of(batch)]
    assert [(row["reason"], row["state"], row["detail"]) for row in rows] == [
        ("disconnect", "open", "lost: the session failed"),
        ("disconnect", "closed", "lost: the session failed"),
    ]


async def test_what_looks_from_time_to_time_wakes_together() -> None:
    loop = asyncio.get_running_loop()
    for seconds in (STEP_S, 1.0):
        now_s = loop.time()
        wait_s = to_step_s(loop, seconds)
        assert wait_s >= STEP_S / 2
        assert abs(wait_s - seconds) <= STEP_S / 2 + 0.05
        steps = (now_s + wait_s) / STEP_S
        assert abs(steps - round(steps)) < 0.2 or wait_s == STEP_S / 2
