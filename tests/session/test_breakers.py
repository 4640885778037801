"""When a session connects again: after failures, refusals, and while nothing can be reached."""

import asyncio
import itertools
import socket
import time
from dataclasses import replace

import pytest
from structlog.testing import capture_logs
from tests.net.conftest import Security
from tests.net.servers import Peer, serve_raw, text
from tests.session.small_venue import accept_all, quick, running

from tickwire.session import endpoint_of
from tickwire.supervise import Breakers
from tickwire.supervise.breaker import THRESHOLD


class NoJitter:
    def uniform(self, low: float, high: float) -> float:
        return high


class Skipping:
    """A clock that sleeping moves, and each sleep."""

    def __init__(self) -> None:
        self.delays: list[float] = []
        self._slept_s = 0.0

    def clock(self) -> float:
        return time.monotonic() + self._slept_s

    async def sleep(self, seconds: float) -> None:
        self.delays.append(seconds)
        self._slept_s += seconds
        await asyncio.sleep(0)


@pytest.mark.parametrize(("healthy_s", "waits"), [(0.0, []), (9.0, [1, 2])])
async def test_a_connection_that_dies_young_is_a_failure_though_it_brought_data(
    plain: Security, healthy_s: float, waits: list[int]
) -> None:
    skipping = Skipping()
    n_connections = 0

    async def script(peer: Peer) -> None:
        nonlocal n_connections
        n_connections += 1
        await accept_all(peer, 1)
        await peer.send(text("data"))
        if n_connections == 5:
            await peer.answer_close()

    settings = quick(
        first_delay_s=1.0,
        backoff_max_s=3.0,
        healthy_s=healthy_s,
        clock=skipping.clock,
        sleep=skipping.sleep,
        rng=NoJitter(),
    )
    async with serve_raw(script) as port, running(plain.url(port), ["a"], settings=settings) as run:
        await run.observer.until_told("subscribed", 11)
    assert [round(delay) for delay in skipping.delays if delay > 0.2] == waits


async def test_a_link_is_well_while_it_is_open_and_not_when_it_ends(plain: Security) -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await accept_all(peer, 1)
        await gone.wait()

    healthy_s = 0.2
    breakers = Breakers()
    settings = replace(quick(healthy_s=healthy_s), breakers=breakers)
    async with serve_raw(script) as port, running(plain.url(port), ["a"], settings=settings) as run:
        breaker = breakers.of(endpoint_of(plain.url(port)))
        breaker.failed()
        began_s = time.monotonic()
        await run.observer.until_told("subscribed", 7)
        await run.observer.until(lambda: breaker.n_failures == 0)
        assert time.monotonic() - began_s >= healthy_s
        assert run.session.is_subscribed
        gone.set()


@pytest.mark.parametrize(
    ("status", "n_until_open", "open_s"),
    [(418, 1, 120), (429, 1, 2), (503, THRESHOLD, 5), (403, THRESHOLD, 5)],
)
async def test_an_endpoint_that_refuses_is_left_alone_and_not_probed(
    plain: Security, status: int, n_until_open: int, open_s: float
) -> None:
    skipping = Skipping()
    came_s: list[float] = []

    async def script(peer: Peer) -> None:
        came_s.append(skipping.clock())  # a probe would come here, too
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())

    settings = quick(clock=skipping.clock, sleep=skipping.sleep)
    async with serve_raw(script) as port, running(plain.url(port), ["a"], settings=settings) as run:
        await run.observer.until(lambda: len(came_s) > n_until_open)
    waits_s = [later - earlier for earlier, later in itertools.pairwise(came_s)]
    assert all(wait_s < 0.5 for wait_s in waits_s[: n_until_open - 1])
    assert waits_s[n_until_open - 1] >= open_s - 0.1


@pytest.mark.parametrize("status", [429, 418, 503])
async def test_a_venue_that_refuses_the_handshake_is_asked_again_when_it_says(
    plain: Security, status: int
) -> None:
    skipping = Skipping()
    n_requests = 0

    async def script(peer: Peer) -> None:
        nonlocal n_requests
        n_requests += 1
        if n_requests == 1:
            await peer.reader.readuntil(b"\r\n\r\n")
            head = f"HTTP/1.1 {status} No\r\nRetry-After: 40\r\nContent-Length: 0\r\n\r\n"
            await peer.send(head.encode())
            return
        await accept_all(peer, 1)
        await peer.answer_close()

    settings = quick(clock=skipping.clock, sleep=skipping.sleep)
    async with serve_raw(script) as port, running(plain.url(port), ["a"], settings=settings) as run:
        with capture_logs() as logs:
            await run.observer.until_told("subscribed", 7)
    assert 39 <= sum(skipping.delays) <= 42
    changes = [line["event"] for line in logs if line["event"].startswith("breaker")]
    assert changes == ["breaker opened", "breaker half open", "breaker closed"]


async def test_a_server_that_is_gone_is_probed_and_found_when_it_is_back(plain: Security) -> None:
    skipping = Skipping()

    async def script(peer: Peer) -> None:
        await accept_all(peer, 1)
        await peer.answer_close()

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = quick(clock=skipping.clock, sleep=skipping.sleep)
    async with running(plain.url(port), ["a"], settings=settings) as run:
        registry = run.metrics.registry
        await run.observer.until(lambda: len(skipping.delays) > 100)
        async with serve_raw(script, port=port):
            await run.observer.until_told("subscribed", 7)
    changed = registry.by("breaker_changes", "state")
    assert changed["closed"] == 1
    assert changed["half_open"] == changed["open"]
    # The first five, and one each time when it was half open: probes are no connects.
    assert registry.total("failed_connects") == 4 + changed["open"]
