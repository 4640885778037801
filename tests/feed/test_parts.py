"""Channels of one table on one connection: the rows of one do not speak for another."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from unittest.mock import MagicMock

import pytest
from tests.feed.test_changes import Bag
from tests.feed.test_handler import source, until
from tests.feed.test_poorer import Market
from tests.feed.test_staleness import drained, rows_of
from tests.net.servers import serve_raw

import tickwire
from tickwire.feed import housekeeping
from tickwire.feed.plan.parts import Parts
from tickwire.feed.streams import staleness
from tickwire.feed.streams.legs import LegGroup
from tickwire.venues import load, plan


def parts_of(*channels: str) -> Parts:
    plan = tickwire.FeedHandler([source("ws://localhost", channels=list(channels))]).plan
    return Parts(plan.sources[0].connections)


def test_each_further_channel_of_a_table_has_a_number_of_its_own() -> None:
    parts = parts_of("trades", "book", "book:fast", "book:n5", "quotes")  # two connections
    assert parts.divided == {(0, "book"): {"book": 0, "book:fast": 2}}
    assert parts.n_numbers == 3
    assert parts.numbers(0, "book") == [0, 2]
    assert parts.numbers(1, "book") == [1]
    assert parts.number(0, "book", "book:fast") == 2
    assert parts.number(0, "trades", "trades") == 0


def test_candles_have_no_parts() -> None:
    assert parts_of("candles:1m", "candles:5m", "trades").divided == {}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staleness, "LOOK_NS", 10_000_000)
    monkeypatch.setattr(housekeeping, "HOUSEKEEPING_S", 0.02)


@pytest.mark.usefixtures("quick")
async def test_a_book_that_falls_silent_beside_another_one_is_found_and_lies_in_a_gap() -> None:
    hyperliquid = load("hyperliquid")
    channels = tuple(replace(each, cadence_s=0.02, poorer="") for each in hyperliquid.channels)
    market = Market()
    async with serve_raw(market.serve) as port:
        one = source(
            f"ws://127.0.0.1:{port}",
            venue=replace(hyperliquid, channels=channels),
            channels=["book", "book:fast"],
            stale_after_s=0.4,
        )
        async with tickwire.FeedHandler([one]) as feed, asyncio.timeout(20):
            gaps = feed.batches("gaps")
            await until(lambda: feed.summary()["rows"]["book"] > 40)
            assert market.n_connections == 1
            market.is_mute = True
            await until(lambda: market.asked["fast"] == 2)
            assert feed.summary()["stale_streams"] == ["BTC (book:fast)"]
            market.is_mute = False
            await until(lambda: feed.summary()["stale_streams"] == [])
            await asyncio.sleep(0.1)
            rows = [row async for batch in drained(gaps) for row in rows_of(batch)]
    first, second, *_ = [row for row in rows if row["reason"] == "stale"]
    assert (first["table_name"], first["symbol"], first["state"]) == ("book", "BTC", "open")
    assert first["detail"].startswith("book:fast: silent for ")
    assert (second["gap_id"], second["state"]) == (first["gap_id"], "closed")
    assert second["ts_end"] - second["ts_start"] >= 400_000_000
    assert market.asked["plain"] == 1


def test_the_loss_and_the_acknowledgement_of_another_book_are_not_the_spliced_one_s() -> None:
    told: list[tuple[str, ...]] = []
    books: Any = Bag(
        acknowledged=lambda symbol: told.append(("acknowledged", symbol)),
        on_connected=lambda symbols, conn: None,
        on_left=lambda symbols, conn, other: None,
        on_disconnected=lambda symbols: told.append(("disconnected", *symbols)),
    )
    binance = load("binance")
    subscriptions = plan(binance, ["book", "book:5"], ["BTCUSDT"])
    sessions: list[Any] = [
        Bag(venue=binance, subscriptions=subscriptions, handler=None, conn=conn, connection=None)
        for conn in range(4)
    ]
    first, second, *spares = sessions
    group = LegGroup(
        0, MagicMock(), MagicMock(), MagicMock(), books, ("BTCUSDT",), lambda: None,
        lambda _session, _text: None,
    )  # fmt: skip
    whole, partial = subscriptions
    for session, spare in zip((first, second), spares, strict=True):
        group.add(session, spare)
        group.connected(session, session.conn)
        group.acknowledged(session, whole)
    group.acknowledged(first, partial)  # the other one is refused it
    assert told == [("acknowledged", "BTCUSDT")] * 2
    group.disconnected(first, 0, "lost", "")
    assert told[2:] == [("disconnected",)]
