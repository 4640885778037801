"""REST requests to a real HTTP server, plain and over TLS."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from unittest.mock import ANY

import pytest
from aiohttp import web
from tests.net.conftest import Security

from tickwire import errors
from tickwire.config import ConnectionOptions
from tickwire.observe import Metrics
from tickwire.session import RestClient
from tickwire.supervise import Breakers
from tickwire.supervise.breaker import PROBE_EVERY_S, THRESHOLD

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(answer: Answer, security: Security) -> AsyncIterator[str]:
    server = web.Server(answer)
    runner = web.ServerRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=security.server_context)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined] # a real server
    try:
        yield f"{'https' if security.server_context else 'http'}://localhost:{port}"
    finally:
        await runner.cleanup()


async def test_fetches_and_stamps(security: Security) -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.headers["X-Key"] == "k"
        return web.Response(body=request.path_qs.encode() + b"x" * 200_000)

    async with (
        serving(answer, security) as url,
        RestClient(ConnectionOptions(ca_file=security.ca_file, headers={"X-Key": "k"})) as client,
    ):
        before = time.time_ns()
        payload, ts_recv = await client.get(f"{url}/depth?symbol=BTC&limit=5")
        assert payload == b"/depth?symbol=BTC&limit=5" + b"x" * 200_000
        assert before <= ts_recv <= time.time_ns()


async def test_a_refusal_says_what_the_venue_says(plain: Security) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=400, text='{"code":-1121,\n"msg":"Invalid symbol."}')

    async with serving(answer, plain) as url, RestClient() as client:
        with pytest.raises(errors.RequestRefused, match=r"/x: 400 .*Invalid symbol"):
            await client.get(f"{url}/x")


async def test_a_redirect_is_refused(plain: Security) -> None:
    async def answer(request: web.Request) -> web.Response:
        raise web.HTTPFound("http://elsewhere.invalid/")

    async with serving(answer, plain) as url, RestClient() as client:
        with pytest.raises(errors.RequestRefused, match="302"):
            await client.get(url)


async def test_too_large_an_answer_is_refused(plain: Security) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=b"x" * 1001)

    async with serving(answer, plain) as url, RestClient(max_bytes=1000) as client:
        with pytest.raises(errors.RequestRefused, match="more than 1000 bytes"):
            await client.get(url)


async def test_a_silent_server_runs_out_of_time(plain: Security) -> None:
    asked, given_up = asyncio.Event(), asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        asked.set()
        await given_up.wait()
        return web.Response()

    async with serving(answer, plain) as url, RestClient(timeout_s=0.5) as client:
        with pytest.raises(errors.ConnectionFailed, match=r"no answer in 0\.5 s"):
            await client.get(url)
        # A server that ends while it accepts leaves that connection open.
        await asked.wait()
        given_up.set()


async def test_nothing_listens(unused_tcp_port: int) -> None:
    async with RestClient() as client:
        with pytest.raises(errors.ConnectionFailed, match="localhost"):
            await client.get(f"http://localhost:{unused_tcp_port}/")


async def test_an_unknown_authority_is_refused(tls: Security) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response()

    async with serving(answer, tls) as url, RestClient() as client:
        with pytest.raises(errors.ConnectionFailed, match="certificate"):
            await client.get(url)


@pytest.mark.parametrize(
    ("status", "retry_after", "wait_s"),
    [
        (429, "7", (7, 7)),
        (429, "date", (25, 31)),
        (429, None, (10, 10)),
        (418, "3", (3, 3)),
        (503, "5", (5, 5)),
    ],
)
async def test_nothing_is_asked_before_the_time_that_the_venue_names(
    plain: Security, status: int, retry_after: str | None, wait_s: tuple[float, float]
) -> None:
    n_requests = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal n_requests
        n_requests += 1
        if n_requests > 1:
            return web.Response(body=b"fine")
        told = formatdate(time.time() + 30, usegmt=True) if retry_after == "date" else retry_after
        return web.Response(status=status, headers={"Retry-After": told} if told else {})

    now = 100.0
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async with (
        serving(answer, plain) as url,
        RestClient(clock=lambda: now, sleep=sleep) as client,
    ):
        with pytest.raises(errors.RequestRefused, match=str(status)):
            await client.get(url)
        assert (await client.get(url))[0] == b"fine"
    assert len(waits) == 1
    assert wait_s[0] <= waits[0] <= wait_s[1]


async def test_too_long_a_pause_refuses_at_once(plain: Security) -> None:
    n_requests = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal n_requests
        n_requests += 1
        return web.Response(status=418, headers={"Retry-After": "259200"})

    async with serving(answer, plain) as url, RestClient() as client:
        with pytest.raises(errors.RequestRefused, match="418"):
            await client.get(url)
        with pytest.raises(errors.RequestRefused, match="wants no request for 259"):
            await client.get(url)
    assert n_requests == 1


async def test_requests_stay_within_the_limit(plain: Security) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=b"x")

    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async with (
        serving(answer, plain) as url,
        RestClient(per_min=2, clock=lambda: 50.0, sleep=sleep) as client,
    ):
        for _ in range(4):
            await client.get(url)
    assert waits == [60.0, 60.0]


async def test_sources_share_the_limit_and_their_waits_are_counted(plain: Security) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=b"x")

    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    metrics = Metrics()
    async with (
        serving(answer, plain) as url,
        RestClient(per_min=8, clock=lambda: 50.0, sleep=sleep) as client,
    ):
        one, other = (
            client.of(number, metrics.labelled(source=number, venue="small")) for number in "01"
        )
        for _ in range(7):
            await one.get(url)
        assert waits == [60.0]  # two of the eight are the other's
        assert await other.get(url) == (b"x", ANY)
        assert waits == [60.0]
    waited_s = metrics.registry.by("rest_limit_wait_seconds", "source")
    assert waited_s == pytest.approx({"0": 60.0, "1": 0.0})


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.filterwarnings("ignore:unclosed")
async def test_a_failure_speaks_for_all_who_ask_the_same_host(unused_tcp_port: int) -> None:
    clock, asked = Clock(), 0
    breakers = Breakers(clock=clock)
    url = f"http://127.0.0.1:{unused_tcp_port}/x"
    async with (
        RestClient(breakers=breakers, clock=clock) as one,
        RestClient(breakers=breakers, clock=clock) as other,
    ):
        for _ in range(THRESHOLD):
            with pytest.raises(errors.Unreachable):
                await one.get(url)
            clock.now_s += 0.25
        with pytest.raises(errors.HostDown, match=f"{unused_tcp_port}: failing for 1 s"):
            await other.get(url)

        async def answer(request: web.Request) -> web.Response:
            nonlocal asked
            asked += 1
            return web.Response(body=b"yes")

        runner = web.ServerRunner(web.Server(answer))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
        with pytest.raises(errors.HostDown):  # not probed yet
            await other.get(url)
        clock.now_s += PROBE_EVERY_S
        assert (await other.get(url))[0] == b"yes"
        assert (await one.get(url))[0] == b"yes"
        assert asked == 2
        await runner.cleanup()


async def test_a_refusal_is_no_failure_of_the_host_and_its_own_error_is(plain: Security) -> None:
    status = 400

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status)

    async with serving(answer, plain) as url, RestClient() as client:
        for _ in range(2 * THRESHOLD):
            with pytest.raises(errors.RequestRefused):
                await client.get(url)
        status = 500
        for _ in range(THRESHOLD):
            with pytest.raises(errors.RequestRefused):
                await client.get(url)
        with pytest.raises(errors.HostDown) as down:
            await client.get(url)
        assert 0 < down.value.wait_s <= 5


async def test_a_request_that_is_cancelled_lets_another_one_try(plain: Security) -> None:
    clock, is_hanging = Clock(), True
    breakers = Breakers(clock=clock)

    async def answer(request: web.Request) -> web.Response:
        if is_hanging:
            await asyncio.sleep(60)
        return web.Response(body=b"yes")

    async with (
        serving(answer, plain) as url,
        RestClient(breakers=breakers, clock=clock) as client,
    ):
        for _ in range(THRESHOLD):
            breakers.of(url).failed()
        clock.now_s += 5
        trial = asyncio.create_task(client.get(url))
        await asyncio.sleep(0.05)
        with pytest.raises(errors.HostDown):  # one at a time
            await client.get(url)
        trial.cancel()
        await asyncio.wait([trial])
        is_hanging = False
        assert (await client.get(url))[0] == b"yes"
