"""The open-loop sender keeps its schedule, whatever the client does, and says how late it was."""

import asyncio
import json
import socket
import threading
import time
from itertools import pairwise
from urllib.parse import urlsplit

import numpy as np
import pytest
import websockets

from tickwire.bench.open_loop import OpenLoopServer
from tickwire.bench.schedule import Stretch, TradeLoad, due_times
from tickwire.errors import TickwireError

SUBSCRIBE = '{"method":"subscribe","subscription":{"type":"trades","coin":"BTC"}}'
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SMALL = TradeLoad(n_different=50, n_repeats=4)


def trades(texts):
    return [json.loads(text)["data"][0] for text in texts]


async def receive(server, ws, stretch):
    sending = asyncio.create_task(asyncio.to_thread(server.send, stretch))
    texts = [await ws.recv() for _ in range(stretch.n_messages)]
    return trades(texts), await sending


async def test_every_message_is_sent_once_and_says_when_it_was_due():
    with OpenLoopServer(SMALL) as server:
        async with websockets.connect(server.urls[0]) as ws:
            await ws.send(SUBSCRIBE)
            assert json.loads(await ws.recv())["channel"] == "subscriptionResponse"
            # Three passes, the last of them not whole.
            got, report = await receive(server, ws, Stretch(450, 20_000.0))
    ids = np.array([trade["tid"] for trade in got])
    assert ids[0] == report.start_ns
    assert np.array_equal(ids - ids[0], report.due_ns - report.due_ns[0])
    assert np.array_equal(ids - ids[0], np.arange(450) * 50_000)
    assert (report.late_ns >= 0).all()
    assert len(report.late_ns) == 450
    assert [trade["px"] for trade in got[:50]] == [trade["px"] for trade in got[50:100]]


async def test_no_message_leaves_before_it_is_due():
    with OpenLoopServer(SMALL) as server:
        async with websockets.connect(server.urls[0]) as ws:
            await ws.send(SUBSCRIBE)
            await ws.recv()
            sending = asyncio.create_task(asyncio.to_thread(server.send, Stretch(100, 1000.0)))
            arrived_ns = []
            for _ in range(100):
                await ws.recv()
                arrived_ns.append(time.monotonic_ns())
            report = await sending
    assert (np.array(arrived_ns) >= report.due_ns).all()
    assert report.seconds >= 99 / 1000


async def test_ids_go_up_from_one_stretch_to_the_next():
    with OpenLoopServer(SMALL) as server:
        async with websockets.connect(server.urls[0]) as ws:
            await ws.send(SUBSCRIBE)
            await ws.recv()
            warm, fast = await receive(server, ws, Stretch(700))
            first, _ = await receive(server, ws, Stretch(200, 50_000.0))
            second, _ = await receive(server, ws, Stretch(200, 100_000.0))
    ids = [trade["tid"] for trade in (*warm, *first, *second)]
    assert all(before < after for before, after in pairwise(ids))
    assert len(fast.due_ns) == len(fast.late_ns) == 0


def test_a_client_that_does_not_read_makes_messages_late_and_moves_no_due_time():
    stretch = Stretch(20_000, 200_000.0)  # more than the two sockets' buffers hold
    with socket.socket() as reader, OpenLoopServer(TradeLoad(1000, n_repeats=20)) as server:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", urlsplit(server.urls[0]).port))
        reader.sendall(HANDSHAKE + b"\x81\x82\0\0\0\0{}")
        head = b""
        while not head.endswith(b'{"channel":"pong"}'):
            head += reader.recv(1)
        n_bytes = 20_000 * int(server.load.record().ends[0])

        def read_late():
            n_read = len(reader.recv(1))  # the schedule has begun, and is over in 0.1 s
            time.sleep(0.3)
            while n_read < n_bytes:
                n_read += len(reader.recv(1 << 20))

        reading = threading.Thread(target=read_late)
        reading.start()
        report = server.send(stretch)
        reading.join()
    assert report.n_bytes == n_bytes
    assert report.blocked_seconds > 0
    assert report.late_ns.max() > 100_000_000
    assert np.array_equal(report.due_ns - report.due_ns[0], np.arange(20_000) * 5000)


async def test_requests_and_pings_are_answered_between_stretches():
    with OpenLoopServer(SMALL) as server:
        async with websockets.connect(server.urls[0]) as ws:
            await ws.send(SUBSCRIBE)
            await ws.recv()
            await receive(server, ws, Stretch(10, 1000.0))
            await (await ws.ping())
            await ws.send('{"method":"ping"}')
            assert json.loads(await ws.recv()) == {"channel": "pong"}


async def test_a_client_that_leaves_is_an_error():
    with OpenLoopServer(SMALL) as server:
        async with websockets.connect(server.urls[0]) as ws:
            await ws.send(SUBSCRIBE)
            await ws.recv()
        with pytest.raises(TickwireError, match="left"):
            await asyncio.to_thread(server.send, Stretch(100, 1000.0))


def test_due_times_go_on_from_pass_to_pass():
    whole = due_times(0, 1000, 30_000.0)
    parts = np.concatenate([due_times(first, 100, 30_000.0) for first in range(0, 1000, 100)])
    assert np.array_equal(whole, parts)
    assert whole[0] == 0
    assert abs(int(whole[999]) - 999 * 10**9 // 30_000) <= 1


def test_a_tape_that_repeats_has_an_id_for_every_message():
    tape = SMALL.record()
    tape.stamp(10**18, 0, 1000.0)
    ids = [trade["tid"] for trade in trades(tape.payloads())]
    assert ids == [10**18 + n * 1_000_000 for n in range(200)]
    assert tape.rows["trades"] == 200


async def test_ids_of_messages_that_are_due_in_the_same_ns_are_told_apart():
    with OpenLoopServer(TradeLoad(n_different=500)) as server:
        async with websockets.connect(server.urls[0]) as ws:
            await ws.send(SUBSCRIBE)
            await ws.recv()
            got, _ = await receive(server, ws, Stretch(500, 4e9))
    ids = [trade["tid"] for trade in got]
    assert ids == sorted(set(ids))
