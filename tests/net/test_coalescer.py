"""Rests between reads lose nothing, delay nothing for longer, and end with the connection."""

import asyncio
import gc
import os
import socket
import time
import weakref
from collections.abc import Callable
from typing import Any, Literal

import pytest
import uvloop
from tests.net.conftest import Security
from tests.net.pacing import Paced, open_paced
from tests.net.servers import Peer, close, frame, serve_raw, text
from tests.net.test_connection import reset, until
from websockets.frames import Opcode

from tickwire.config import ConnectionOptions
from tickwire.health.process import open_descriptors
from tickwire.net.opening import open_connection
from tickwire.wire import MessageQueue

Carrier = Literal["protocol", "stream", "picows"]


async def send_numbers(peer: Peer, first: int, n: int, *, every_s: float = 0.0) -> None:
    for number in range(first, first + n):
        await peer.send(text(f"{number} trade"))
        await asyncio.sleep(every_s)


async def talk_until_it_rests(peer: Peer, paced: "asyncio.Future[Paced]") -> int:
    """Send numbers until the connection rests; give the next one."""
    number = 0
    it = await paced
    while it.rests.count < 3:
        await peer.send(text(f"{number} trade"))
        await asyncio.sleep(0)
        number += 1
    return number


@pytest.mark.parametrize("coalesce_us", [200, 5000, "auto"])
async def test_nothing_is_lost_doubled_or_out_of_order(
    security: Security, carrier: Carrier, coalesce_us: int | Literal["auto"]
) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await send_numbers(peer, 0, 500)
        for first in range(500, 600, 10):  # bursts
            await peer.send(b"".join(text(f"{first + more} burst") for more in range(10)))
            await asyncio.sleep(0.002)
        for number in range(600, 640):  # a flood
            await peer.send(text(f"{number} " + "x" * 60_000))
        await send_numbers(peer, 640, 60, every_s=0.002)
        await peer.answer_close()

    async with (
        serve_raw(script, security.server_context) as port,
        asyncio.timeout(20),
        open_paced(security, port, carrier, coalesce_us=coalesce_us) as it,
    ):
        assert await it.take_until(699) == list(range(700))
        assert it.rests.count > 0
        assert (await it.connection.close(1000)).code == 1000


async def test_backpressure_between_rests(security: Security, carrier: Carrier) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await send_numbers(peer, 0, 300)
        await peer.send(b"".join(text(f"{number} " + "x" * 20_000) for number in range(300, 400)))
        await peer.answer_close()

    async with (
        serve_raw(script, security.server_context) as port,
        asyncio.timeout(20),
        open_paced(security, port, carrier, coalesce_us=300, max_bytes=30_000) as it,
    ):
        assert await it.take_until(399) == list(range(400))
        assert it.connection.n_pauses > 0


async def test_a_ping_is_answered_at_the_end_of_a_rest(
    security: Security, carrier: Carrier
) -> None:
    paced: asyncio.Future[Paced] = asyncio.get_running_loop().create_future()
    answered_s = []

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await talk_until_it_rests(peer, paced)
        began_s = time.monotonic()
        await peer.send(frame(Opcode.PING, b"there?"))
        assert await peer.read_frame() == (Opcode.PONG, b"there?")
        answered_s.append(time.monotonic() - began_s)
        await peer.answer_close()

    async with (
        serve_raw(script, security.server_context) as port,
        asyncio.timeout(20),
        open_paced(security, port, carrier, coalesce_us=50_000) as it,
    ):
        paced.set_result(it)
        await until(lambda: bool(answered_s))
        assert answered_s[0] < 1.0


@pytest.mark.parametrize("how", ["close", "reset", "end"])
async def test_an_end_during_a_rest_comes_after_what_was_sent_before_it(
    plain: Security, carrier: Carrier, how: str
) -> None:
    paced: asyncio.Future[Paced] = asyncio.get_running_loop().create_future()
    sent = []

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        number = await talk_until_it_rests(peer, paced)
        await peer.send(text(f"{number} last"))
        sent.append(number)
        if how == "close":
            await peer.send(close(1012, "restart"))
            await peer.read_close()
        elif how == "reset":
            await asyncio.sleep(0.2)  # a reset drops what the peer has not read
            reset(peer)

    async with (
        serve_raw(script) as port,
        asyncio.timeout(20),
        open_paced(plain, port, carrier, coalesce_us=50_000) as it,
    ):
        paced.set_result(it)
        ending = await it.connection.ended
        assert it.take() == list(range(sent[0] + 1))
        assert ending.code == (1012 if how == "close" else 1006)
        if how == "reset" and carrier == "protocol":
            assert "reset by peer" in ending.reason


