"""What is particular to the carrier `picows`."""

import asyncio

import pytest
from tests.net.conftest import Security
from tests.net.servers import Peer, frame, serve_raw, text
from websockets.frames import Opcode

from tickwire import errors
from tickwire.config import ConnectionOptions
from tickwire.net import connect, open_connection
from tickwire.wire import MessageQueue


async def test_the_frames_of_one_of_its_reads_are_one_read_of_tickwire(security: Security) -> None:
    n_frames = 50

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await asyncio.sleep(0.02)  # the client reads by now
        await peer.send(b"".join(text(f"{i}") for i in range(n_frames)))
        await peer.answer_close()

    async with serve_raw(script, security.server_context) as port:
        queue = MessageQueue()
        connection = await open_connection(
            security.url(port),
            queue,
            ConnectionOptions(carrier="picows", ca_file=security.ca_file),
        )
        connection.begin()
        async with asyncio.timeout(5):
            while len(queue) < n_frames:  # noqa: ASYNC110 - the queue has no event
                await asyncio.sleep(0.001)
        assert connection.receiver.n_reads < n_frames // 5
        await connection.close()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(Opcode.TEXT, b"\xc3\x28"), 1007),  # picows leaves UTF-8 to us
        (b"\xc1\x01a", 1002),  # and the reserved bits
        (b"\x80\x01a", 1002),  # and fragments
        (b"\x81\x81\0\0\0\0a", 1002),  # the mask it looks at itself
        (b"\x82\x7f" + (1 << 40).to_bytes(8, "big"), 1009),  # and the size
    ],
)
async def test_faults_that_either_finds(security: Security, data: bytes, code: int) -> None:
    seen: list[int] = []

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.send(data)
        seen.append((await peer.read_close())[0])

    async with (
        serve_raw(script, security.server_context) as port,
        connect(security.url(port), carrier="picows", ca_file=security.ca_file) as ws,
    ):
        with pytest.raises(errors.ProtocolError) as caught:
            await ws.recv()
        assert caught.value.close_code == code
    assert seen == [code]


async def test_what_it_masks_with_is_not_rand(plain: Security) -> None:
    """Two connections of one process never send the same keys; C's rand() unseeded would."""
    keys: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        for _ in range(4):
            head = await peer.reader.readexactly(2)
            keys.append(await peer.reader.readexactly(4))
            await peer.reader.readexactly(head[1] & 0x7F)
        await peer.answer_close()

    async with serve_raw(script) as port:
        for _ in range(2):
            async with connect(plain.url(port), carrier="picows") as ws:
                for _ in range(4):
                    await ws.send("x")
    assert len(set(keys)) == 8
