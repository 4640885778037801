"""The three carriers side by side over loopback, with a handler that does nothing.

A thread writes frames to a socket as fast as it can; a round is a connection that takes them all
and sees the server close. The sender shares the machine, so the ratios are what matters.
"""

import asyncio
import base64
import hashlib
import socket
import threading

import pytest
import uvloop
from benchmarks.rounds import measure

from tickwire.config import ConnectionOptions
from tickwire.net import CARRIERS, open_connection
from tickwire.wire import Handler, MessageQueue, build_close, build_frame

PAYLOAD = (b'{"channel":"trades","data":[{"coin":"BTC","side":"B","px":"64000.5"}]}' * 5)[:308]
N_FRAMES = 100_000
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def serve(listener, n_frames):
    """Answer one handshake, send the frames and the close, and wait for the client to go."""
    sock, _ = listener.accept()
    with sock:
        request = b""
        while b"\r\n\r\n" not in request:
            request += sock.recv(4096)
        key = request.lower().index(b"sec-websocket-key:") + 18
        key = request[key:].split(b"\r\n")[0].strip()
        accept = base64.b64encode(hashlib.sha1(key + GUID, usedforsecurity=False).digest())
        sock.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        frame = build_frame(1, PAYLOAD, mask=False)
        at_once = 200
        for _ in range(n_frames // at_once):
            sock.sendall(frame * at_once)
        sock.sendall(build_close(1000, mask=False))
        sock.recv(4096)


async def take_all(port, carrier, handler):
    connection = await open_connection(
        f"ws://127.0.0.1:{port}/", handler, ConnectionOptions(carrier=carrier)
    )
    connection.begin()
    ending = await connection.ended
    assert ending.code == 1000
    return connection.receiver.parser.n_messages


def one_connection(listener, carrier, loop, handler, n_frames):
    sender = threading.Thread(target=serve, args=(listener, n_frames))
    sender.start()
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        n_messages = runner.run(take_all(listener.getsockname()[1], carrier, handler))
    sender.join()
    return n_messages


@pytest.mark.informational
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("carrier", CARRIERS)
def test_carriers(benchmark, carrier, loop):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        queue = MessageQueue(max_bytes=1 << 40)
        assert one_connection(listener, carrier, loop, queue, 2000) == 2000
        assert {queue.take().payload for _ in range(2000)} == {PAYLOAD}

        def run():
            assert one_connection(listener, carrier, loop, Handler(), N_FRAMES) == N_FRAMES

        n_bytes = N_FRAMES * len(PAYLOAD)
        measure(benchmark, run, n_messages=N_FRAMES, n_bytes=n_bytes, rounds=5)