async def test_a_connection_that_rests_is_closed_at_once_and_leaves_nothing(
    security: Security, carrier: Carrier
) -> None:
    paced: asyncio.Future[Paced] = asyncio.get_running_loop().create_future()
    n_open = []

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        n_open.append(open_descriptors())
        await talk_until_it_rests(peer, paced)
        await peer.answer_close()

    async with serve_raw(script, security.server_context) as port, asyncio.timeout(20):
        n_before = open_descriptors()
        async with open_paced(security, port, carrier, coalesce_us=100_000) as it:
            paced.set_result(it)
            await until(lambda: it.rests.count >= 3)
            began_s = time.monotonic()
            ending = await it.connection.close(1000)
            assert ending.code == 1000
            assert time.monotonic() - began_s < 2.0
            assert it.connection.receiver.coalescer is None
        await until(lambda: open_descriptors() <= n_before)


async def test_what_waits_below_the_low_water_mark_counts_as_unread(
    plain: Security, carrier: Carrier
) -> None:
    paced: asyncio.Future[Paced] = asyncio.get_running_loop().create_future()
    unread = []

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        number = await talk_until_it_rests(peer, paced)
        it = paced.result()
        while it.connection.receiver.n_bytes == (n_bytes := it.connection.receiver.n_bytes):
            await peer.send(text(f"{number} trade"))
            number += 1
            time.sleep(0.001)  # noqa: ASYNC251 - the loop must not read it
            unread.append(it.connection.carrier.has_unread(or_end=False))
            unread.append(it.connection.carrier.has_unread())
            if it.connection.receiver.n_bytes != n_bytes or len(unread) > 4:
                break
        await peer.answer_close()

    async with (
        serve_raw(script) as port,
        asyncio.timeout(20),
        open_paced(plain, port, carrier, coalesce_us=50_000) as it,
    ):
        paced.set_result(it)
        await until(lambda: len(unread) >= 4)
        assert all(unread)


async def test_a_flood_ends_a_rest(plain: Security) -> None:
    n_floods = 30
    taken_s = []

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        number = await talk_until_it_rests(peer, paced)
        began_s = time.monotonic()
        for flood in range(n_floods):
            await peer.send(text(f"{number + flood} " + "x" * 100_000))
            await asyncio.sleep(0.001)
        await until(lambda: it.connection.receiver.n_bytes > n_floods * 100_000)
        taken_s.append(time.monotonic() - began_s)
        await peer.answer_close()

    paced: asyncio.Future[Paced] = asyncio.get_running_loop().create_future()
    async with (
        serve_raw(script) as port,
        asyncio.timeout(20),
        open_paced(plain, port, "protocol", coalesce_us=100_000) as it,
    ):
        paced.set_result(it)
        await until(lambda: bool(taken_s))
        assert taken_s[0] < n_floods * 0.1 / 2


async def test_it_does_not_rest_where_a_rest_brings_nothing(plain: Security) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await send_numbers(peer, 0, 30, every_s=0.01)
        await peer.answer_close()

    async with (
        serve_raw(script) as port,
        asyncio.timeout(20),
        open_paced(plain, port, "protocol", coalesce_us=200) as it,
    ):
        assert await it.take_until(29) == list(range(30))
        coalescer = it.connection.receiver.coalescer
        assert coalescer is not None
        assert coalescer.rest_us == 0
        assert it.rests.count <= 5


async def test_auto_rests_the_longer_the_fewer_messages_come(plain: Security) -> None:
    rests_us: list[int] = []

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        number = 0
        for every_s in (0.0, 0.001):
            until_s = time.monotonic() + 0.5
            while time.monotonic() < until_s:
                await peer.send(text(f"{number} trade"))
                number += 1
                await asyncio.sleep(every_s)
            coalescer = it.connection.receiver.coalescer
            assert coalescer is not None
            rests_us.append(coalescer.rest_us)
        await peer.answer_close()

    async with (
        serve_raw(script) as port,
        asyncio.timeout(20),
        open_paced(plain, port, "protocol", coalesce_us="auto") as it,
    ):
        await until(lambda: len(rests_us) == 2)
        assert 125 <= rests_us[0] < rests_us[1] <= 4000


@pytest.mark.parametrize("keys", [{"coalesce_us": 500}, {"busy_poll_us": 50}])
async def test_a_connection_that_is_lost_before_it_is_read(
    security: Security, carrier: Carrier, keys: dict[str, int]
) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        reset(peer)

    async with serve_raw(script, security.server_context) as port, asyncio.timeout(20):
        connection = await open_connection(
            security.url(port),
            MessageQueue(),
            ConnectionOptions(carrier=carrier, ca_file=security.ca_file, proxy="off"),
        )
        await asyncio.sleep(0.05)
        connection.carrier.abort()
        await asyncio.sleep(0.05)
        connection.pace_reads(keys.get("coalesce_us", 0), keys.get("busy_poll_us", 0))
        connection.begin()
        assert (await connection.ended).code == 1006
        assert connection.receiver.coalescer is None


