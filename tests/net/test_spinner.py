"""A loop that spins reads at once, gives all others their turn, and sleeps again afterwards."""

import asyncio
from typing import Literal

import pytest
from tests.net.conftest import Security
from tests.net.pacing import open_paced
from tests.net.servers import Peer, close, serve_raw, text
from tests.net.test_connection import reset, until

from tickwire.config import ConnectionOptions
from tickwire.net._spinner import spinner_of
from tickwire.net.opening import open_connection
from tickwire.wire import MessageQueue

Carrier = Literal["protocol", "stream", "picows"]


async def test_nothing_is_lost_doubled_or_out_of_order(
    security: Security, carrier: Carrier
) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        for number in range(200):
            await peer.send(text(f"{number} trade"))
            await asyncio.sleep(0)
        await peer.send(b"".join(text(f"{number} " + "x" * 60_000) for number in range(200, 260)))
        await peer.answer_close()

    async with (
        serve_raw(script, security.server_context) as port,
        asyncio.timeout(20),
        open_paced(security, port, carrier, busy_poll_us=50) as it,
    ):
        assert await it.take_until(259) == list(range(260))
        assert (await it.connection.close(1000)).code == 1000


async def test_backpressure_stops_the_reads(security: Security, carrier: Carrier) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.send(b"".join(text(f"{number} " + "x" * 20_000) for number in range(100)))
        await peer.answer_close()

    async with (
        serve_raw(script, security.server_context) as port,
        asyncio.timeout(20),
        open_paced(security, port, carrier, busy_poll_us=50, max_bytes=30_000) as it,
    ):
        await until(lambda: it.connection.receiver.paused)
        await asyncio.sleep(0.05)
        assert it.connection.receiver.n_bytes < 1_000_000
        assert await it.take_until(99) == list(range(100))


@pytest.mark.parametrize("how", ["close", "reset", "end"])
async def test_an_end_comes_after_what_was_sent_before_it(
    plain: Security, carrier: Carrier, how: str
) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.send(text("0 last"))
        if how == "close":
            await peer.send(close(1012, "restart"))
            await peer.read_close()
        elif how == "reset":
            await asyncio.sleep(0.1)
            reset(peer)

    async with (
        serve_raw(script) as port,
        asyncio.timeout(20),
        open_paced(plain, port, carrier, busy_poll_us=50) as it,
    ):
        ending = await it.connection.ended
        assert it.take() == [0]
        assert ending.code == (1012 if how == "close" else 1006)
        if how == "reset" and carrier == "protocol":
            assert "reset by peer" in ending.reason


async def test_several_connections_and_the_loops_own_work_have_their_turns(
    plain: Security,
) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        for number in range(50):
            await peer.send(text(f"{number} trade"))
            await asyncio.sleep(0.001)
        await peer.answer_close()

    async with (
        serve_raw(script) as port,
        asyncio.timeout(20),
        open_paced(plain, port, "protocol", busy_poll_us=200) as one,
        open_paced(plain, port, "protocol", busy_poll_us=200) as other,
    ):
        found = await asyncio.gather(one.take_until(49), other.take_until(49))
        assert found == [list(range(50))] * 2


async def test_the_loop_sleeps_again_when_the_last_connection_is_gone(plain: Security) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.answer_close()

    async with serve_raw(script) as port, asyncio.timeout(20):
        async with open_paced(plain, port, "protocol", busy_poll_us=100) as it:
            await asyncio.sleep(0.01)
            spinner = spinner_of(asyncio.get_running_loop())
            assert spinner.is_spinning
            await it.connection.close(1000)
        await until(lambda: not spinner.is_spinning)


async def test_the_loop_sleeps_again_when_a_connection_is_given_up_before_it_began(
    plain: Security,
) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands()

    async with serve_raw(script) as port, asyncio.timeout(20):
        connection = await open_connection(
            plain.url(port), MessageQueue(), ConnectionOptions(proxy="off")
        )
        connection.pace_reads(0, 100)
        spinner = spinner_of(asyncio.get_running_loop())
        connection.give_up("the session was cancelled")
        await until(lambda: not spinner.is_spinning)
