"""Streams of users over sockets, against a simulated Hyperliquid: each row once, gaps by user."""

import asyncio
from typing import Any

import tickwire
from tickwire.sim import Simulator

USERS = tuple(f"0x{number:040x}" for number in (10, 11))
TABLES = ["fills", "orders", "fundings", "ledger"]


async def wait_for(condition: Any, timeout_s: float = 20.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 # of rows that another task takes
            await asyncio.sleep(0.01)


class Kept:
    """What a feed's batches had."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in (*TABLES, "gaps")}

    async def take(self, feed: tickwire.FeedHandler, table: str) -> None:
        async for batch in feed.batches(table):
            self.rows[table] += batch.select(
                [name for name in batch.schema.names if not name.startswith("ts_")]
            ).to_pylist()


async def test_reconnects_repeat_snapshots_and_every_row_is_there_once() -> None:
    async with Simulator("hyperliquid", rate=800, symbols=["BTC", "ETH"], seed=3) as sim:
        source = tickwire.Source(
            venue="hyperliquid",
            channels=["trades", *TABLES],
            symbols=["BTC"],
            users=USERS,
            url=sim.ws_url,
            stale_after_s=0.2,
            first_message_s=0.5,
        )
        kept = Kept()
        async with tickwire.FeedHandler(source) as feed:
            takers = [asyncio.create_task(kept.take(feed, name)) for name in kept.rows]
            await feed.ready()
            for at_least in (100, 300):
                await wait_for(lambda n=at_least: len(kept.rows["fills"]) > n)
                sim.inject("reset")
            n_before = len(kept.rows["orders"])
            await wait_for(lambda: len(kept.rows["orders"]) > n_before + 50)
            await wait_for(lambda: len(kept.rows["fills"]) > 500)
            await feed.stop()
            await asyncio.gather(*takers)
            summary = feed.summary()
        users = sim.exchange.users
        happened = {user: users.happened("userFills", user) for user in USERS}
    for user, fills in happened.items():
        ids = [row["trade_id"] for row in kept.rows["fills"] if row["symbol"] == user]
        # What happened while there was no connection came with a snapshot.
        assert len(set(ids)) == len(ids) > 100
        truth = [str(each["tid"]) for each in fills]
        assert set(truth[: truth.index(ids[-1]) + 1]) <= set(ids)
    orders = [(row["symbol"], row["order_id"], row["instrument"]) for row in kept.rows["orders"]]
    assert len(set(orders)) == len(orders)
    assert {row["symbol"] for row in kept.rows["orders"]} == set(USERS)
    for table, key in (("fundings", "instrument"), ("ledger", "tx_hash")):
        assert {row["symbol"] for row in kept.rows[table]} == set(USERS)
        assert all(row[key] for row in kept.rows[table])
    lost = {
        (row["table_name"], row["symbol"], row["reason"]) for row in kept.rows["gaps"]
        if row["table_name"] in TABLES
    }  # fmt: skip
    assert lost == {(table, user, "disconnect") for table in TABLES for user in USERS}
    assert summary["decode_errors"] == {}


async def test_the_silence_of_a_user_is_no_gap_and_asks_for_nothing() -> None:
    # The market stands still, so nothing happens to anybody.
    async with Simulator("hyperliquid", rate=0, symbols=["BTC"], seed=3) as sim:
        source = tickwire.Source(
            venue="hyperliquid",
            channels=TABLES,
            users=USERS,
            url=sim.ws_url,
            stale_after_s=0.1,
            first_message_s=0.2,
            silence_floor_s=0.05,
        )
        async with tickwire.FeedHandler(source) as feed:
            await feed.ready()
            await asyncio.sleep(1.0)
            summary = feed.summary()
    assert summary["gaps"] == 0
    assert summary["connects"] == 3
    assert summary["reconnects"] == 0
    assert not tickwire.feed.verdict.silent_streams(feed)


async def test_what_the_venue_refuses_of_a_user_is_a_gap_of_that_user() -> None:
    faults = [f"reject={USERS[1]}"]
    async with Simulator("hyperliquid", rate=500, symbols=["BTC"], seed=3, faults=faults) as sim:
        source = tickwire.Source(
            venue="hyperliquid", channels=["fills"], users=USERS, url=sim.ws_url
        )
        kept = Kept()
        async with tickwire.FeedHandler(source) as feed:
            takers = [asyncio.create_task(kept.take(feed, name)) for name in ("fills", "gaps")]
            await wait_for(lambda: kept.rows["gaps"] and len(kept.rows["fills"]) > 10)
            await feed.stop()
            await asyncio.gather(*takers)
    assert {row["symbol"] for row in kept.rows["fills"]} == {USERS[0]}
    assert {(row["symbol"], row["reason"]) for row in kept.rows["gaps"]} == {(USERS[1], "refused")}
