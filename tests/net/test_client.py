"""`connect` by every carrier, on both loops, plain and over TLS, against real servers."""

import asyncio
import random
import struct
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from tests.net.conftest import Security
from tests.net.servers import Peer, close, frame, serve_raw, text
from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Opcode

from tickwire import errors
from tickwire.net import WebSocket, connect

Connect = Callable[..., AbstractAsyncContextManager[WebSocket]]


@pytest.fixture
def open_to(carrier: str, security: Security) -> Connect:
    """Connect to a port of this machine by the carrier and with the security of the test."""

    def open_to(port: int, path: str = "/", **settings: object) -> connect:
        return connect(
            security.url(port, path), carrier=carrier, ca_file=security.ca_file, **settings
        )

    return open_to


async def drain(ws: WebSocket) -> list[str | bytes]:
    return [message async for message in ws]


SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, 131_072, 262_145, 1_000_000]


async def test_messages_of_every_length_form_come_back(
    open_to: Connect, security: Security
) -> None:
    async def echo(server: ServerConnection) -> None:
        async for message in server:
            await server.send(message)

    async with serve(
        echo, "127.0.0.1", 0, ssl=security.server_context, compression=None, max_size=None
    ) as server:
        port = server.sockets[0].getsockname()[1]
        async with open_to(port) as ws:
            for size in SIZES:
                binary = random.Random(size).randbytes(size)
                await ws.send(binary)
                assert await ws.recv() == binary
                await ws.send("é" * (size // 2))
                assert await ws.recv() == "é" * (size // 2)
        assert ws.close_code == 1000
        assert not ws.is_open


def mixed_stream(n_messages: int, seed: int) -> tuple[bytes, list[str | bytes], list[bytes]]:
    """Frames, the messages they make, and the payloads of the pings among them."""
    rng = random.Random(seed)
    data = bytearray()
    messages: list[str | bytes] = []
    pings: list[bytes] = []

    def maybe_ping() -> None:
        if rng.random() < 0.2:
            pings.append(f"ping {len(pings)}".encode())
            data.extend(frame(Opcode.PING, pings[-1]))

    for i in range(n_messages):
        maybe_ping()
        if rng.random() < 0.5:
            message = f"{i} " + "x€" * rng.randrange(60)
            payload, opcode = message.encode(), Opcode.TEXT
            messages.append(message)
        else:
            payload, opcode = (
                struct.pack(">I", i) + rng.randbytes(rng.randrange(200)),
                Opcode.BINARY,
            )
            messages.append(payload)
        cuts = sorted(rng.randrange(len(payload) + 1) for _ in range(rng.choice((0, 0, 1, 3))))
        pieces = [
            payload[start:end] for start, end in zip([0, *cuts], [*cuts, len(payload)], strict=True)
        ]
        for n, piece in enumerate(pieces):
            last = n == len(pieces) - 1
            data.extend(frame(opcode if n == 0 else Opcode.CONT, piece, fin=last))
            if not last:
                maybe_ping()
    return bytes(data), messages, pings


async def expect_stream(
    open_to: Connect,
    security: Security,
    stream: tuple[bytes, list[str | bytes], list[bytes]],
    sizes: list[int],
) -> None:
    data, messages, pings = stream

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.send_pieces(data, sizes)
        pongs = [await peer.read_frame() for _ in pings]
        # RFC 6455 section 5.5.3 lets several pings of one read be answered; here they all are.
        assert pongs == [(Opcode.PONG, ping) for ping in pings]
        await peer.send(close(1000))
        assert await peer.read_close() == (1000, "")

    async with serve_raw(script, security.server_context) as port, open_to(port) as ws:
        assert await drain(ws) == messages
        assert ws.close_code == 1000


async def test_one_byte_at_a_time(open_to: Connect, security: Security) -> None:
    stream = mixed_stream(12, seed=1)
    await expect_stream(open_to, security, stream, [1] * len(stream[0]))


@pytest.mark.parametrize("seed", range(3))
async def test_random_cuts(open_to: Connect, security: Security, seed: int) -> None:
    stream = mixed_stream(60, seed)
    rng = random.Random(seed)
    await expect_stream(open_to, security, stream, [rng.randrange(1, 200) for _ in range(60)])


async def test_frames_in_the_same_write_as_the_handshake(
    open_to: Connect, security: Security
) -> None:
    data, messages, pings = mixed_stream(20, seed=3)

    async def script(peer: Peer) -> None:
        await peer.shake_hands(rest=data)
        for ping in pings:
            assert await peer.read_frame() == (Opcode.PONG, ping)
        await peer.send(close(1000))
        await peer.read_close()

    async with serve_raw(script, security.server_context) as port, open_to(port) as ws:
        assert await drain(ws) == messages


async def test_a_fragmented_message_larger_than_the_receive_buffer(
    open_to: Connect, security: Security
) -> None:
    payload = random.Random(0).randbytes(3_000_000)

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.send(frame(Opcode.BINARY, payload[:1_000_000], fin=False))
        await peer.send(frame(Opcode.PING, b"between"))
        await peer.send(frame(Opcode.CONT, payload[1_000_000:], fin=True))
        await peer.send(text("after"))
        assert await peer.read_frame() == (Opcode.PONG, b"between")
        await peer.answer_close()

    async with serve_raw(script, security.server_context) as port, open_to(port) as ws:
        assert await ws.recv() == payload
        assert await ws.recv() == "after"


FAULTS = {
    "reserved bit": (b"\xc1\x01a", 1002),
    "reserved opcode": (b"\x83\x00", 1002),
    "masked": (b"\x81\x81\0\0\0\0a", 1002),
    "fragmented ping": (b"\x09\x00", 1002),
    "continuation of nothing": (b"\x80\x01a", 1002),
    "text inside a message": (b"\x01\x01a\x81\x01b", 1002),
    "long ping": (b"\x89\x7e\x00\x7e" + bytes(126), 1002),
    "length not minimal": (b"\x82\x7e\x00\x01a", 1002),
    "length with the top bit": (b"\x82\x7f\x80" + bytes(7), 1002),
    "not UTF-8": (b"\x81\x02\xc3\x28", 1007),
    "not UTF-8 over fragments": (b"\x01\x01\xc3\x80\x01\x28", 1007),
    "too large a frame": (b"\x82\x7f" + (5_000).to_bytes(8, "big"), 1002),
    "too large a message": (
        b"\x02\x7e\x03\xe8" + bytes(1000) + b"\x80\x7e\x03\xe8" + bytes(1000),
        1009,
    ),
    "too large a message in one": (frame(Opcode.BINARY, bytes(2000)), 1009),
    "close of one byte": (b"\x88\x01\x03", 1002),
    "close code 1006": (b"\x88\x02" + (1006).to_bytes(2, "big"), 1002),
    "close code 999": (b"\x88\x02" + (999).to_bytes(2, "big"), 1002),
    "close reason not UTF-8": (b"\x88\x04\x03\xe8\xc3\x28", 1007),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_closes_with_its_code(plain: Security, carrier: str, fault: str) -> None:
    data, code = FAULTS[fault]
    seen: list[int] = []

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.send(text("good") + data + text("never parsed"))
        seen.append((await peer.read_close())[0])

    async with (
        serve_raw(script) as port,
        connect(plain.url(port), carrier=carrier, max_message_bytes=1500) as ws,
    ):
        assert await ws.recv() == "good"
        with pytest.raises(errors.ProtocolError) as caught:
            await ws.recv()
        assert caught.value.close_code == code
        with pytest.raises(errors.ProtocolError):
            await ws.send("too late")
    assert seen == [code]


async def test_the_server_closes(open_to: Connect, security: Security) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.send(text("last") + close(1001, "going") + text("after the close"))
        assert await peer.read_close() == (1001, "")

    async with serve_raw(script, security.server_context) as port, open_to(port) as ws:
        assert await drain(ws) == ["last"]
        assert (ws.close_code, ws.close_reason) == (1001, "going")
        with pytest.raises(errors.ConnectionClosed, match="1001: going"):
            await ws.send("x")


async def test_a_close_without_a_code_is_1005(open_to: Connect, security: Security) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.send(frame(Opcode.CLOSE))
        assert await peer.read_close() == (1005, "")

    async with serve_raw(script, security.server_context) as port, open_to(port) as ws:
        with pytest.raises(errors.ConnectionClosed) as caught:
            await ws.recv()
        assert caught.value.code == 1005


async def test_an_error_of_the_server_raises_in_an_iteration(
    open_to: Connect, security: Security
) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.send(close(1011, "oops"))
        assert await peer.read_close() == (1011, "")

    async with serve_raw(script, security.server_context) as port, open_to(port) as ws:
        with pytest.raises(errors.ConnectionClosed, match="1011: oops"):
            await drain(ws)


async def test_we_close(open_to: Connect, security: Security) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        assert await peer.read_close() == (4000, "enough")
        # Data may still come between the two close frames.
        await peer.send(text("late") + close(4000))

    async with serve_raw(script, security.server_context) as port:
        ws = await open_to(port)  # type: ignore[misc] # it can be awaited too
        await ws.close(4000, "enough")
        assert ws.close_code == 4000
        assert await drain(ws) == ["late"]


async def test_a_server_that_never_answers_our_close_is_left(
    open_to: Connect, security: Security
) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await asyncio.sleep(60)

    async with serve_raw(script, security.server_context) as port:
        ws = await open_to(port, close_timeout_s=0.05)  # type: ignore[misc] # it can be awaited too
        async with asyncio.timeout(5):
            await ws.close()
        assert ws.close_code == 1006


async def test_a_lost_transport_is_1006(open_to: Connect, security: Security) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.send(text("last"))
        await peer.read_frame()

    async with serve_raw(script, security.server_context) as port, open_to(port) as ws:
        assert await ws.recv() == "last"
        pinging = ws.ping()
        await ws.send("go away")
        with pytest.raises(errors.ConnectionClosed) as caught:
            await ws.recv()
        assert caught.value.code == 1006
        with pytest.raises(errors.ConnectionClosed):
            await pinging


async def test_a_pong_answers_all_older_pings(open_to: Connect, security: Security) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands(rest=frame(Opcode.PONG, b"unsolicited"))
        pings = [await peer.read_frame() for _ in range(3)]
        assert pings == [(Opcode.PING, name) for name in (b"a", b"b", b"c")]
        await peer.send(frame(Opcode.PONG, b"b"))
        await peer.send(text("one is open"))
        assert await peer.read_frame() == (Opcode.TEXT, b"next")
        await peer.send(frame(Opcode.PONG, b"c"))
        await peer.answer_close()

    async with serve_raw(script, security.server_context) as port, open_to(port) as ws:
        first, second, third = ws.ping(b"a"), ws.ping(b"b"), ws.ping(b"c")
        with pytest.raises(ValueError, match="has not been answered"):
            ws.ping(b"c")
        with pytest.raises(ValueError, match="125"):
            ws.ping(bytes(126))
        assert 0 < await first < 10
        assert 0 < await second < 10
        assert await ws.recv() == "one is open"
        assert not third.done()
        await ws.send("next")
        assert await third > 0


async def test_silence_ends_the_connection(open_to: Connect, security: Security) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        assert (await peer.read_frame())[0] == Opcode.PING
        await asyncio.sleep(60)

    async with (
        serve_raw(script, security.server_context) as port,
        open_to(port, ping_every_s=0.05, ping_timeout_s=0.05) as ws,
    ):
        with pytest.raises(errors.ConnectionClosed, match="nothing received for"):
            await ws.recv()


async def test_pongs_keep_a_quiet_connection(open_to: Connect, security: Security) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        for _ in range(6):
            opcode, payload = await peer.read_frame()
            assert opcode == Opcode.PING
            await peer.send(frame(Opcode.PONG, payload))
        await peer.send(text("still here"))
        await peer.answer_close()

    async with (
        serve_raw(script, security.server_context) as port,
        open_to(port, ping_every_s=0.05, ping_timeout_s=2) as ws,
    ):
        assert await ws.recv() == "still here"


async def test_a_slow_reader_loses_nothing_and_holds_little(
    open_to: Connect, security: Security
) -> None:
    n_messages, payload = 5000, "y" * 4000
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.shake_hands()
        for i in range(n_messages):
            await peer.send(text(f"{i} {payload}"))
            sent += 1
        await peer.send(close(1000))
        await peer.read_close()

    async with (
        serve_raw(script, security.server_context) as port,
        open_to(port, max_queue_bytes=20_000) as ws,
    ):
        last = -1
        while sent != last:  # until the server is stuck
            last = sent
            await asyncio.sleep(0.1)
        # What the kernel, the loop and the StreamReader (twice its limit) hold, but not all.
        assert sent < n_messages
        assert ws._queue.n_bytes <= 20_000
        assert ws._connection.receiver.paused
        received = await drain(ws)
        assert [str(message).split()[0] for message in received] == [
            str(i) for i in range(n_messages)
        ]
        assert ws._connection.n_pauses > 0


async def test_what_came_before_the_end_is_not_lost_while_blocked(
    open_to: Connect, security: Security
) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.send(b"".join(text(f"{i}" + "z" * 200) for i in range(300)))
        # Gone without a close frame, while the client cannot take more.

    async with (
        serve_raw(script, security.server_context) as port,
        open_to(port, max_queue_bytes=1000) as ws,
    ):
        await asyncio.sleep(0.05)
        for i in range(300):
            assert await ws.recv() == f"{i}" + "z" * 200
        with pytest.raises(errors.ConnectionClosed, match="1006"):
            await ws.recv()


async def test_two_cannot_wait_at_once(open_to: Connect, security: Security) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.answer_close()

    async with serve_raw(script, security.server_context) as port, open_to(port) as ws:
        waiting = asyncio.ensure_future(ws.recv())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another task"):
            await ws.recv()
        waiting.cancel()


@pytest.mark.volume
async def test_a_flood_of_pings_does_not_fill_our_memory(
    open_to: Connect, security: Security
) -> None:
    """A peer that pings and never reads gets only the newest ping answered."""
    n_pings = 100_000
    flooded = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        ping = frame(Opcode.PING, b"p" * 100)
        for start in range(0, n_pings, 1000):
            await peer.send(ping * 999 + frame(Opcode.PING, str(start).encode()))
        await peer.send(text("flooded"))
        await flooded.wait()
        newest = b""
        while newest != str(n_pings - 1000).encode():
            _, newest = await peer.read_frame()

    async with serve_raw(script, security.server_context) as port, open_to(port) as ws:
        assert await ws.recv() == "flooded"
        assert ws._connection.carrier.unsent_bytes() < 1_000_000
        flooded.set()
        with pytest.raises(errors.ConnectionClosed):
            await ws.recv()


async def test_headers_and_subprotocol(open_to: Connect, security: Security) -> None:
    requests: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.shake_hands(headers=b"Sec-WebSocket-Protocol: v2\r\n")
        requests.append(peer.request)
        await peer.answer_close()

    async with (
        serve_raw(script, security.server_context) as port,
        open_to(port, "/feed?x=1", headers={"X-Key": "secret"}, subprotocols=["v3", "v2"]) as ws,
    ):
        assert ws.subprotocol == "v2"
    assert requests[0].startswith(b"GET /feed?x=1 HTTP/1.1\r\n")
    assert f"Host: localhost:{port}\r\n".encode() in requests[0]
    assert b"X-Key: secret\r\n" in requests[0]
    assert b"Sec-WebSocket-Protocol: v3, v2\r\n" in requests[0]
