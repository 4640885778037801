"""What a client can do to the simulator: nothing but be refused."""

import asyncio
import json
import socket
from contextlib import suppress

import pytest
import websockets

from tickwire.sim import Simulator, hyperliquid, outgoing, rate_limits, rest, server

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)


def address(url):
    host, _, port = url.partition("://")[2].rpartition(":")
    return host, int(port)


async def until_closed(reader):
    """Read to the end, whichever way it comes."""
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionResetError:
        return b""


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0.01)


async def test_without_being_told_otherwise_only_this_machine_can_connect():
    async with Simulator() as sim:
        assert address(sim.ws_url)[0] == address(sim.rest_url)[0] == "127.0.0.1"
        [site] = sim._rest._runner.sites
        listening = [*sim._server.sockets, *site._server.sockets]
        assert {each.getsockname()[0] for each in listening} == {"127.0.0.1"}
        for url in (sim.ws_url, sim.rest_url):
            with pytest.raises(OSError, match=r"refused|unreachable|assign"):
                socket.create_connection(("::1", address(url)[1]), 1)


@pytest.mark.parametrize("part", [b"", HANDSHAKE], ids=["nothing", "half a header"])
async def test_a_slow_handshake_is_given_up(monkeypatch, part):
    monkeypatch.setattr(server, "HANDSHAKE_S", 0.2)
    async with Simulator() as sim:
        reader, writer = await asyncio.open_connection(*address(sim.ws_url))
        writer.write(part)
        assert await until_closed(reader) == b""
        writer.close()
        assert sim.stats.connections == 0


async def test_a_dripping_handshake_is_given_up(monkeypatch):
    monkeypatch.setattr(server, "HANDSHAKE_S", 0.2)
    async with Simulator() as sim:
        reader, writer = await asyncio.open_connection(*address(sim.ws_url))

        async def drip():
            for byte in HANDSHAKE * 100:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.01)

        dripping = asyncio.create_task(drip())
        assert await until_closed(reader) == b""
        dripping.cancel()
        writer.close()


@pytest.mark.parametrize("rest", [False, True], ids=["ws", "rest"])
async def test_a_huge_header_is_refused(rest):
    async with Simulator() as sim:
        reader, writer = await asyncio.open_connection(
            *address(sim.rest_url if rest else sim.ws_url)
        )
        writer.write(HANDSHAKE + b"X: " + b"x" * 200_000)
        answer = await until_closed(reader)
        assert not answer or b" 400 " in answer.split(b"\r\n")[0]
        writer.close()


async def test_a_request_without_end_is_refused():
    async with Simulator() as sim, websockets.connect(sim.ws_url + "/ws") as ws:

        async def endless():
            while True:
                yield "x" * 60_000

        with pytest.raises(websockets.ConnectionClosed):
            await ws.send(endless())
        assert sim.stats.refused == {"too large": 1}
        assert sim.stats.requests == 0


async def test_empty_fragments_without_end_are_refused():
    async with Simulator() as sim:
        reader, writer = await asyncio.open_connection(*address(sim.ws_url))
        writer.write(HANDSHAKE + b"\r\n")
        await reader.readuntil(b"\r\n\r\n")
        empty = b"\x80\x00\x00\x00\x00"
        writer.write(b"\x01" + empty)
        while not sim.stats.refused:
            writer.write((b"\x00" + empty) * 10_000)
            await asyncio.sleep(0)
        assert sim.stats.refused["too large"] == 1
        writer.close()


async def test_a_client_that_asks_and_does_not_read_is_let_go(monkeypatch):
    monkeypatch.setattr(outgoing, "MAX_UNSENT_BYTES", 1 << 20)
    async with (
        Simulator() as sim,
        websockets.connect(sim.ws_url + "/ws", max_queue=1, close_timeout=0.1) as ws,
    ):
        question = "x" * 100_000  # is repeated in the answer
        with suppress(websockets.ConnectionClosed):
            async with asyncio.timeout(20):
                while not sim.stats.refused:
                    await ws.send(question)
        await until(lambda: not sim.connections)
        assert sim.stats.refused == {"unread": 1}


async def test_connections_have_a_bound(monkeypatch):
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 3)
    async with Simulator() as sim:
        clients = [await websockets.connect(sim.ws_url + "/ws") for _ in range(3)]
        with pytest.raises(websockets.InvalidStatus, match="404"):
            await websockets.connect(sim.ws_url + "/ws")
        assert sim.stats.refused == {"too many connections": 1}
        await clients.pop().close()
        await until(lambda: len(sim.connections) == 2)
        clients.append(await websockets.connect(sim.ws_url + "/ws"))
        for client in clients:
            await client.close()


@pytest.mark.parametrize("part", [b"", b"GET / HTTP/1.1\r\nX: "], ids=["nothing", "half a header"])
async def test_an_idle_rest_connection_is_closed(monkeypatch, part):
    monkeypatch.setattr(rate_limits, "REST_IDLE_S", 0.2)
    async with Simulator(ping_every_s=0.05) as sim:
        reader, writer = await asyncio.open_connection(*address(sim.rest_url))
        writer.write(part)
        assert await until_closed(reader) == b""
        assert sim._rest.limits.n_closed == 1
        writer.close()


async def test_rest_connections_have_a_bound_and_the_oldest_goes(monkeypatch):
    monkeypatch.setattr(rate_limits, "MAX_REST_CONNECTIONS", 2)
    async with Simulator(ping_every_s=0.05) as sim:
        pairs = []
        for n_open in range(1, 4):
            pairs.append(await asyncio.open_connection(*address(sim.rest_url)))
            await until(lambda n=n_open: len(sim._rest.limits._idle_since_s) >= min(n, 2))
        assert await until_closed(pairs[0][0]) == b""
        assert sim._rest.limits.n_closed == 1
        for _, writer in pairs:
            writer.close()


async def test_a_slow_rest_request_is_answered_with_408(monkeypatch):
    monkeypatch.setattr(rest, "REQUEST_S", 0.1)
    async with Simulator() as sim:
        reader, writer = await asyncio.open_connection(*address(sim.rest_url))
        writer.write(b"POST /info HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert b" 408 " in await reader.readline()
        writer.close()


async def test_a_rest_body_has_a_bound():
    async with Simulator() as sim:
        reader, writer = await asyncio.open_connection(*address(sim.rest_url))
        writer.write(b"POST /info HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n")
        writer.write(b"x" * 3_000_000)
        assert b" 413 " in await reader.readline()
        writer.close()


@pytest.mark.parametrize("venue", ["hyperliquid", "binance"])
async def test_requests_of_any_depth_are_answered(venue):
    async with Simulator(venue) as sim, websockets.connect(sim.ws_url + "/ws") as ws:
        await ws.send("[" * 100_000)
        assert "rror" in json.dumps(json.loads(await ws.recv()))


async def test_a_connection_has_a_bound_of_subscriptions(monkeypatch):
    monkeypatch.setattr(hyperliquid, "MAX_SUBSCRIPTIONS", 1)
    async with Simulator(rate=0.001) as sim, websockets.connect(sim.ws_url + "/ws") as ws:
        for kind in ("bbo", "trades"):
            subscription = {"type": kind, "coin": "BTC"}
            await ws.send(json.dumps({"method": "subscribe", "subscription": subscription}))
        async with asyncio.timeout(5):
            while "Cannot track more" not in await ws.recv():
                pass
        assert sim.stats.subscriptions == 1
