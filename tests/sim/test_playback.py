"""Captures sent by the simulator come out line by line, for any client and at any speed."""

import asyncio
import io
import json
import time
from contextlib import redirect_stdout

import aiohttp
import pytest
import websockets
import zstandard
from tests.reference import capture_path

from tickwire.errors import CaptureError
from tickwire.sim import SimOptions, Simulator, serve

LINES = [
    f'{{"stream":"{stream}", "data":{{"e":"trade","t":{n}}}}}'
    for n in range(3000)
    for stream in ("btcusdt@trade", "ethusdt@trade")
]


def write(path, text):
    data = text.encode()
    path.write_bytes(zstandard.compress(data) if path.suffix == ".zst" else data)


@pytest.fixture(params=["", ".zst"])
def capture(tmp_path, request):
    path = tmp_path / f"made.jsonl{request.param}"
    write(path, "\n".join(LINES) + "\n")
    times = [f"{10**18 + n * 100_000}\t{n % 2 * 3}" for n in range(len(LINES))]
    write(tmp_path / f"made.meta.tsv{request.param}", "# recv_ns\tconnection\n" + "\n".join(times))
    rest = [
        {
            "recv_ns": 1,
            "url": "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000",
            "data": f'{{"lastUpdateId":{n},"bids":[],"asks":[]}}',
        }
        for n in range(2)
    ]
    write(tmp_path / f"made.rest.jsonl{request.param}", "\n".join(map(json.dumps, rest)))
    return path


async def subscribe(ws, *names):
    await ws.send(json.dumps({"method": "SUBSCRIBE", "params": names, "id": 1}))
    assert json.loads(await ws.recv()) == {"result": None, "id": 1}


async def test_every_line_comes_in_order(capture):
    async with (
        Simulator("binance", capture=capture, speed="max") as sim,
        websockets.connect(sim.ws_url + "/stream", max_queue=None) as ws,
    ):
        await subscribe(ws, "btcusdt@trade")
        assert [await ws.recv() for _ in LINES] == LINES
        await sim.finished()
        assert sim.stats.messages == len(LINES)


async def test_nothing_comes_before_a_subscription_and_each_connection_gets_all(capture):
    async with (
        Simulator("binance", capture=capture, speed="max") as sim,
        websockets.connect(sim.ws_url + "/stream", max_queue=None) as first,
        websockets.connect(sim.ws_url + "/stream", max_queue=None) as second,
    ):
        await subscribe(first, "x@trade")
        assert [await first.recv() for _ in LINES] == LINES
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(second.recv(), 0.05)
        await subscribe(second, "x@trade")
        assert [await second.recv() for _ in LINES] == LINES


async def test_route_by_connection_and_by_subscription(capture):
    async with (
        Simulator("binance", capture=capture, speed="max", route="subscribed") as sim,
        websockets.connect(sim.ws_url + "/stream", max_queue=None) as ws,
    ):
        await subscribe(ws, "ethusdt@trade")
        assert [await ws.recv() for _ in LINES[1::2]] == LINES[1::2]
    async with Simulator("binance", capture=capture, speed="max", route="connection") as sim:
        for expected in (LINES[::2], LINES[1::2]):
            async with websockets.connect(sim.ws_url + "/stream", max_queue=None) as ws:
                await subscribe(ws, "x@trade")
                assert [await ws.recv() for _ in expected] == expected


async def test_rest_answers_come_from_the_capture_in_turn(capture):
    async with (
        Simulator("binance", capture=capture) as sim,
        aiohttp.ClientSession() as session,
    ):
        seen = []
        for _ in range(3):
            url = sim.rest_url + "/api/v3/depth?symbol=BTCUSDT&limit=5000"
            async with session.get(url) as reply:
                seen.append((await reply.json())["lastUpdateId"])
        assert seen == [0, 1, 1]
        async with session.get(sim.rest_url + "/api/v3/depth?symbol=NOSUCH") as reply:
            assert reply.status == 400


async def test_speed_is_kept_but_never_exceeded(capture):
    # 6000 messages over 600 ms of capture, at four times its pace: no sooner than 150 ms.
    async with (
        Simulator("binance", capture=capture, speed=4.0) as sim,
        websockets.connect(sim.ws_url + "/stream", max_queue=None) as ws,
    ):
        await subscribe(ws, "x@trade")
        first = await ws.recv()
        start = time.monotonic()
        assert [first] + [await ws.recv() for _ in LINES[1:]] == LINES
        assert time.monotonic() - start > 0.12


