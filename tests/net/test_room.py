"""A connection whose ring is full is woken when a consumer takes rows; it does not poll."""

import asyncio

import pytest
from tests.decode.feeds import Feed
from tests.net.conftest import Security
from tests.net.servers import Peer, serve_raw, text

from tickwire.config import ConnectionOptions
from tickwire.decode.plan import message, rows
from tickwire.net import connection as connection_module
from tickwire.net import open_connection

N_MESSAGES = 400
PAYLOAD = '{"s":"A","v":[' + ",".join("7" for _ in range(100)) + "]}"


async def test_room_is_signalled_not_polled(
    carrier: str, security: Security, monkeypatch: pytest.MonkeyPatch
) -> None:
    if carrier == "picows" and security.scheme == "wss":
        # aiofastnet's transport that reads the socket itself keeps what it has read in a pause
        # until more comes (see net/carriers/transports.py): no signal changes that.
        pytest.skip("picows's TLS keeps what came in a pause until more comes")
    monkeypatch.setattr(connection_module, "RETRY_S", 60.0)  # else it would hide a missed signal
    feed = Feed(
        [message("m", rows=[rows(at="v[]", into="mids", symbol="$.s", price="")])], rows=1024
    )
    ring, consumer = feed.rings["mids"], feed.consumers["mids"]
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.send(text(PAYLOAD) * N_MESSAGES)
        await gone.wait()

    async with serve_raw(script, security.server_context) as port, asyncio.timeout(30):
        connection = await open_connection(
            security.url(port),
            feed.connection,
            ConnectionOptions(
                carrier=carrier,  # type: ignore[arg-type] # one of CARRIERS
                ca_file=security.ca_file,
            ),
        )
        connection.begin()
        while not connection.receiver.paused:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        n_rows = ring.published
        assert n_rows < 100 * N_MESSAGES
        tries: list[int] = []
        offer = connection._offer
        monkeypatch.setattr(connection, "_offer", lambda s: (tries.append(1), offer(s))[1])
        await asyncio.sleep(0.2)
        assert tries == []  # no polling while nothing happens
        n_taken = n_takes = 0
        while n_taken < 100 * N_MESSAGES:
            batch = await asyncio.to_thread(consumer.take)  # as a sink does, in its own thread
            n_takes += 1
            n_taken += 0 if batch is None else batch.num_rows
        assert len(tries) <= 2 * n_takes + 2
        gone.set()
        await connection.close()


async def test_what_was_read_before_the_end_is_taken_when_there_is_room(
    carrier: str, plain: Security, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "RETRY_S", 60.0)
    feed = Feed(
        [message("m", rows=[rows(at="v[]", into="mids", symbol="$.s", price="")])], rows=1024
    )
    consumer = feed.consumers["mids"]

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.send(text(PAYLOAD) * 30)
        await peer.reader.read(1)

    async with serve_raw(script) as port, asyncio.timeout(30):
        connection = await open_connection(
            plain.url(port),
            feed.connection,
            ConnectionOptions(
                carrier=carrier,  # type: ignore[arg-type] # one of CARRIERS
                close_timeout_s=20,
            ),
        )
        connection.begin()
        while not connection.receiver.paused:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.001)
        connection.carrier.abort()
        await asyncio.sleep(0.05)
        n_taken = 0
        while not connection.ended.done():
            batch = await asyncio.to_thread(consumer.take, 500)
            n_taken += 0 if batch is None else batch.num_rows
        batch = consumer.take()
        n_taken += 0 if batch is None else batch.num_rows
        # All that was received: what the kernel still had, our own end has thrown away.
        assert connection.receiver.unparsed_bytes < len(PAYLOAD)  # half a message
        assert n_taken == 100 * connection.receiver.parser.n_messages > 1024
