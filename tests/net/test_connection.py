"""What a connection does when its peer leaves it half way, by every carrier and on both loops."""

import asyncio
import gc
import socket
import struct
from collections.abc import Callable, Iterator

import pytest
from tests.net.conftest import Security
from tests.net.servers import Peer, close, frame, serve_raw, text
from websockets.frames import Opcode

from tickwire import errors
from tickwire.net import connect


@pytest.fixture
def unhandled() -> Iterator[list[dict[str, object]]]:
    """What reaches the loop because it was not awaited; must stay empty."""
    found: list[dict[str, object]] = []
    yield found
    gc.collect()
    assert found == []


def collect(unhandled: list[dict[str, object]]) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: unhandled.append(context))


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - nothing tells of what is waited for here
        await asyncio.sleep(0.01)


def reset(peer: Peer) -> None:
    """End the connection with a TCP reset."""
    sock = peer.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.writer.transport.abort()


async def test_closing_after_a_reset_that_came_while_reading_was_paused(
    plain: Security, carrier: str, unhandled: list[dict[str, object]]
) -> None:
    collect(unhandled)
    paused = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.send(b"".join(text("x" * 1000) for _ in range(30)))
        await paused.wait()
        reset(peer)

    async with serve_raw(script) as port, asyncio.timeout(20):
        ws = await connect(plain.url(port), carrier=carrier, max_queue_bytes=1000, ping_every_s=0)
        await until(lambda: ws._connection.receiver.paused)
        paused.set()
        await asyncio.sleep(0.05)
        await ws.close()
        assert ws.close_code == 1006


async def test_a_peer_that_has_gone_half_and_takes_nothing_is_left(
    plain: Security, carrier: str, unhandled: list[dict[str, object]]
) -> None:
    """Its end of the stream must be reported although our last bytes can never be sent."""
    collect(unhandled)

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        peer.writer.transport.pause_reading()
        await asyncio.sleep(0.1)
        peer.writer.write_eof()
        await asyncio.sleep(60)

    # picows closes its transport without a word; there only the silence tells.
    ping_every_s = 0.2 if carrier == "picows" else 0
    async with serve_raw(script) as port, asyncio.timeout(20):
        ws = await connect(
            plain.url(port), carrier=carrier, ping_every_s=ping_every_s, ping_timeout_s=0.2
        )
        sending = asyncio.ensure_future(ws.send(bytes(30_000_000)))
        with pytest.raises(errors.ConnectionClosed, match="1006"):
            await ws.recv()
        await asyncio.gather(sending, return_exceptions=True)
        await until(lambda: not ws._connection.carrier.unsent_bytes())  # the transport goes too


async def test_a_reset_while_a_pong_is_owed(
    plain: Security, carrier: str, unhandled: list[dict[str, object]]
) -> None:
    collect(unhandled)

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        peer.writer.transport.pause_reading()
        await asyncio.sleep(0.1)  # until the client has more unsent than it would answer
        await peer.send(frame(Opcode.PING, b"p") + text("pinged"))
        await asyncio.sleep(0.1)
        reset(peer)

    async with serve_raw(script) as port, asyncio.timeout(20):
        ws = await connect(plain.url(port), carrier=carrier, ping_every_s=0)
        sending = asyncio.ensure_future(ws.send(bytes(30_000_000)))
        assert await ws.recv() == "pinged"
        assert ws._connection._outgoing.owes_pong
        with pytest.raises(errors.ConnectionClosed, match="1006"):
            await ws.recv()
        await asyncio.gather(sending, return_exceptions=True)
        del ws, sending


async def test_one_pause_counts_once(plain: Security, carrier: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.send(b"".join(text("x" * 1000) for _ in range(30)))
        await peer.answer_close()

    async with (
        serve_raw(script) as port,
        connect(plain.url(port), carrier=carrier, max_queue_bytes=1000) as ws,
    ):
        await until(lambda: ws._connection.receiver.paused)
        await asyncio.sleep(0.1)  # many retries
        assert ws._connection.n_pauses == 1
        for _ in range(30):
            assert await ws.recv() == "x" * 1000


async def test_a_close_that_must_not_be_sent_changes_nothing(plain: Security, carrier: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        assert await peer.read_frame() == (Opcode.TEXT, b"still open")
        await peer.send(close(1011, "oops"))
        await peer.read_close()

    async with serve_raw(script) as port, connect(plain.url(port), carrier=carrier) as ws:
        with pytest.raises(ValueError, match="1006"):
            await ws.close(1006)
        await ws.send("still open")
        # Not an end that we asked for, so it is reported.
        with pytest.raises(errors.ConnectionClosed, match="1011: oops"):
            async for _ in ws:
                pass


async def test_a_send_that_the_end_cuts_short_raises(plain: Security, carrier: str) -> None:
    """Plain only: over TLS the loops keep no account of what their own transport has unsent."""

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        peer.writer.transport.pause_reading()
        await asyncio.sleep(0.1)
        reset(peer)

    async with serve_raw(script) as port, asyncio.timeout(20):
        ws = await connect(plain.url(port), carrier=carrier, ping_every_s=0)
        with pytest.raises(errors.ConnectionClosed, match="1006"):
            await ws.send(bytes(30_000_000))
        with pytest.raises(errors.ConnectionClosed, match="1006"):
            await ws.recv()
