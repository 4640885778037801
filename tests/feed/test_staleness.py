"""Streams that are acknowledged and bring nothing: named, asked for again, told to the ledger."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from structlog.testing import capture_logs
from tests.feed.test_handler import source, trades, until
from tests.net.servers import Peer, serve_raw, text

import tickwire
from tickwire.feed import housekeeping
from tickwire.feed.sources import sources
from tickwire.feed.streams import staleness
from tickwire.session import freshness
from tickwire.venues import load

# Above what counts as a stall of the loop, in which nothing is judged: no busy machine makes a
# stream stale.
STALE_S = 0.7
LIMIT_S = 90


class Market:
    """A server of Hyperliquid's protocol that trades each coin every 20 ms, but for the muted."""

    def __init__(self) -> None:
        self.muted: set[str] = set()
        self.asked: list[dict[str, Any]] = []
        self.asked_ns = 0  # when the last request came
        self.n_connections = 0
        self.number = 0
        self.revives: Callable[[Market, dict[str, Any]], bool] = lambda market, request: False

    async def serve(self, peer: Peer) -> None:
        await peer.shake_hands()
        self.n_connections += 1
        coins: list[str] = []
        talking = asyncio.ensure_future(self._talk(peer, coins))
        try:
            while True:
                opcode, payload = await peer.read_frame()
                if opcode == 8:
                    await peer.send(b"\x88\x02" + payload[:2])
                    return
                request = json.loads(payload)
                if request["method"] == "ping":
                    await peer.send(text('{"channel":"pong"}'))
                    continue
                self.asked_ns = time.time_ns()
                self.asked.append({"conn": self.n_connections, **request})
                coin = request["subscription"]["coin"]
                if self.revives(self, request):
                    self.muted.discard(coin)
                if request["method"] == "subscribe":
                    coins.append(coin)
                else:
                    coins.remove(coin)
                answer = {"channel": "subscriptionResponse", "data": request}
                await peer.send(text(json.dumps(answer)))
        finally:
            talking.cancel()

    async def _talk(self, peer: Peer, coins: list[str]) -> None:
        while True:
            for coin in [each for each in coins if each not in self.muted]:
                self.number += 1
                [trade] = trades(self.number, self.number + 1)
                await peer.send(text(trade.decode().replace("BTC", coin)))
            await asyncio.sleep(0.02)

    def methods(self, coin: str) -> list[str]:
        """What was asked of a coin."""
        return [each["method"] for each in self.asked if each["subscription"]["coin"] == coin]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staleness, "LOOK_NS", 10_000_000)
    monkeypatch.setattr(housekeeping, "HOUSEKEEPING_S", 0.05)
    monkeypatch.setattr(staleness, "RECONNECT_S", 0.1)
    # The pauses that a busy machine makes are learned, and put no test off for long.
    monkeypatch.setattr(freshness, "LEARNED_TIMES", 2)


def feed_of(port: int, *symbols: str, **more: Any) -> tickwire.FeedHandler:
    return tickwire.FeedHandler([source(f"ws://127.0.0.1:{port}", symbols=list(symbols), **more)])


def reasons_of(feed: tickwire.FeedHandler) -> list[str]:
    """Give why the health of the source is not well."""
    assert feed._probe is not None
    [source] = [each for each in feed._probe.components() if each.name.startswith("source")]
    return list(source.reasons)


async def test_a_coin_that_falls_silent_is_asked_for_again_and_lies_in_a_gap() -> None:
    market = Market()
    market.revives = lambda market, request: request["method"] == "subscribe"
    async with (
        serve_raw(market.serve) as port,
        feed_of(port, "BTC", "ETH", stale_after_s=STALE_S) as feed,
        asyncio.timeout(LIMIT_S),
    ):
        gaps = feed.batches("gaps")
        await until(lambda: feed.summary()["rows"]["trades"] > 40)
        market.muted.add("ETH")
        await until(lambda: market.methods("ETH") == ["subscribe", "unsubscribe", "subscribe"])
        revived_ns = market.asked_ns
        await until(lambda: market.muted == set() and feed.summary()["stale_streams"] == [])
        assert market.n_connections == 1
        await asyncio.sleep(0.1)
        rows = [row async for batch in drained(gaps) for row in rows_of(batch)]
    stale = [row for row in rows if row["reason"] == "stale"]
    assert {(row["symbol"], row["table_name"]) for row in stale} == {("ETH", "trades")}
    assert [row["state"] for row in stale] == ["open", "closed"]
    assert stale[0]["ts_start"] + STALE_S * 1e9 <= revived_ns < stale[-1]["ts_end"]
    assert market.methods("BTC") == ["subscribe"]


async def test_of_many_connections_each_has_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "GROUPS_A_TURN", 2)
    hyperliquid = load("hyperliquid")
    limits = replace(hyperliquid.limits, subscriptions_per_connection=1)
    market, coins = Market(), [f"C{number}" for number in range(7)]
    async with (
        serve_raw(market.serve) as port,
        feed_of(
            port, *coins, venue=replace(hyperliquid, limits=limits), stale_after_s=STALE_S
        ) as feed,
        asyncio.timeout(LIMIT_S),
    ):
        await until(lambda: feed.summary()["rows"]["trades"] > 140)
        assert market.n_connections == 7
        market.muted.update(coins)
        await until(lambda: all("unsubscribe" in market.methods(coin) for coin in coins))


