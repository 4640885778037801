"""permessage-deflate by every carrier, on both loops, against real servers of another library."""

import asyncio
import gzip
import itertools
import json
import random
import zlib
from dataclasses import replace

import pytest
from tests.net.conftest import Security
from tests.net.servers import Peer, frame, serve_raw
from tests.session.small_venue import VENUE, quick, running, say
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Opcode

from tickwire import errors
from tickwire.config import ConnectionOptions
from tickwire.net import connect, open_connection
from tickwire.wire import Deflate, DeflateOffer, MessageQueue

OFFERS = [
    DeflateOffer(*each)
    for each in itertools.product((False, True), (False, True), (None, 9, 15), (False, True, 9))
]


def message_of(size: int, seed: int = 0) -> str:
    """A text of about that size that compresses as market data does."""
    rng = random.Random(seed)
    rows = [{"px": f"{rng.randrange(10**6) / 10}", "sz": rng.random()} for _ in range(size // 40)]
    return json.dumps({"channel": "trades €", "data": rows})


async def echo(server: ServerConnection) -> None:
    async for message in server:
        await server.send(message)


def serving(security: Security, **options: object) -> serve:
    return serve(
        echo,
        "127.0.0.1",
        0,
        ssl=security.server_context,
        max_size=None,
        **{"compression": None, **options},
    )


def port_of(server: Server) -> int:
    return int(server.sockets[0].getsockname()[1])


@pytest.mark.parametrize("compress_from_bytes", [0, 1 << 30])
async def test_messages_come_back(
    carrier: str, security: Security, compress_from_bytes: int
) -> None:
    async with serving(security, compression="deflate") as server:
        async with connect(
            security.url(port_of(server)),
            carrier=carrier,
            ca_file=security.ca_file,
            compression="deflate",
            compress_from_bytes=compress_from_bytes,
        ) as ws:
            # The server's defaults ask for small windows on both sides.
            assert ws.compression == Deflate(server_max_window_bits=12, client_max_window_bits=12)
            for size in (0, 100, 1000, 70_000, 300_000, 100):
                text = message_of(size, size)
                await ws.send(text)
                assert await ws.recv() == text
                binary = random.Random(size).randbytes(size)
                await ws.send(binary)
                assert await ws.recv() == binary
            await ws.send("")
            assert await ws.recv() == ""
        assert ws.close_code == 1000


@pytest.mark.parametrize(
    "offer",
    [
        pytest.param(offer, marks=() if n % 5 == 0 else pytest.mark.thorough)
        for n, offer in enumerate(OFFERS)
    ],
    ids=lambda offer: offer.header()[18:].replace(" ", ""),
)
async def test_every_offer_to_every_server(
    carrier: str, plain: Security, offer: DeflateOffer
) -> None:
    rng = random.Random(offer.header())
    text = message_of(3000)
    for server_alone, client_alone in itertools.product((False, True), repeat=2):
        server_bits, client_bits = rng.choice((None, 9, 12)), rng.choice((None, 10, 15))
        factory = ServerPerMessageDeflateFactory(
            server_alone, client_alone, server_bits, client_bits
        )
        async with (
            serving(plain, extensions=[factory]) as server,
            connect(
                plain.url(port_of(server)),
                carrier=carrier,
                compression=offer,
                compress_from_bytes=0,
            ) as ws,
        ):
            agreed = ws.compression
            assert agreed is not None
            assert agreed.server_no_context_takeover >= server_alone
            assert agreed.client_no_context_takeover >= client_alone
            assert agreed.server_max_window_bits <= (server_bits or 15)
            for message in (text, text, "a", "", text):
                await ws.send(message)
                assert await ws.recv() == message


async def test_a_server_without_compression(carrier: str, security: Security) -> None:
    async with (
        serving(security) as server,
        connect(
            security.url(port_of(server)),
            carrier=carrier,
            ca_file=security.ca_file,
            compression="deflate",
        ) as ws,
    ):
        assert ws.compression is None
        await ws.send("x" * 5000)
        assert await ws.recv() == "x" * 5000


async def test_nothing_is_offered_unless_asked(carrier: str, plain: Security) -> None:
    async with (
        serving(plain, compression="deflate") as server,
        connect(plain.url(port_of(server)), carrier=carrier) as ws,
    ):
        assert ws.compression is None
        await ws.send("x" * 5000)
        assert await ws.recv() == "x" * 5000


@pytest.mark.parametrize(
    "header",
    [
        b"permessage-deflate; server_max_window_bits=7",
        b"permessage-deflate; permessage",
        b"permessage-deflate, permessage-deflate",
        b"x-webkit-deflate-frame",
    ],
)
async def test_answers_that_fail_the_handshake(
    carrier: str, plain: Security, header: bytes
) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands(headers=b"Sec-WebSocket-Extensions: " + header + b"\r\n")
        await peer.reader.read()

    async with serve_raw(script) as port:
        with pytest.raises(errors.HandshakeError, match="compression wrongly"):
            await connect(plain.url(port), carrier=carrier, compression="deflate")


def compressed(payload: bytes, opcode: Opcode = Opcode.TEXT) -> bytes:
    encoder = zlib.compressobj(wbits=-15)
    data = (encoder.compress(payload) + encoder.flush(zlib.Z_SYNC_FLUSH))[:-4]
    built = bytearray(frame(opcode, data))
    built[0] |= 0x40
    return bytes(built)


GRANT = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"


async def test_a_message_in_the_same_write_as_the_answer(carrier: str, security: Security) -> None:
    text = message_of(2000)

    async def script(peer: Peer) -> None:
        await peer.shake_hands(headers=GRANT, rest=compressed(text.encode()))
        await peer.answer_close()

    async with (
        serve_raw(script, security.server_context) as port,
        connect(
            security.url(port), carrier=carrier, ca_file=security.ca_file, compression="deflate"
        ) as ws,
    ):
        assert await ws.recv() == text


@pytest.mark.parametrize("split", range(1, 40, 3))
async def test_the_stream_cut_anywhere(carrier: str, plain: Security, split: int) -> None:
    text = message_of(100)
    data = compressed(text.encode())

    async def script(peer: Peer) -> None:
        await peer.shake_hands(headers=GRANT)
        await peer.send_pieces(data, [min(split, len(data)), 1, 1])
        await peer.answer_close()

    async with (
        serve_raw(script) as port,
        connect(plain.url(port), carrier=carrier, compression="deflate") as ws,
    ):
        assert await ws.recv() == text


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (compressed(bytes(50_000_000)), 1009),
        (compressed(b"caf\xc3("), 1007),
        (b"\xc1\x03\xff\xff\xff", 1007),
        (b"\xc9\x00", 1002),  # a ping with RSV1
    ],
    ids=["bomb", "text", "corrupt", "ping"],
)
async def test_faults_are_told_to_the_server(
    carrier: str, security: Security, data: bytes, code: int
) -> None:
    seen: list[int] = []

    async def script(peer: Peer) -> None:
        await peer.shake_hands(headers=GRANT)
        await peer.send(data)
        seen.append((await peer.read_close())[0])

    async with (
        serve_raw(script, security.server_context) as port,
        connect(
            security.url(port),
            carrier=carrier,
            ca_file=security.ca_file,
            compression="deflate",
            max_message_bytes=1 << 20,
        ) as ws,
    ):
        with pytest.raises(errors.ProtocolError) as fault:
            await ws.recv()
        assert fault.value.close_code == code
        assert ws._connection.receiver.parser.assembly_bytes <= (1 << 20) + 1
    assert seen == [code]


