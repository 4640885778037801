"""What is made to go wrong goes wrong, once, and where it was asked for."""

import asyncio
import json
import time
from itertools import pairwise

import aiohttp
import pytest
import websockets

from tickwire.sim import Fault, Faults, Simulator


async def start(simulator, *streams):
    ws = await websockets.connect(simulator.ws_url + "/stream", max_queue=None)
    await ws.send(json.dumps({"method": "SUBSCRIBE", "params": streams, "id": 1}))
    assert json.loads(await ws.recv()) == {"result": None, "id": 1}
    return ws


async def drain(ws, received):
    """Collect messages until the connection ends."""
    while True:
        received.append(await ws.recv())


def simulate(*faults, **options):
    return Simulator("binance", rate=2000, faults=Faults(list(faults)), **options)


@pytest.mark.parametrize(
    ("fault", "code"), [(Fault("close", at=11, code=1012), 1012), (Fault("abort", at=11), None)]
)
async def test_a_connection_ends_at_a_message(fault, code):
    async with simulate(fault) as sim:
        ws = await start(sim, "btcusdt@trade")
        received = []
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            await drain(ws, received)
        assert len(received) == 10
        assert (closed.value.rcvd.code if closed.value.rcvd else None) == code
        # It strikes once: the next connection lives on.
        again = await start(sim, "btcusdt@trade")
        for _ in range(50):
            await again.recv()
        await again.close()
        assert sim.stats.faults.total() == 1


async def test_a_message_is_cut_or_lacks_a_field():
    async with simulate(Fault("truncate", at=3), Fault("missing-field", at=5)) as sim:
        ws = await start(sim, "btcusdt@trade")
        texts = [await ws.recv() for _ in range(8)]
        with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
            json.loads(texts[2])
        fields = [set(json.loads(text)["data"]) for text in texts[:2] + texts[3:]]
        assert [("p" in names) for names in fields] == [True, True, True, False, True, True, True]
        assert sim.stats.rows["trades"] == sim.stats.messages - 2
        await ws.close()


async def test_a_frame_breaks_the_protocol():
    async with simulate(Fault("protocol-error", at=4)) as sim:
        ws = await start(sim, "btcusdt@trade")
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            await drain(ws, [])
        assert closed.value.sent.code == 1002


async def test_an_error_message_and_a_stall():
    async with simulate(Fault("error", at=4), Fault("stall", at=8)) as sim:
        ws = await start(sim, "btcusdt@trade")
        texts = [json.loads(await ws.recv()) for _ in range(8)]
        assert "error" in texts[3]
        assert all("stream" in text for text in texts[:3] + texts[4:])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ws.recv(), 0.1)
        await (await ws.ping())
        await ws.close()


async def test_a_skipped_delta_breaks_the_chain_once():
    async with simulate(Fault("skip", at=30, channel="book")) as sim:
        ws = await start(sim, "btcusdt@depth@100ms", "btcusdt@trade")
        events = []
        while len(events) < 60:
            message = json.loads(await ws.recv())
            if message["stream"].endswith("100ms"):
                events.append(message["data"])
        holes = [after["U"] != before["u"] + 1 for before, after in pairwise(events)]
        assert sum(holes) == 1
        await ws.close()


async def test_a_subscription_is_refused():
    faults = Faults(refuse=lambda stream: stream.startswith("eth"))
    async with (
        Simulator("binance", faults=faults) as sim,
        websockets.connect(sim.ws_url + "/stream") as ws,
    ):
        for name, key in (("ethusdt@trade", "error"), ("btcusdt@trade", "result")):
            await ws.send(json.dumps({"method": "SUBSCRIBE", "params": [name], "id": 1}))
            assert key in json.loads(await ws.recv())
    faults = Faults(refuse=lambda subscription: '"ETH"' in subscription)
    async with (
        Simulator("hyperliquid", faults=faults) as sim,
        websockets.connect(sim.ws_url + "/ws") as ws,
    ):
        subscription = {"type": "trades", "coin": "ETH"}
        await ws.send(json.dumps({"method": "subscribe", "subscription": subscription}))
        assert json.loads(await ws.recv())["data"].startswith("Invalid subscription {")


async def test_rest_is_refused_then_slow():
    faults = Faults(rest_statuses=[429, 503], rest_delay_s=0.05, retry_after_s=3)
    async with Simulator("binance", faults=faults) as sim, aiohttp.ClientSession() as session:
        statuses = []
        start_s = time.monotonic()
        for _ in range(3):
            async with session.get(sim.rest_url + "/api/v3/depth?symbol=BTCUSDT") as reply:
                statuses.append((reply.status, reply.headers.get("Retry-After")))
        assert statuses == [(429, "3"), (503, "3"), (200, None)]
        assert time.monotonic() - start_s >= 0.15


@pytest.mark.parametrize("code", [1001, None])
async def test_all_are_disconnected_at_will(code):
    async with simulate() as sim:
        clients = [await start(sim, "btcusdt@trade") for _ in range(3)]
        sim.disconnect_all(code)
        for client in clients:
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await drain(client, [])
            assert (closed.value.rcvd.code if closed.value.rcvd else None) == code
        again = await start(sim, "btcusdt@trade")
        await again.recv()
        await again.close()
