"""What a client can do to the server: get an answer, or be let go."""

import asyncio

import pytest
from tests.health.test_server import Still

from tickwire.health import Exposition, HealthServer, http
from tickwire.observe import Registry


@pytest.fixture
async def server():
    server = HealthServer(Still(), Exposition(Registry()), ("127.0.0.1", 0), None)
    await server.start()
    yield server
    await server.stop()


async def ask(server, *parts):
    """Send a request in parts, and read to the end."""
    port = int(server.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.01)
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("request_head", "status", "n_body_bytes"),
    [
        (b"GET /health/live HTTP/1.1", b"503 Service Unavailable", 15),
        (b"HEAD /health/live HTTP/1.1", b"503 Service Unavailable", 0),
        (b"GET /metrics?name=x HTTP/1.1", b"200 OK", 0),
        (b"GET /../etc/passwd HTTP/1.1", b"404 Not Found", 10),
        (b"POST /metrics HTTP/1.1", b"405 Method Not Allowed", 19),
        (b"\xff\xfe", b"405 Method Not Allowed", 19),
    ],
)
async def test_a_request_is_answered_and_that_is_the_end(
    server, request_head, status, n_body_bytes
):
    answer = await ask(server, request_head + b"\r\nHost: x\r\n", b"\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[0] == b"HTTP/1.1 " + status
    assert b"Connection: close" in head
    assert len(body) == n_body_bytes


async def test_a_head_without_end_is_let_go(server):
    assert await ask(server, b"GET / HTTP/1.1\r\nX: " + b"x" * http.MAX_HEAD_BYTES) == b""


async def test_a_request_that_does_not_come_is_let_go(server, monkeypatch):
    monkeypatch.setattr(http, "REQUEST_S", 0.1)
    assert await ask(server, b"GET / HTTP/1.1\r\n") == b""


async def test_clients_have_a_bound(server, monkeypatch):
    monkeypatch.setattr(http, "MAX_CLIENTS", 0)
    assert await ask(server, b"GET /metrics HTTP/1.1\r\n\r\n") == b""
    monkeypatch.setattr(http, "MAX_CLIENTS", 1)
    assert await ask(server, b"GET /metrics HTTP/1.1\r\n\r\n")
