"""The load generator sends what it says, each id once, on time or as fast as it goes."""

import asyncio
import json
import ssl
from urllib.parse import urlsplit

import pytest
import websockets

from tickwire.bench.load import LoadServer, LoadSpec, main, measure_ceiling
from tickwire.bench.tape import FIRST_TRADE_ID, record
from tickwire.errors import TickwireError

SUBSCRIBE = '{"method":"subscribe","subscription":{"type":"trades","coin":"BTC"}}'
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


async def receive(server, n_messages, **options):
    async with websockets.connect(server.url, max_queue=None, **options) as ws:
        await ws.send(SUBSCRIBE)
        acknowledged = json.loads(await ws.recv())
        assert acknowledged["channel"] == "subscriptionResponse"
        texts = [await ws.recv() for _ in range(n_messages)]
        await (await ws.ping())
    return texts


async def test_what_comes_is_what_the_tape_says():
    spec = LoadSpec("mix", n_messages=1000, tape_messages=1000)
    with LoadServer(spec) as server:
        texts = await receive(server, 1000)
        report = await asyncio.to_thread(server.report)
    tape = spec.record()
    tape.number(0)
    assert texts == [payload.decode() for payload in tape.payloads()]
    kinds = [json.loads(text)["channel"] for text in texts]
    assert [kinds.count(kind) for kind in ("trades", "bbo", "l2Book")] == [300, 500, 200]
    assert report.messages == 1000
    assert report.rows == {"trades": 300, "quotes": 500, "book": 8000}


async def test_it_speaks_tls(tmp_path):
    with LoadServer(LoadSpec("book", n_messages=300, tls_folder=str(tmp_path))) as server:
        assert server.url.startswith("wss://")
        context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
        texts = await receive(server, 300, ssl=context)
    assert {json.loads(text)["channel"] for text in texts} == {"l2Book"}


async def test_ids_are_unique_over_the_passes_of_a_tape():
    with LoadServer(LoadSpec("trades", n_messages=2500, tape_messages=1000)) as server:
        texts = await receive(server, 2500)
    trades = [json.loads(text)["data"][0] for text in texts]
    assert len({trade["tid"] for trade in trades}) == 2500
    assert {len(text) for text in texts} == {304}
    assert trades[0]["hash"] == trades[1000]["hash"]


@pytest.mark.parametrize(("mix", "n_messages"), [("trades", 100), ("trades", 37), ("mix", 30)])
def test_ids_count_up_from_any_message(mix, n_messages):
    tape = record(mix, n_messages)
    passes = [n * n_messages for n in range(60)]
    for first in [*passes, 123_456_789, 5, 5, 99_999_999_999, 0]:
        tape.number(first)
        messages = [json.loads(payload) for payload in tape.payloads()]
        ids = [each["data"][0]["tid"] for each in messages if each["channel"] == "trades"]
        assert ids == (FIRST_TRADE_ID + first + tape.id_messages).tolist()


async def test_a_sender_that_hangs_up_loses_nothing():
    with LoadServer(LoadSpec("book", n_messages=3000, hang_up=True)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(server.url).port)
        writer.write(HANDSHAKE + b"\x81\x82\0\0\0\0{}")
        received = await reader.read(-1)
        report = await asyncio.to_thread(server.report)
        writer.close()
    frames = received.partition(b"\r\n\r\n")[2].removeprefix(b'\x81\x12{"channel":"pong"}')
    assert len(frames) == report.bytes


def test_the_ceiling_is_measured():
    report = measure_ceiling(LoadSpec("book", n_messages=2000))
    assert (report.messages, report.rows["book"]) == (2000, 80_000)
    assert report.messages_per_second > 0


def test_the_ceiling_is_printed(capsys):
    assert main(["--mix", "book", "--messages", "100"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["messages"], printed["rows"]["book"]) == (100, 4000)
    assert printed["messages_per_second"] > 0


def never_starts(_spec, _pipe):
    """End before it has an address."""


def test_a_sender_that_ends_too_early_is_an_error():
    with pytest.raises(TickwireError, match="ended before it was done"):
        LoadServer(LoadSpec(), never_starts).__enter__()
    with pytest.raises(TickwireError, match="does not run"):
        LoadServer(LoadSpec()).report()


def starts_and_waits(_spec, pipe):
    """Give an address, and report nothing."""
    pipe.send(1)
    pipe.poll(None)


def test_a_sender_that_does_not_finish_is_an_error():
    with (
        LoadServer(LoadSpec(), starts_and_waits) as server,
        pytest.raises(TickwireError, match=r"the load generator did not finish within 0\.01 s"),
    ):
        server.report(0.01)


def test_nonsense_is_refused():
    with pytest.raises(TickwireError, match="mix"):
        LoadServer(LoadSpec("candles"))
