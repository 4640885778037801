"""A load over many connections: each gets its whole share."""

import asyncio
import json
import ssl
import threading
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import Pipe

import pytest
import websockets

from tickwire.bench import fleet
from tickwire.bench.fleet import FleetServer
from tickwire.bench.load import LoadServer, LoadSpec, deflate_load
from tickwire.errors import TickwireError

COINS = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF")
SPEC = LoadSpec(n_messages=600, tape_messages=60, coins=COINS, n_connections=3, n_requests=2)


def subscribe(coin):
    return json.dumps({"method": "subscribe", "subscription": {"type": "trades", "coin": coin}})


async def receive(url, coins, n_messages, **options):
    async with websockets.connect(url, max_queue=None, **options) as ws:
        for coin in coins:
            await ws.send(subscribe(coin))
        for _ in coins:
            assert json.loads(await ws.recv())["channel"] == "subscriptionResponse"
        return [json.loads(await ws.recv())["data"][0] for _ in range(n_messages)]


async def test_each_connection_gets_what_it_asked_for():
    # In another order than the shares have.
    pairs = [COINS[4:6], COINS[0:2], COINS[2:4]]
    with FleetServer(SPEC) as server:
        received = await asyncio.gather(*(receive(server.url, pair, 200) for pair in pairs))
        report = await asyncio.to_thread(server.report)
    assert report.messages == 600
    for pair, trades in zip(pairs, received, strict=True):
        assert {trade["coin"] for trade in trades} == set(pair)
        assert [trade["coin"] for trade in trades].count(pair[0]) == 100
        ids = [trade["tid"] for trade in trades]
        assert ids == list(range(ids[0], ids[0] + 200))  # over ten passes of its tape


@contextmanager
def in_a_thread(spec):
    """Do the job of a load generator's process here, where its lines count; gives its port."""
    pipe, its_end = Pipe()
    serving = threading.Thread(target=fleet._serve, args=(spec, its_end))
    serving.start()
    try:
        yield pipe
    finally:
        serving.join()


async def test_connections_speak_tls(tmp_path):
    pairs = [COINS[0:2], COINS[2:4], COINS[4:6]]
    with in_a_thread(replace(SPEC, tls_folder=str(tmp_path))) as pipe:
        url = f"wss://127.0.0.1:{await asyncio.to_thread(pipe.recv)}/ws"
        context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
        received = await asyncio.gather(*(receive(url, pair, 200, ssl=context) for pair in pairs))
        report = await asyncio.to_thread(pipe.recv)
    assert [{trade["coin"] for trade in trades} for trades in received] == [*map(set, pairs)]
    assert report.messages == 600


async def test_who_asks_for_nothing_known_is_told():
    with FleetServer(replace(SPEC, n_requests=1)) as server:
        clients = [receive(server.url, [coin], 1) for coin in ("AAA", "CCC", "XXX")]
        asked = asyncio.gather(*clients, return_exceptions=True)
        with pytest.raises(TickwireError, match="0 connections asked for EEE"):
            await asyncio.to_thread(server.report)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked


def test_shares_are_whole():
    parts = SPEC.parts()
    assert [part.coins for part in parts] == [COINS[0:2], COINS[2:4], COINS[4:6]]
    assert {part.n_messages for part in parts} == {200}
    assert {part.tape_messages for part in parts} == {20}
    with pytest.raises(TickwireError, match="cannot be shared"):
        replace(SPEC, n_connections=4).parts()


async def test_a_compressed_load_is_what_it_would_be_plain(tmp_path):
    spec = LoadSpec(n_messages=300, tape_messages=100)
    path = tmp_path / "frames"
    deflate_load(spec, path)
    with LoadServer(replace(spec, deflated=str(path))) as server:
        async with websockets.connect(server.url, max_queue=None) as ws:
            assert "permessage-deflate" in ws.response.headers["Sec-WebSocket-Extensions"]
            await ws.send(subscribe("BTC"))
            await ws.recv()
            texts = [await ws.recv() for _ in range(300)]
        assert (await asyncio.to_thread(server.report)).bytes == path.stat().st_size
    tape = spec.record()
    tape.number(200)
    assert texts[200:] == [payload.decode() for payload in tape.payloads()]


async def test_a_client_that_does_not_offer_compression_is_refused(tmp_path):
    path = tmp_path / "frames"
    deflate_load(replace(SPEC, n_messages=60, n_connections=1), path)
    with LoadServer(LoadSpec(n_messages=60, deflated=str(path))) as server:
        with pytest.raises((websockets.InvalidMessage, TimeoutError)):
            await websockets.connect(server.url, compression=None, open_timeout=0.5)
        with pytest.raises(TickwireError, match="no extension"):
            server.report()


async def test_messages_refer_to_those_before(tmp_path):
    spec = LoadSpec(n_messages=100, tape_messages=100)
    deflate_load(spec, tmp_path / "together")
    deflate_load(replace(spec, n_messages=1, tape_messages=1), tmp_path / "alone")
    together, alone = ((tmp_path / name).stat().st_size for name in ("together", "alone"))
    assert together < 100 * alone * 0.9


async def test_messages_are_spaced_over_all_connections():
    pairs = [COINS[0:2], COINS[2:4], COINS[4:6]]
    with in_a_thread(replace(SPEC, n_messages=60, rate=200.0)) as pipe:
        url = f"ws://127.0.0.1:{await asyncio.to_thread(pipe.recv)}/ws"
        received = await asyncio.gather(*(receive(url, pair, 20) for pair in pairs))
        report = await asyncio.to_thread(pipe.recv)
    assert report.messages == 60
    assert report.seconds >= 59 / 200.0
    for pair, trades in zip(pairs, received, strict=True):
        assert {trade["coin"] for trade in trades} == set(pair)
        ids = [trade["tid"] for trade in trades]
        assert ids == list(range(ids[0], ids[0] + 20))