async def test_connections_of_a_loop_share_a_timer(plain: Security) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await send_numbers(peer, 0, 200)
        await peer.answer_close()

    async with serve_raw(script) as port, asyncio.timeout(20):
        n_before = open_descriptors()
        async with (
            open_paced(plain, port, "protocol", coalesce_us=700) as one,
            open_paced(plain, port, "protocol", coalesce_us=700) as other,
        ):
            found = await asyncio.gather(one.take_until(199), other.take_until(199))
            assert found == [list(range(200))] * 2
            # Each connection has two ends here; and there is one timer.
            assert open_descriptors() == n_before + 2 * 2 + 1


async def test_an_error_in_a_direct_read_ends_its_connection_and_no_other(plain: Security) -> None:
    reports: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, report: reports.append(report))
    are_set = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await send_numbers(peer, 0, 300)
        await are_set.wait()
        await peer.send(frame(Opcode.PING, b"there?"))
        await send_numbers(peer, 300, 700)
        await peer.answer_close()

    def attend() -> None:
        raise ValueError("it was no use")

    async with (
        serve_raw(script) as port,
        asyncio.timeout(20),
        open_paced(plain, port, "protocol", coalesce_us=2000) as broken,
        open_paced(plain, port, "protocol", coalesce_us=2000) as other,
    ):
        broken.connection.receiver.on_attention = attend
        are_set.set()
        assert await other.take_until(999) == list(range(1000))
        ending = await broken.connection.ended
        assert (ending.code, ending.reason) == (1006, "it was no use")
        assert [str(report["exception"]) for report in reports] == ["it was no use"]


def low_water(it: Paced) -> int:
    transport = it.connection.carrier.transport
    if transport.is_closing():  # picows does so after a fault
        return 1
    number = transport.get_extra_info("socket").fileno()
    with socket.socket(fileno=os.dup(number)) as sock:
        return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)


@pytest.mark.parametrize("closer", ["we", "peer", "fault"])
async def test_a_connection_that_closes_rests_no_more(
    security: Security, carrier: Carrier, closer: str
) -> None:
    paced: asyncio.Future[Paced] = asyncio.get_running_loop().create_future()
    looked = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await talk_until_it_rests(peer, paced)
        if closer == "we":
            it.connection.close_timeout_s = 2.0
            closing.append(asyncio.ensure_future(it.connection.close(1000)))
        else:
            await peer.send(close(1012, "restart") if closer == "peer" else frame(0x3, b"?"))
        await looked.wait()

    closing: list[asyncio.Future[Any]] = []
    async with (
        serve_raw(script, security.server_context) as port,
        asyncio.timeout(20),
        open_paced(security, port, carrier, coalesce_us=100_000) as it,
    ):
        paced.set_result(it)
        await until(lambda: not it.connection.is_open)
        await asyncio.sleep(0.15)  # longer than a rest
        assert low_water(it) == 1
        assert it.connection.receiver.coalescer is None
        looked.set()
        await it.connection.ended
        await asyncio.gather(*closing)


async def test_a_pause_is_no_rest(security: Security, carrier: Carrier) -> None:
    paced: asyncio.Future[Paced] = asyncio.get_running_loop().create_future()
    resumed = asyncio.Event()
    last: list[int] = []

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        number = await talk_until_it_rests(peer, paced)
        for more in range(10):
            await peer.send(text(f"{number + more} " + "x" * 20_000))
        await resumed.wait()
        await peer.send(text(f"{number + 10} last"))
        last.append(number + 10)
        await peer.answer_close()

    async with (
        serve_raw(script, security.server_context) as port,
        asyncio.timeout(20),
        open_paced(security, port, carrier, coalesce_us=300, max_bytes=60_000) as it,
    ):
        paced.set_result(it)
        await until(lambda: it.connection.receiver.paused)
        await asyncio.sleep(0.4)
        found = it.take()
        resumed.set()
        await until(lambda: bool(last))
        assert found + await it.take_until(last[0]) == list(range(last[0] + 1))
        assert it.rests.max < 350_000_000


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("keys", [{"coalesce_us": 500}, {"busy_poll_us": 50}])
def test_a_loop_is_freed_when_it_is_over(
    make_loop: Callable[[], asyncio.AbstractEventLoop], keys: dict[str, int]
) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await send_numbers(peer, 0, 100)
        await peer.answer_close()

    async def scene() -> "weakref.ref[asyncio.AbstractEventLoop]":
        plain = Security("ws", None, None)
        async with (
            serve_raw(script) as port,
            asyncio.timeout(20),
            open_paced(plain, port, "protocol", **keys) as it,  # type: ignore[arg-type]
        ):
            await it.take_until(99)
            await it.connection.close(1000)
        await asyncio.sleep(0.01)
        return weakref.ref(asyncio.get_running_loop())

    with asyncio.Runner(loop_factory=make_loop) as runner:
        freed = runner.run(scene())
    del runner
    gc.collect()
    assert freed() is None
