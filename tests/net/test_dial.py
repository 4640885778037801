"""TCP connections by whichever address answers, and by proxies of every kind."""

import asyncio
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from aiohttp import web
from tests.net.conftest import Security
from tests.net.proxying import http_proxy, socks_proxy
from tests.net.servers import Peer, serve_raw, text

from tickwire import errors
from tickwire.config import ConnectionOptions, values
from tickwire.net import connect, dial, proxies
from tickwire.net.http import HttpClient

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 is Linux's")


@contextmanager
def dead_address(port: int) -> Iterator[str]:
    """An address that takes no connection and refuses none: its queue is full."""
    address = "127.0.0.2"
    with socket.socket() as dead:
        dead.bind((address, port))
        dead.listen(0)
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((address, port))
            fillers.append(filler)
        try:
            yield address
        finally:
            for filler in fillers:
                filler.close()


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    async def resolve(host: str, port: int) -> list[object]:
        assert host == "twofaced.test"
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]
        return list(found)

    monkeypatch.setattr(dial, "resolve", resolve)


async def greet(peer: Peer) -> None:
    await peer.shake_hands()
    await peer.send(text("hello"))
    await peer.answer_close()


async def test_a_refusal_is_called_by_its_name(unused_tcp_port: int) -> None:
    with pytest.raises(errors.Unreachable, match=r"^Connection refused: .*127\.0\.0\.1"):
        await dial.dial("127.0.0.1", unused_tcp_port)


@on_linux
async def test_a_dead_first_address_costs_no_more_than_the_delay(
    carrier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve_raw(greet) as port:
        with dead_address(port) as dead:
            resolve_to(monkeypatch, dead, "127.0.0.1")
            began = time.monotonic()
            async with connect(
                f"ws://twofaced.test:{port}", carrier=carrier, connect_timeout_s=5
            ) as ws:
                assert await ws.recv() == "hello"
            assert time.monotonic() - began < 2


@on_linux
async def test_rest_races_addresses_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(text="here")

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    client = HttpClient(timeout_s=5)
    try:
        with dead_address(port) as dead:
            resolve_to(monkeypatch, dead, "127.0.0.1")
            assert (await client.get(f"http://twofaced.test:{port}/x")).body == b"here"
    finally:
        await client.close()
        await runner.cleanup()


async def test_addresses_that_all_refuse_are_all_named(
    carrier: str, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    resolve_to(monkeypatch, "127.0.0.1", "127.0.0.1")
    with pytest.raises(errors.Unreachable, match=r"twofaced\.test.*127\.0\.0\.1"):
        await connect(f"ws://twofaced.test:{unused_tcp_port}", carrier=carrier)


async def test_what_was_reached_is_told_apart(carrier: str, unused_tcp_port: int) -> None:
    async def silent(peer: Peer) -> None:
        await peer.reader.read()

    async with serve_raw(silent) as port:
        with pytest.raises(errors.ConnectionFailed) as reached:
            await connect(f"ws://127.0.0.1:{port}", carrier=carrier, connect_timeout_s=0.2)
    assert not isinstance(reached.value, errors.Unreachable)
    for url in (f"ws://127.0.0.1:{unused_tcp_port}", "ws://nowhere.invalid"):
        with pytest.raises(errors.Unreachable):
            await connect(url, carrier=carrier, connect_timeout_s=5)


PROXIES = {
    "http": (http_proxy, "http://u:p%40w@localhost:{}"),
    "socks4": (socks_proxy, "socks4://u@localhost:{}"),
    "socks4a": (socks_proxy, "socks4a://u@localhost:{}"),
    "socks5": (socks_proxy, "socks5://u:p%40w@localhost:{}"),
    "socks5h": (socks_proxy, "socks5h://u:p%40w@localhost:{}"),
}


@pytest.mark.parametrize("kind", PROXIES)
async def test_through_a_proxy(carrier: str, security: Security, kind: str) -> None:
    script, url = PROXIES[kind]
    async with (
        serve_raw(greet, security.server_context) as port,
        serve_raw(script) as proxy_port,
        connect(
            security.url(port),
            carrier=carrier,
            ca_file=security.ca_file,
            proxy=url.format(proxy_port),
        ) as ws,
    ):
        assert await ws.recv() == "hello"


@pytest.mark.parametrize("kind", PROXIES)
async def test_rest_through_a_proxy(kind: str, security: Security) -> None:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(text="here")

    script, url = PROXIES[kind]
    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=security.server_context).start()
    port = runner.addresses[0][1]
    scheme = "https" if security.server_context else "http"
    async with serve_raw(script) as proxy_port:
        client = HttpClient(
            ConnectionOptions(ca_file=security.ca_file, proxy=url.format(proxy_port))
        )
        try:
            for _ in range(2):  # the second one on the same connection
                assert (await client.get(f"{scheme}://localhost:{port}/x")).body == b"here"
        finally:
            await client.close()
            await runner.cleanup()


@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_a_proxy_that_refuses_is_named_without_its_password(kind: str) -> None:
    script, _ = PROXIES[kind]
    async with serve_raw(script) as proxy_port:
        proxy = f"{kind}://someone:wrongPass@localhost:{proxy_port}"
        with pytest.raises(errors.ConnectionFailed, match="the proxy refused") as refused:
            await connect("ws://localhost:1", proxy=proxy)
    assert f"by proxy {kind}://localhost:{proxy_port} (proxy)" in str(refused.value)
    assert "wrongPass" not in str(refused.value)
    assert not isinstance(refused.value, errors.Unreachable)


async def test_a_proxy_that_is_not_there(unused_tcp_port: int) -> None:
    for scheme in proxies.SCHEMES:
        with pytest.raises(errors.Unreachable, match="the proxy cannot be reached"):
            await connect("ws://localhost:1", proxy=f"{scheme}://localhost:{unused_tcp_port}")


async def test_the_environment_names_a_proxy(
    carrier: str, plain: Security, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve_raw(greet) as port, serve_raw(socks_proxy) as proxy_port:
        monkeypatch.setenv("ALL_PROXY", f"socks5://u:wrong@localhost:{proxy_port}")
        with pytest.raises(errors.ConnectionFailed, match=r"socks5://localhost:\d+ \(ALL_PROXY\)"):
            await connect(plain.url(port), carrier=carrier)
        async with connect(plain.url(port), carrier=carrier, proxy="off") as ws:
            assert await ws.recv() == "hello"
        monkeypatch.setenv("NO_PROXY", "localhost")
        async with connect(plain.url(port), carrier=carrier) as ws:
            assert await ws.recv() == "hello"


async def test_a_cancelled_dial_leaves_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform != "linux":
        pytest.skip("127.0.0.2 is Linux's")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with dead_address(port) as dead:
        resolve_to(monkeypatch, dead, dead)
        task = asyncio.ensure_future(dial.dial("twofaced.test", port))
        await asyncio.sleep(0.4)  # both are under way
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def test_configuration_and_dial_know_the_same_schemes() -> None:
    assert set(values.PROXY_SCHEMES) == set(proxies.SCHEMES)
