"""The simulator as a program: its first lines, TLS, pacing, limits and its end."""

import asyncio
import json
import signal
import socket
import ssl
import sys
import time

import aiohttp
import pytest
import websockets

from tickwire.errors import ConfigError, TickwireError
from tickwire.sim import Simulator

SERVE = """
import asyncio, sys
from tickwire.sim import SimOptions, serve
asyncio.run(serve(SimOptions(port=0, tls="--tls" in sys.argv)))
"""


async def subscribe(ws, coin="BTC", kind="bbo"):
    subscription = {"type": kind, "coin": coin}
    await ws.send(json.dumps({"method": "subscribe", "subscription": subscription}))


async def drain(ws):
    """Receive what is still under way, until the connection ends."""
    while True:
        await ws.recv()


@pytest.mark.parametrize(("number", "tls"), [(signal.SIGINT, False), (signal.SIGTERM, True)])
def test_the_first_lines_say_where_it_is_and_a_signal_ends_it(number, tls):
    asyncio.run(run_until_signalled(number, tls))  # the client's loop does not matter


async def run_until_signalled(number, tls):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVE, *["--tls"] * tls, stdout=asyncio.subprocess.PIPE
    )
    try:
        await serves_until_signalled(process, number, tls)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def serves_until_signalled(process, number, tls):
    lines = [(await process.stdout.readline()).decode().strip() for _ in range(2 + tls)]
    named = dict(line.split("=", 1) for line in lines)
    assert list(named) == ["ws", "rest", "ca"][: 2 + tls]
    assert named["ws"].startswith("wss://" if tls else "ws://")
    context = ssl.create_default_context(cafile=named["ca"]) if tls else None
    async with websockets.connect(named["ws"] + "/ws", ssl=context, max_queue=None) as ws:
        await subscribe(ws)
        while json.loads(await ws.recv())["channel"] != "bbo":
            pass
        url = named["rest"] + "/info"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, json={"type": "allMids"}, ssl=context or True) as reply,
        ):
            assert "BTC" in await reply.json()
        process.send_signal(number)
        with pytest.raises(websockets.ConnectionClosed):
            await drain(ws)
    assert await process.wait() == 0


async def test_tls_is_not_trusted_without_its_authority():
    async with Simulator(tls=True) as sim:
        assert sim.ca_file.exists()
        with pytest.raises(ssl.SSLCertVerificationError):
            await websockets.connect(sim.ws_url + "/ws", ssl=ssl.create_default_context())
    assert not sim.ca_file.exists()


async def test_a_fixed_port_and_the_next_one(port_pair):
    async with Simulator(port=port_pair) as sim:
        assert sim.ws_url == f"ws://127.0.0.1:{port_pair}"
        assert sim.rest_url == f"http://127.0.0.1:{port_pair + 1}"


async def test_a_port_that_is_taken_leaves_nothing_behind(port_pair):
    taken = port_pair + 1
    with socket.create_server(("127.0.0.1", taken)):
        for port in (taken, port_pair):
            with pytest.raises(TickwireError, match=rf":{taken}: Address already in use"):
                await Simulator(port=port, tls=True).__aenter__()
        socket.create_server(("127.0.0.1", port_pair)).close()  # it has let go of it


async def test_the_schedule_is_never_run_ahead_of():
    async with (
        Simulator(rate=500.0, symbols=["BTC"]) as sim,
        websockets.connect(sim.ws_url + "/ws", max_queue=None) as ws,
    ):
        await subscribe(ws)
        start = time.monotonic()
        for _ in range(100):
            await ws.recv()
        # The acknowledgement and the first bbo are not of the schedule.
        assert time.monotonic() - start >= 97 / 500


async def test_a_limit_ends_the_data_and_is_counted_exactly():
    async with (
        Simulator(rate=0, symbols=["BTC"], limit=700) as sim,
        websockets.connect(sim.ws_url + "/ws", max_queue=None) as ws,
    ):
        await subscribe(ws)
        await sim.finished()
        for _ in range(702):
            await ws.recv()
        assert sim.stats.messages == sim.stats.by_channel["quotes"] == 701
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ws.recv(), 0.05)


async def test_a_client_that_does_not_read_is_waited_for():
    async with Simulator(rate=0, symbols=["BTC"]) as sim:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", int(sim.ws_url.rsplit(":", 1)[1]), limit=1024
        )
        writer.write(
            b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        request = b'{"method":"subscribe","subscription":{"type":"l2Book","coin":"BTC"}}'
        writer.write(bytes((0x81, 0x80 | len(request), 0, 0, 0, 0)) + request)
        before = -1
        while sim.stats.bytes == 0 or sim.stats.bytes != before:
            before = sim.stats.bytes
            await asyncio.sleep(0.3)
        # The transport's high water, a batch, and what the kernel buffers on both sides.
        assert sim.stats.bytes < 32 << 20
        n_bytes = 0
        while n_bytes < before + (1 << 20):
            n_bytes += len(await reader.read(1 << 16))
        writer.close()


async def test_channels_that_are_not_served_are_refused():
    async with (
        Simulator(channels=["trades", "candles:1m"]) as sim,
        websockets.connect(sim.ws_url + "/ws") as ws,
    ):
        await subscribe(ws)
        assert json.loads(await ws.recv())["data"].startswith("Invalid subscription ")
        await subscribe(ws, kind="trades")
        assert json.loads(await ws.recv())["channel"] == "subscriptionResponse"


async def test_a_message_in_fragments_is_put_together():
    async with (
        Simulator() as sim,
        websockets.connect(sim.ws_url + "/ws") as ws,
    ):
        await ws.send(['{"method"', ':"pi', 'ng"}'])
        assert json.loads(await ws.recv()) == {"channel": "pong"}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"venue": "nosuch"}, "--venue: nosuch"),
        ({"rate": -1}, "--rate: -1"),
        ({"channels": ["trade"]}, "--channels: no channel trade"),
        ({"speed": 0.0}, "--speed: 0.0"),
    ],
)
def test_wrong_options_are_named(options, text):
    with pytest.raises(ConfigError) as refused:
        Simulator(**options)
    assert refused.value.problems[0].startswith(text)