async def test_a_slow_reader_gets_every_message_once(carrier: str, plain: Security) -> None:
    messages = [message_of(1500, n % 3) for n in range(200)]

    async def send(server: ServerConnection) -> None:
        for message in messages:
            await server.send(message)

    async with (
        serve(send, "127.0.0.1", 0, compression="deflate") as server,
        connect(
            plain.url(port_of(server)), carrier=carrier, compression="deflate", max_queue_bytes=1
        ) as ws,
    ):
        assert [message async for message in ws] == messages
        assert ws._connection.n_pauses


async def test_a_window_that_zlib_has_not_means_plain_messages(
    carrier: str, plain: Security
) -> None:
    sent: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.shake_hands(headers=GRANT.replace(b"\r\n", b"; client_max_window_bits=8\r\n"))
        sent.append(await peer.reader.readexactly(1))
        await peer.reader.readexactly(7 + 5000)
        await peer.answer_close()

    async with (
        serve_raw(script) as port,
        connect(plain.url(port), carrier=carrier, compression="deflate") as ws,
    ):
        assert ws.compression == Deflate(client_max_window_bits=8)
        await ws.send("x" * 5000)
    assert sent == [b"\x81"]


def test_what_compression_may_be() -> None:
    with pytest.raises(ValueError, match="compression 'gzip'"):
        connect("ws://localhost", compression="gzip")  # type: ignore[arg-type] # on purpose


