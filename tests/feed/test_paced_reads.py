"""Sources that rest between reads, or spin, by their keys."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.feed.test_handler import source, trades, until
from tests.net.servers import Peer, serve_raw, text

import tickwire
from tickwire.net._spinner import spinner_of

N_TRADES = 400


async def trade_by_trade(peer: Peer) -> None:
    await peer.shake_hands()
    await peer.read_frame()
    for trade in trades(0, N_TRADES):
        await peer.send(text(trade.decode()))
        await asyncio.sleep(0)
    await peer.answer_close()


@asynccontextmanager
async def feed_with(**keys: Any) -> AsyncIterator[tickwire.FeedHandler]:
    """Run a feed until it has all trades."""
    async with (
        asyncio.timeout(20),
        serve_raw(trade_by_trade) as port,
        tickwire.FeedHandler([source(f"ws://127.0.0.1:{port}", **keys)]) as feed,
    ):
        await until(lambda: feed.summary()["rows"]["trades"] == N_TRADES)
        yield feed


def ids_of(feed: tickwire.FeedHandler) -> list[int]:
    batch = feed.batches("trades").get_nowait()
    return [int(each) for each in batch.column("trade_id").to_pylist()]


@pytest.mark.parametrize("coalesce_us", [300, "auto"])
async def test_rests_are_in_the_summary(coalesce_us: int | str) -> None:
    async with feed_with(coalesce_us=coalesce_us) as feed:
        assert ids_of(feed) == list(range(N_TRADES))
        rests = feed.summary()["latency_us"]["rest_to_read"]
        assert rests["count"] > 0
        assert 0 < rests["p50"] <= rests["max"]


async def test_a_source_that_spins_keeps_the_loop_awake() -> None:
    async with feed_with(busy_poll_us=50) as feed:
        assert ids_of(feed) == list(range(N_TRADES))
        assert spinner_of(asyncio.get_running_loop()).is_spinning


async def test_by_default_a_source_does_neither() -> None:
    async with feed_with() as feed:
        assert ids_of(feed) == list(range(N_TRADES))
        assert "rest_to_read" not in feed.summary()["latency_us"]
        assert not spinner_of(asyncio.get_running_loop()).is_spinning
