"""What can go wrong before a connection is open, by every carrier; and the way through a proxy."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from tests.net.conftest import Security
from tests.net.proxying import http_proxy
from tests.net.servers import Peer, serve_raw

from tickwire import errors
from tickwire.config import ConnectionOptions
from tickwire.net import connect, open_connection
from tickwire.net.carriers import transports
from tickwire.wire import MessageQueue

ACCEPTING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"

REFUSALS = {
    "404": (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404),
    "301": (b"HTTP/1.1 301 Moved\r\nLocation: wss://x/\r\nContent-Length: 0\r\n\r\n", 301),
    "503": (b"HTTP/1.1 503 Busy\r\nContent-Length: 5\r\n\r\nlater", 503),
    "no accept": (ACCEPTING + b"\r\n", None),
    "bad accept": (ACCEPTING + b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n", None),
    "not HTTP": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", None),
    "endless header": (b"HTTP/1.1 101 Switching Protocols\r\nX: " + b"x" * 40_000, None),
    "gone": (b"", None),
}


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_refused_handshake(carrier: str, security: Security, refusal: str) -> None:
    answer, status = REFUSALS[refusal]

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(answer)

    async with serve_raw(script, security.server_context) as port:
        with pytest.raises(errors.HandshakeError) as caught:
            await connect(security.url(port), carrier=carrier, ca_file=security.ca_file)
        if status is not None:
            assert caught.value.status == status


@pytest.mark.parametrize("early", [b"SSH-2.0-OpenSSH_9.6\r\n\r\n", b"x" * 200_000])
async def test_a_server_that_speaks_first(carrier: str, security: Security, early: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(early)  # over TLS, in the same breath as the end of its handshake
        await peer.reader.read()

    async with serve_raw(script, security.server_context) as port:
        with pytest.raises(errors.HandshakeError):
            await connect(security.url(port), carrier=carrier, ca_file=security.ca_file)


@pytest.mark.parametrize(
    "header", [b"Sec-WebSocket-Protocol: v9\r\n", b"Sec-WebSocket-Extensions: x-compress\r\n"]
)
async def test_what_was_not_offered_is_refused(
    carrier: str, plain: Security, header: bytes
) -> None:
    async def script(peer: Peer) -> None:
        await peer.shake_hands(headers=header)
        await peer.reader.read()

    async with serve_raw(script) as port:
        with pytest.raises(errors.HandshakeError, match="not offered"):
            await connect(plain.url(port), carrier=carrier, subprotocols=["v1"])


async def test_a_dripping_handshake_runs_out_of_time(carrier: str, security: Security) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        for byte in ACCEPTING * 100:
            await peer.send(bytes([byte]))
            await asyncio.sleep(0.01)

    async with serve_raw(script, security.server_context) as port:
        with pytest.raises(errors.ConnectionFailed, match=r"in 0\.1 s \(the host took"):
            await connect(
                security.url(port),
                carrier=carrier,
                ca_file=security.ca_file,
                connect_timeout_s=0.1,
            )


async def test_a_connect_that_is_given_up_leaves_no_connection(
    carrier: str, security: Security
) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        asked.set()
        assert await peer.reader.read() == b""
        gone.set()

    async with serve_raw(script, security.server_context) as port, asyncio.timeout(20):
        for connect_timeout_s in (0.3, 60.0):
            opening = asyncio.ensure_future(
                open_connection(
                    security.url(port),
                    MessageQueue(),
                    ConnectionOptions(
                        carrier=carrier,  # type: ignore[arg-type] # one of CARRIERS
                        ca_file=security.ca_file,
                        connect_timeout_s=connect_timeout_s,
                    ),
                )
            )
            await asked.wait()
            if connect_timeout_s > 1:
                opening.cancel()
            with pytest.raises((errors.ConnectionFailed, asyncio.CancelledError)):
                await opening
            await gone.wait()
            asked.clear()
            gone.clear()


async def test_a_silent_tls_server_runs_out_of_time(carrier: str) -> None:
    async def script(peer: Peer) -> None:
        await asyncio.sleep(60)

    async with serve_raw(script) as port:
        with pytest.raises(errors.ConnectionFailed, match="the host took the connection"):
            await connect(f"wss://localhost:{port}", carrier=carrier, connect_timeout_s=0.1)


async def test_nothing_listens(carrier: str, plain: Security, unused_tcp_port: int) -> None:
    with pytest.raises(errors.ConnectionFailed, match="localhost"):
        await connect(plain.url(unused_tcp_port), carrier=carrier)


async def test_a_name_that_is_not_there(carrier: str) -> None:
    with pytest.raises(errors.ConnectionFailed, match=r"nowhere\.invalid"):
        await connect("ws://nowhere.invalid:1", carrier=carrier, connect_timeout_s=5)


async def test_a_file_of_authorities_that_is_none(tmp_path: Path) -> None:
    for name, content in (("missing.pem", None), ("empty.pem", "no certificate")):
        path = tmp_path / name
        if content is not None:
            path.write_text(content)
        with pytest.raises(errors.ConnectionFailed, match=name):
            await connect("wss://localhost:1", ca_file=str(path))


async def _never(peer: Peer) -> None:
    raise AssertionError("a connection that should have been refused was made")


async def test_a_proxy_that_refuses(carrier: str, security: Security) -> None:
    async with (
        serve_raw(_never, security.server_context) as port,
        serve_raw(http_proxy) as proxy_port,
    ):
        with pytest.raises(errors.ConnectionFailed, match="407"):
            await connect(
                security.url(port),
                carrier=carrier,
                ca_file=security.ca_file,
                proxy=f"http://localhost:{proxy_port}",
            )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "closed"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\nmore", "more than its answer"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 40_000, "too long"),
    ],
)
async def test_a_proxy_that_answers_nonsense(plain: Security, answer: bytes, words: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(answer)

    async with serve_raw(script) as proxy_port:
        with pytest.raises(errors.ConnectionFailed, match=words):
            await connect(plain.url(1), proxy=f"http://localhost:{proxy_port}")


async def test_wrong_arguments_are_said_at_once() -> None:
    with pytest.raises(ValueError, match="carrier 'pigeon': one of protocol, stream, picows"):
        await connect("ws://localhost", carrier="pigeon")  # type: ignore[arg-type] # on purpose
    with pytest.raises(ValueError, match="ws or wss"):
        await connect("http://localhost")
    for none in ("https://localhost:1", "ftp://localhost", "http://", "http://localhost:x"):
        with pytest.raises(errors.ConnectionFailed, match="a proxy is SCHEME://HOST:PORT"):
            await connect("ws://localhost", proxy=none)


class Datagrams:
    """A target that dials a socket which no loop connects as a stream."""

    context = None

    def __init__(self) -> None:
        self.dialled = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    async def dial(self) -> socket.socket:
        return self.dialled


@pytest.mark.parametrize("open_", [transports.open_streams, transports.connect_transport])
async def test_a_socket_that_the_loop_refuses_is_closed(open_: Any) -> None:
    target = Datagrams()
    rest = (1024,) if open_ is transports.open_streams else (asyncio.Protocol,)
    with pytest.raises(ValueError, match=r"(?i)stream"):
        await open_(target, *rest)
    assert target.dialled.fileno() == -1