@pytest.mark.parametrize("form", ["gzip", "deflate"])
async def test_frames_that_a_venue_packs(carrier: str, plain: Security, form: str) -> None:
    messages = [message_of(1000, n).encode() for n in range(5)]

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        for each in messages:
            packed = gzip.compress(each) if form == "gzip" else zlib.compress(each, wbits=-15)
            await peer.send(frame(Opcode.BINARY, packed))
        await peer.answer_close()

    async with serve_raw(script) as port:
        queue = MessageQueue()
        connection = await open_connection(
            plain.url(port), queue, ConnectionOptions(carrier=carrier), frames=form
        )
        connection.begin()
        async with asyncio.timeout(5):
            while len(queue) < len(messages):  # noqa: ASYNC110 - the queue has no event
                await asyncio.sleep(0.001)
        assert [queue.take().payload for _ in messages] == messages
        await connection.close()


@pytest.mark.parametrize(
    ("setting", "supported", "offered"),
    [
        ("auto", False, False),
        ("auto", True, True),
        ("off", True, False),
        ("deflate", False, True),
    ],
)
async def test_a_session_offers_it_where_it_should(
    carrier: str, plain: Security, setting: str, supported: bool, offered: bool
) -> None:
    requests: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.shake_hands(headers=GRANT if offered else b"")
        requests.append(peer.request)
        answer = say(id=1)
        await peer.read_frame()
        await peer.send(answer + (compressed(b"data " * 99) if offered else b""))
        await peer.answer_close()

    settings = quick(carrier=carrier, compression=setting)
    async with (
        serve_raw(script) as port,
        running(
            plain.url(port), ["a"], settings=settings, venue=replace(VENUE, compression=supported)
        ) as run,
    ):
        await run.observer.until_told("subscribed", 7)
        if offered:
            await run.observer.until(lambda: run.handlers[7].data == ["data " * 99])
    assert (b"Sec-WebSocket-Extensions: permessage-deflate" in requests[0]) == offered


async def test_a_session_unpacks_as_the_venue_declares(carrier: str, plain: Security) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.read_frame()
        answer = json.dumps({"kind": "acknowledge", "id": 1}).encode()
        await peer.send(frame(Opcode.BINARY, gzip.compress(answer)))
        await peer.send(frame(Opcode.BINARY, gzip.compress(b"data 1")))
        await peer.answer_close()

    settings = quick(carrier=carrier)
    async with (
        serve_raw(script) as port,
        running(
            plain.url(port), ["a"], settings=settings, venue=replace(VENUE, frames="gzip")
        ) as run,
    ):
        await run.observer.until_told("subscribed", 7)
        await run.observer.until(lambda: run.handlers[7].data == ["data 1"])
