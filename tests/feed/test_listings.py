"""The table of instruments: what is written, when, and what is not."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

import tickwire
from tickwire.config import Config, Feed
from tickwire.errors import ConfigError, ConnectionFailed
from tickwire.feed.plan.planning import plan_feed
from tickwire.feed.plan.plans import SourcePlan
from tickwire.feed.sources.listings import REFRESH_S, RETRY_S, Listings
from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES
from tickwire.sim import Simulator


class Rest:
    """Gives one answer after the other; None: none can be had."""

    def __init__(self, *answers: object) -> None:
        self.answers = [*answers]

    async def get(self, url: str, body: str | None = None) -> tuple[bytes, int]:
        answer = self.answers.pop(0)
        if answer is None:
            raise ConnectionFailed(f"{url}: refused")
        return json.dumps(answer).encode(), 0


def product(name: str, **changed: object) -> dict[str, object]:
    base, _, quote = name.partition("-")
    plain = {"product_id": name, "product_type": "SPOT", "base_currency_id": base}
    plain |= {"quote_currency_id": quote, "price_increment": "0.01", "base_increment": "0.001"}
    return plain | {"status": "online"} | changed


def products(*given: dict[str, object]) -> dict[str, object]:
    return {"products": [*given]}


def planned(*symbols: str, **more: Any) -> SourcePlan:
    source = tickwire.Source(
        venue="coinbase", channels=["trades", "instruments"], symbols=symbols, **more
    )
    return plan_feed(Config(Feed(), (source,), ())).sources[0]


async def listing(
    source: SourcePlan, rest: Rest, rounds: int
) -> tuple[list[dict[str, Any]], list[float]]:
    """Run for some rounds; give the rows and the waits between."""
    ring = Ring(TABLES["instruments"], 1 << 14, Dictionaries())
    consumer = Consumer(ring)
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == rounds:
            raise asyncio.CancelledError

    listings = Listings([source], ring, lambda _: rest, sleep=sleep)
    with pytest.raises(asyncio.CancelledError):
        await listings.run()
    batch = consumer.take()
    return ([] if batch is None else batch.drop_columns(["ts_recv"]).to_pylist()), waits


async def test_configured_symbols_are_written_and_what_changes_of_them() -> None:
    first = products(product("BTC-USD"), product("ETH-USD"), product("SOL-USD"))
    second = products(product("BTC-USD", status="delisted"), product("ETH-USD"))
    rows, waits = await listing(planned("BTC-USD", "ETH-USD"), Rest(first, first, second), 3)
    assert [(row["symbol"], row["status"]) for row in rows] == [
        ("BTC-USD", "online"),
        ("ETH-USD", "online"),
        ("BTC-USD", "delisted"),
    ]
    assert waits == [REFRESH_S] * 3
    row = rows[0]
    assert (row["venue"], row["name"], row["kind"]) == ("coinbase", "BTC-USD", "spot")
    assert (row["base"], row["quote"], row["settle"]) == ("BTC", "USD", None)
    assert (row["tick_size"], row["lot_size"], row["decimals"]) == (0.01, 0.001, 2)
    assert (row["inverse"], row["contract_size"], row["expiry"]) == (False, None, None)


async def test_a_list_that_cannot_be_had_is_asked_for_again_soon() -> None:
    rest = Rest(None, {"wrong": []}, products(product("BTC-USD")))
    with capture_logs() as logs:
        rows, waits = await listing(planned("BTC-USD"), rest, 3)
    assert len(rows) == 1
    assert waits == [RETRY_S, RETRY_S, REFRESH_S]
    assert sum(each["event"] == "instruments not listed" for each in logs) == 2


async def test_another_server_is_not_asked_for_the_list_of_the_venue() -> None:
    with capture_logs() as logs:
        rows, _ = await listing(planned("BTC-USD", url="ws://127.0.0.1:1"), Rest(), 1)
    assert rows == []
    assert [each["event"] for each in logs] == ["no list of instruments"]


@pytest.mark.parametrize(
    ("channels", "said"),
    [
        (["instruments"], "'instruments' needs another one beside it"),
        (["trades", "instrument"], "did you mean 'instruments'"),
    ],
)
def test_the_channel_is_one_beside_others(channels: Sequence[str], said: str) -> None:
    source = tickwire.Source(venue="okx", channels=channels, symbols=["BTC-USDT"])
    with pytest.raises(ConfigError, match=said):
        plan_feed(Config(Feed(), (source,), ()))


async def test_a_feed_has_the_table() -> None:
    async with Simulator("okx", rate=100) as sim:
        source = tickwire.Source(
            venue="okx", channels=["trades", "instruments"], url=sim.ws_url,
            symbols=["BTC-USDT-PERP", "ETH/USDT"], rest_url=sim.rest_url, proxy="off",
        )  # fmt: skip
        found: dict[str, str] = {}
        async with asyncio.timeout(20), tickwire.FeedHandler([source]) as feed:
            async for batch in feed.batches("instruments"):
                found |= {
                    row["symbol"]: row["name"]
                    for row in batch.select(["symbol", "name"]).to_pylist()
                }
                if len(found) == 2:
                    break
    assert found == {"BTC-USDT-SWAP": "BTC-USDT-PERP", "ETH-USDT": "ETH-USDT"}
