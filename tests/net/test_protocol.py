"""What each carrier does beyond bringing bytes: writing with backpressure, pausing, ending."""

import asyncio
import gc
from collections.abc import Callable

import pytest
from tests.decode.feeds import Feed
from tests.net.conftest import Security
from tests.net.servers import Peer, close, serve_raw, text

from tickwire.config import ConnectionOptions
from tickwire.decode.plan import message, rows
from tickwire.net import Connection, open_connection
from tickwire.net._protocol import ProtocolCarrier
from tickwire.net._receiver import Receiver
from tickwire.wire import Handler, HandshakeResponse, MessageQueue


async def opened(
    carrier: str, security: Security, port: int, queue: Handler, **settings: float
) -> Connection:
    return await open_connection(
        security.url(port),
        queue,
        ConnectionOptions(
            carrier=carrier,  # type: ignore[arg-type] # one of CARRIERS
            ca_file=security.ca_file,
            **settings,  # type: ignore[arg-type] # the tests' own
        ),
    )


async def turn_until(reached: Callable[[], bool]) -> None:
    """Let the loop turn until something is so."""
    for _ in range(1_000_000):
        if reached():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never was")


async def test_drain_waits_while_the_peer_does_not_read(carrier: str, security: Security) -> None:
    may_read = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await may_read.wait()
        while await peer.reader.read(1 << 20):
            pass

    async with serve_raw(script, security.server_context) as port:
        connection = await opened(carrier, security, port, MessageQueue(), close_timeout_s=0.5)
        connection.begin()
        draining = asyncio.ensure_future(asyncio.sleep(0))
        n_sent = 0
        while draining.done() or n_sent == 0:  # until the kernel and the loop take no more
            assert n_sent < 100
            connection.send_binary(bytes(1_000_000))
            n_sent += 1
            draining = asyncio.ensure_future(connection.carrier.drain())
            await asyncio.wait({draining}, timeout=0.1)
        may_read.set()
        await asyncio.wait_for(draining, 5)
        connection.give_up("enough")
        await asyncio.wait_for(connection.ended, 5)


async def test_the_end_wakes_who_drains(carrier: str, security: Security) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await asyncio.sleep(60)

    async with serve_raw(script, security.server_context) as port:
        connection = await opened(carrier, security, port, MessageQueue())
        connection.begin()
        for _ in range(20):
            connection.send_binary(bytes(1_000_000))
        draining = asyncio.ensure_future(connection.carrier.drain())
        await asyncio.sleep(0)
        connection.give_up("enough")
        await asyncio.wait({draining}, timeout=5)
        assert draining.done()
        assert isinstance(draining.exception(), OSError)
        assert (await connection.ended).reason == "enough"


async def test_nothing_is_read_before_begin(carrier: str, security: Security) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands(rest=text("with the handshake"))
        await peer.send(text("after it") + close(1000))
        await peer.read_close()

    async with serve_raw(script, security.server_context) as port:
        queue = MessageQueue()
        connection = await opened(carrier, security, port, queue)
        await asyncio.sleep(0.02)
        assert len(queue) == 0
        connection.begin()
        await asyncio.wait_for(asyncio.shield(connection.ended), 5)
        payloads = [queue.take(), queue.take()]
        assert [each and each.payload for each in payloads] == [b"with the handshake", b"after it"]


async def test_a_flood_lets_the_loop_turn(security: Security) -> None:
    n_messages = 6000

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        for _ in range(n_messages // 100):
            await peer.send(text("x" * 2000) * 100)
        await peer.reader.read()

    async with serve_raw(script, security.server_context) as port:
        queue = MessageQueue(max_bytes=1 << 30)
        connection = await opened("protocol", security, port, queue)
        await asyncio.sleep(0.3)  # the kernel fills
        largest = before = 0
        connection.begin()
        while len(queue) < n_messages:
            await asyncio.sleep(0)
            largest = max(largest, connection.receiver.n_bytes - before)
            before = connection.receiver.n_bytes
        assert largest <= 2_097_152 + 262_144  # and the read that passes the bound
        connection.give_up("enough")
        await asyncio.wait_for(connection.ended, 5)


@pytest.mark.volume
async def test_a_turn_ends_once_it_has_brought_many_rows(security: Security) -> None:
    """Short text that becomes many rows: the bytes read in one turn alone would not end it."""
    n_rows = 600_000
    payload = '{"s":"A","v":[' + ",".join("7" for _ in range(1000)) + "]}"
    numbers = Feed(
        [message("m", rows=[rows(at="v[]", into="mids", symbol="$.s", price="")])],
        rows=1 << 16,
        consumed=(),
    )
    ring = numbers.rings["mids"]

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        for _ in range(n_rows // 100_000):
            await peer.send(text(payload) * 100)
        await peer.reader.read()

    async with serve_raw(script, security.server_context) as port:
        connection = await opened("protocol", security, port, numbers.connection)
        await asyncio.sleep(0.3)  # the kernel fills
        largest = before = 0
        connection.begin()
        while ring.published < n_rows:
            await asyncio.sleep(0)
            largest = max(largest, connection.receiver.n_bytes - before)
            before = connection.receiver.n_bytes
        # One read of the whole buffer brings enough rows by itself.
        assert largest <= 262_144
        connection.give_up("enough")
        await asyncio.wait_for(connection.ended, 5)


async def test_a_pause_outlasts_a_rest(security: Security) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        for _ in range(60):
            await peer.send(text("x" * 2000) * 100)
        await peer.reader.read()

    async with serve_raw(script, security.server_context) as port:
        queue = MessageQueue(max_bytes=1 << 30)
        connection = await opened("protocol", security, port, queue)
        await asyncio.sleep(0.3)
        connection.begin()
        await turn_until(lambda: connection.receiver.n_bytes >= 2_097_152)  # it rests now
        connection.carrier.pause_reading()
        n_bytes = connection.receiver.n_bytes
        await asyncio.sleep(0.05)
        assert connection.receiver.n_bytes == n_bytes
        connection.carrier.resume_reading()
        await turn_until(lambda: len(queue) == 6000)
        connection.give_up("enough")
        await asyncio.wait_for(connection.ended, 5)


async def test_the_handshake_is_read_into_memory_of_its_own() -> None:
    receiver = Receiver(MessageQueue())
    carrier = ProtocolCarrier(receiver, b"GET / HTTP/1.1\r\n\r\n", HandshakeResponse("key"))
    memory = carrier.get_buffer(-1)
    assert isinstance(memory, memoryview)  # a slice of it must write through
    memory[2:4] = b"xy"
    assert bytes(carrier.get_buffer(-1)[:4]) == b"\0\0xy"
    assert receiver.n_reads == 0
    carrier.opened.cancel()


@pytest.mark.parametrize("n_pings", [1000])
async def test_pings_without_an_answer_are_given_up(
    carrier: str, plain: Security, n_pings: int
) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        while await peer.reader.read(65_536):
            pass

    async with serve_raw(script) as port:
        connection = await opened(carrier, plain, port, MessageQueue())
        connection.begin()
        pings = [connection.ping() for _ in range(n_pings)]
        assert sum(not ping.done() for ping in pings) == 64
        connection.give_up("enough")
        await connection.ended


async def test_an_opening_that_is_not_awaited_fails_in_silence() -> None:
    """Such as one whose connect was cancelled before its transport was lost."""
    unhandled: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: unhandled.append(context))
    carrier = ProtocolCarrier(Receiver(MessageQueue()), b"", HandshakeResponse("key"))
    carrier.connection_lost(None)
    del carrier
    gc.collect()
    assert unhandled == []
