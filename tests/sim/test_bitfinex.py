"""What Bitfinex answers: requests, those that it cannot take, and its list of pairs."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
from tests.sim.raw import Raw

from tickwire.sim import Simulator

BTC = {"channel": "trades", "symbol": "tBTCUSD"}


async def event(client: Raw) -> dict[str, Any]:
    """Read the next message that is no row."""
    while True:
        found = json.loads(await client.text())
        if isinstance(found, dict):
            return found


async def asked(client: Raw, **request: Any) -> dict[str, Any]:
    client.send(1, json.dumps(request).encode())
    return await event(client)


async def test_requests_and_their_answers() -> None:
    async with Simulator("bitfinex", rate=100) as sim:
        client = await Raw.opened(sim)
        try:
            assert (await event(client))["version"] == 2
            pong = await asked(client, event="ping")
            assert (pong["event"], type(pong["ts"])) == ("pong", int)
            assert await asked(client, event="conf", flags=65536) == {
                "event": "conf", "status": "OK", "flags": 65536,
            }  # fmt: skip
            assert (await asked(client, event="dance"))["msg"] == "unknown request"
            told = await asked(client, event="subscribe", **BTC)
            assert {name: told[name] for name in ("event", *BTC)} == {"event": "subscribed", **BTC}
            again = await asked(client, event="subscribe", **BTC)
            assert (again["code"], again["msg"]) == (10301, "subscribe: dup")
            wrong = await asked(client, event="subscribe", channel="trades", symbol="tNONE")
            assert (wrong["code"], wrong["symbol"]) == (10300, "tNONE")
            numbers: list[int] = []
            while len(numbers) < 5:
                found = json.loads(await client.text())
                assert found[0] == told["chanId"]
                numbers.append(found[-1])
            assert numbers == list(range(numbers[0], numbers[0] + 5))
        finally:
            await Raw.close_all()


async def test_pairs_are_listed_by_kind() -> None:
    async with Simulator("bitfinex") as sim, aiohttp.ClientSession() as session:
        path = "/v2/conf/pub:list:pair:exchange,pub:list:pair:futures"
        async with session.get(sim.rest_url + path) as answer:
            spot, futures = await answer.json()
        async with session.get(sim.rest_url + "/v2/conf/other") as answer:
            assert answer.status == 404
    assert "BTCUSD" in spot
    assert not any("F0:" in pair for pair in spot)
    assert all("F0:" in pair for pair in futures)