async def test_a_pause_holds_the_capture_back(capture):
    async with (
        Simulator("binance", capture=capture, speed=10.0) as sim,
        websockets.connect(sim.ws_url + "/stream", max_queue=None) as ws,
    ):
        sim.pause()
        await subscribe(ws, "x@trade")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ws.recv(), 0.05)
        sim.resume()
        assert [await ws.recv() for _ in LINES] == LINES


async def test_a_slow_reader_is_not_outrun(capture):
    async with (
        Simulator("binance", capture=capture, speed="max") as sim,
        websockets.connect(sim.ws_url + "/stream", max_queue=4, close_timeout=0.1) as ws,
    ):
        await subscribe(ws, "x@trade")
        received = []
        for _ in LINES:
            received.append(await ws.recv())
            if len(received) % 500 == 0:
                await asyncio.sleep(0.01)
        assert received == LINES


async def test_a_capture_that_breaks_off_ends_the_program(tmp_path):
    write(tmp_path / "made.jsonl", "\n".join(LINES))
    write(tmp_path / "made.meta.tsv", "1\n2")
    options = SimOptions("binance", port=0, capture=tmp_path / "made.jsonl", speed="max")
    serving = asyncio.create_task(serve(options))
    output = io.StringIO()
    with redirect_stdout(output):
        while output.getvalue().count("\n") < 2:  # noqa: ASYNC110 - a string has no event
            await asyncio.sleep(0.01)
    url = output.getvalue().split()[0].removeprefix("ws=")
    async with websockets.connect(url + "/stream") as ws:
        await ws.send('{"method":"SUBSCRIBE","params":["x@trade"],"id":1}')
        with pytest.raises(CaptureError, match=r"made\.meta\.tsv: ends after 2 messages"):
            await serving


async def test_a_file_that_is_no_capture_is_refused(tmp_path):
    (tmp_path / "bad.jsonl.zst").write_bytes(b"not zstandard")
    for name in ("absent.jsonl", "bad.jsonl.zst", "bad.txt"):
        with pytest.raises(CaptureError):
            Simulator("binance", capture=tmp_path / name)


@pytest.mark.captures
@pytest.mark.parametrize("name", ["binance/cf-binance-20210405-b38f7c"])
async def test_a_real_capture_comes_whole(name):
    path = capture_path(name)
    with zstandard.open(path, "rt", encoding="utf-8") as file:
        lines = file.read().splitlines()
    async with (
        Simulator("binance", capture=path, speed="max") as sim,
        websockets.connect(sim.ws_url + "/stream", max_queue=None) as ws,
        aiohttp.ClientSession() as session,
    ):
        await subscribe(ws, "x@trade")
        assert [await ws.recv() for _ in lines] == lines
        async with session.get(sim.rest_url + "/api/v3/depth?symbol=ZILUSDT") as reply:
            assert (await reply.json())["lastUpdateId"] == 499822895


async def test_a_message_whose_stream_has_no_name_in_utf_8_goes_to_all(tmp_path):
    path = tmp_path / "made.jsonl"
    odd = b'{"stream":"\xff\xfe@trade","data":{}}\n'
    path.write_bytes(odd + LINES[0].encode() + b"\n")
    async with (
        Simulator("binance", capture=path, speed="max", route="subscribed") as sim,
        websockets.connect(sim.ws_url + "/stream") as ws,
    ):
        await subscribe(ws, "btcusdt@trade")
        assert await ws.recv(decode=False) == odd.strip()
        assert await ws.recv() == LINES[0]


async def test_whatever_a_player_fails_by_ends_the_simulator(capture, monkeypatch):
    def key_of(_exchange, _payload):
        raise LookupError("a mistake of the dialect's")

    monkeypatch.setattr("tickwire.sim.binance.Binance.key_of", key_of)

    async def play():
        async with (
            Simulator("binance", capture=capture, speed="max", route="subscribed") as sim,
            websockets.connect(sim.ws_url + "/stream") as ws,
        ):
            await subscribe(ws, "btcusdt@trade")
            await asyncio.wait_for(sim.failure(), 10)

    with pytest.raises(LookupError, match="a mistake"):
        await play()


async def test_connections_that_have_ended_are_forgotten(capture):
    async with Simulator("binance", capture=capture, speed="max", route="connection") as sim:
        for _ in range(3):
            async with websockets.connect(sim.ws_url + "/stream", max_queue=None) as ws:
                await subscribe(ws, "x@trade")
                await ws.recv()
        async with websockets.connect(sim.ws_url + "/stream", max_queue=None) as ws:
            await subscribe(ws, "x@trade")
            assert await ws.recv() == LINES[1]  # of the capture's second connection
            assert len(sim._driver._players) <= 2