def rows_of(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Give rows with times as integers."""
    kinds = [pa.int64() if pa.types.is_timestamp(each.type) else each.type for each in batch.schema]
    columns = [column.cast(kind) for column, kind in zip(batch.columns, kinds, strict=True)]
    rows: list[dict[str, Any]] = pa.RecordBatch.from_arrays(columns, batch.schema.names).to_pylist()
    return rows


async def drained(consumer: Any) -> Any:
    while True:
        try:
            yield consumer.get_nowait()
        except tickwire.QueueEmpty:
            return


async def test_one_that_stays_silent_is_reconnected_once_and_then_told() -> None:
    market = Market()
    with capture_logs() as logs:
        async with (
            serve_raw(market.serve) as port,
            feed_of(port, "BTC", "ETH", stale_after_s=STALE_S) as feed,
            asyncio.timeout(LIMIT_S),
        ):
            await until(lambda: feed.summary()["rows"]["trades"] > 40)
            market.muted.add("ETH")
            await until(lambda: any(log["event"] == "streams stay silent" for log in logs))
            assert feed.summary()["stale_streams"] == ["ETH (trades)"]
            assert feed.status().stale == 1
            assert reasons_of(feed) == ["silent for too long: ETH (trades)"]
            await asyncio.sleep(1.0)
            assert market.n_connections == 2
            market.muted.clear()
            await until(lambda: feed.status().stale == 0)
    assert market.methods("ETH") == ["subscribe", "unsubscribe", "subscribe", "subscribe"]
    assert any(log["event"] == "streams deliver again" for log in logs)


async def test_the_next_endpoint_has_its_turn_where_one_is_given() -> None:
    first, second = Market(), Market()
    async with (
        serve_raw(first.serve) as port,
        serve_raw(second.serve) as other,
        tickwire.FeedHandler(
            [
                tickwire.Source(
                    venue="hyperliquid",
                    channels=["trades"],
                    symbols=["BTC", "ETH"],
                    urls=[f"ws://127.0.0.1:{port}", f"ws://127.0.0.1:{other}"],
                    stale_after_s=STALE_S,
                )
            ]
        ) as feed,
        asyncio.timeout(LIMIT_S),
    ):
        await until(lambda: feed.summary()["rows"]["trades"] > 40)
        first.muted.add("ETH")
        await until(lambda: second.n_connections == 1)
        await until(lambda: feed.status().stale == 0)


async def test_a_symbol_that_never_delivers_is_named() -> None:
    market = Market()
    market.muted.add("NONE")
    with capture_logs() as logs:
        async with (
            serve_raw(market.serve) as port,
            feed_of(port, "BTC", "NONE", first_message_s=STALE_S) as feed,
            asyncio.timeout(LIMIT_S),
        ):
            await until(lambda: feed.summary()["silent_streams"] == ["NONE (trades)"])
            assert feed.status().silent == 1
            assert reasons_of(feed) == ["no message for NONE (trades)"]
            await asyncio.sleep(0.5)
            market.muted.clear()
            await until(lambda: feed.status().silent == 0)
    said = [log["detail"] for log in logs if log["event"] == "warning"]
    assert said == ["no message for NONE (trades) in 0.7 s"]
    assert market.methods("NONE") == ["subscribe"]  # it may be quiet


async def test_many_are_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staleness, "LOOK_NS", 500_000_000)
    market = Market()
    market.muted.update(f"S{number}" for number in range(9))
    with capture_logs() as logs:
        async with (
            serve_raw(market.serve) as port,
            feed_of(port, "BTC", *sorted(market.muted), first_message_s=1.0) as feed,
            asyncio.timeout(LIMIT_S),
        ):
            await until(lambda: feed.status().silent == 9)
            await asyncio.sleep(0.2)
    said = [log["detail"] for log in logs if log["event"] == "warning"]
    assert len(said) < 9
    assert all(line.startswith("no message for S") for line in said)


async def test_a_connection_of_which_nothing_comes_is_left() -> None:
    market = Market()
    market.muted.update(("BTC", "ETH"))
    async with (
        serve_raw(market.serve) as port,
        feed_of(port, "BTC", "ETH", first_message_s=0.2),
        asyncio.timeout(LIMIT_S),
    ):
        await until(lambda: market.n_connections == 2)


async def test_a_subscription_delivers_by_its_rows_on_this_connection() -> None:
    market = Market()
    market.muted.add("ETH")
    async with (
        serve_raw(market.serve) as port,
        feed_of(port, "BTC", "ETH") as feed,
        asyncio.timeout(LIMIT_S),
    ):
        await until(lambda: feed.summary()["rows"]["trades"] > 3)
        assert feed._feed is not None
        [source] = feed._feed.sources
        [group] = source.groups
        session = group.legs[0].session
        delivering = {
            each.symbol: group.staleness.delivers(each, session.conn)
            for plan in source.plan.connections
            for each in plan.subscriptions
        }
        assert delivering == {"BTC": True, "ETH": False}
        [btc, _] = source.plan.connections[0].subscriptions
        assert not group.staleness.delivers(btc, session.conn + 1)
