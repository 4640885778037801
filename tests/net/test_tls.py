"""Who is believed to be the venue: chain, name, time and version, by every carrier and for REST."""

import ast
import asyncio
import gc
import ssl
import warnings
import weakref
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
import trustme
from tests.net.conftest import Security
from tests.net.proxying import http_proxy
from tests.net.servers import Peer, serve_raw, text

import tickwire
from tickwire import errors
from tickwire.config import ConnectionOptions
from tickwire.net import CARRIERS, connect
from tickwire.net.carriers.target import client_context, shared_context, weaknesses
from tickwire.session import RestClient

Open = Callable[[int, str | None], Awaitable[None]]
DAY = timedelta(days=1)


async def open_rest(port: int, ca_file: str | None) -> None:
    async with RestClient(ConnectionOptions(ca_file=ca_file)) as client:
        await client.get(f"https://localhost:{port}/x")


def open_with(carrier: str) -> Open:
    async def open_web_socket(port: int, ca_file: str | None) -> None:
        async with connect(f"wss://localhost:{port}/", carrier=carrier, ca_file=ca_file) as ws:  # type: ignore[arg-type] # one of CARRIERS
            assert await ws.recv() == "hello"

    return open_web_socket


@pytest.fixture(params=[*CARRIERS, "rest"])
def opens(request: pytest.FixtureRequest) -> Open:
    return open_rest if request.param == "rest" else open_with(str(request.param))


def server_context(leaf: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    return context


def old_context(authority: trustme.CA, newest: ssl.TLSVersion) -> ssl.SSLContext:
    context = server_context(authority.issue_cert("localhost"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = newest
    return context


async def greet(peer: Peer) -> None:
    """Be a WebSocket server or an HTTP one, as the request wants it."""
    request = await peer.reader.readuntil(b"\r\n\r\n")
    if b"ebsocket" not in request.lower():
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        return
    peer.reader.feed_data(b"")
    await _shake(peer, request)
    await peer.send(text("hello"))
    await peer.answer_close()


async def _shake(peer: Peer, request: bytes) -> None:
    replayed = asyncio.StreamReader()
    replayed.feed_data(request)
    reader, peer.reader = peer.reader, replayed
    await peer.shake_hands()
    peer.reader = reader


async def never(peer: Peer) -> None:
    raise AssertionError("a connection that should have been refused was made")


async def test_the_right_server_is_believed(opens: Open, tls: Security) -> None:
    async with serve_raw(greet, tls.server_context) as port:
        await opens(port, tls.ca_file)


async def test_an_authority_that_is_not_named_is_refused(opens: Open, tls: Security) -> None:
    async with serve_raw(never, tls.server_context) as port:
        with pytest.raises(errors.ConnectionFailed, match=r"(?i)certificate"):
            await opens(port, None)


async def test_a_certificate_for_another_host_is_refused(
    opens: Open, authority: trustme.CA, ca_file: str
) -> None:
    async with serve_raw(never, server_context(authority.issue_cert("example.org"))) as port:
        with pytest.raises(errors.ConnectionFailed, match=r"(?i)hostname mismatch|not valid for"):
            await opens(port, ca_file)


async def test_a_certificate_that_signs_itself_is_refused(opens: Open, ca_file: str) -> None:
    # An authority as trustme makes it is its own issuer; here it is not trusted.
    context = server_context(trustme.CA().issue_cert("localhost"))
    async with serve_raw(never, context) as port:
        with pytest.raises(errors.ConnectionFailed, match=r"(?i)self.signed|unable to get"):
            await opens(port, ca_file)


async def test_an_expired_certificate_is_refused(
    opens: Open, authority: trustme.CA, ca_file: str
) -> None:
    now = datetime.now(UTC)
    leaf = authority.issue_cert("localhost", not_before=now - 9 * DAY, not_after=now - DAY)
    async with serve_raw(never, server_context(leaf)) as port:
        with pytest.raises(errors.ConnectionFailed, match=r"(?i)expired"):
            await opens(port, ca_file)


async def test_tls_1_1_is_refused_and_1_2_is_taken(
    opens: Open, authority: trustme.CA, ca_file: str
) -> None:
    async with serve_raw(never, old_context(authority, ssl.TLSVersion.TLSv1_1)) as port:
        with pytest.raises(errors.ConnectionFailed):
            await opens(port, ca_file)
    async with serve_raw(greet, old_context(authority, ssl.TLSVersion.TLSv1_2)) as port:
        await opens(port, ca_file)


async def test_the_tls_1_1_server_of_these_tests_can_be_talked_to(
    authority: trustme.CA, ca_file: str
) -> None:
    # Else the test before would prove nothing.
    client = client_context(ca_file)
    client.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client.minimum_version = ssl.TLSVersion.TLSv1_1
    async with serve_raw(greet, old_context(authority, ssl.TLSVersion.TLSv1_1)) as port:
        with structlog.testing.capture_logs() as logs:
            async with connect(f"wss://localhost:{port}/", ssl=client) as ws:
                assert await ws.recv() == "hello"
    assert [log["how"] for log in logs] == ["TLS below 1.2 is allowed"]


async def test_a_proxy_does_not_vouch_for_the_server(
    carrier: str, authority: trustme.CA, ca_file: str
) -> None:
    # The proxy is `localhost`, and so is the name in the server's certificate.
    context = server_context(authority.issue_cert("localhost"))
    async with (
        serve_raw(never, context) as port,
        serve_raw(http_proxy) as proxy_port,
    ):
        with pytest.raises(errors.ConnectionFailed, match="certificate"):
            await connect(
                f"wss://127.0.0.1:{port}/",
                carrier=carrier,  # type: ignore[arg-type] # one of CARRIERS
                ca_file=ca_file,
                proxy=f"http://u:p%40w@localhost:{proxy_port}",
            )


@pytest.mark.parametrize("how", ["certificates are not verified", "host names are not verified"])
async def test_a_context_that_verifies_less_is_told_loudly(
    carrier: str, authority: trustme.CA, ca_file: str, how: str
) -> None:
    client = client_context(ca_file)
    client.check_hostname = False
    if how.startswith("certificates"):
        client.verify_mode = ssl.CERT_NONE
    async with serve_raw(greet, server_context(authority.issue_cert("example.org"))) as port:
        with structlog.testing.capture_logs() as logs:
            async with connect(f"wss://localhost:{port}/", carrier=carrier, ssl=client) as ws:  # type: ignore[arg-type] # one of CARRIERS
                assert await ws.recv() == "hello"
    assert [(log["log_level"], log["event"], log["how"]) for log in logs] == [
        ("warning", "TLS IS WEAKENED", how)
    ]


def test_our_own_context_has_no_weakness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert weaknesses(client_context()) == []
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    assert weaknesses(client_context()) == [f"session keys are written to {tmp_path / 'keys'}"]


def test_connections_share_a_context_until_its_authorities_change(
    ca_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = shared_context()
    assert shared_context() is system
    own = tmp_path / "ca.pem"
    own.write_bytes(Path(ca_file).read_bytes())
    context = shared_context(own)
    assert shared_context(str(own)) is context is not system
    # Replaced in place, and by another file.
    own.write_bytes(trustme.CA().cert_pem.bytes())
    later = shared_context(own)
    assert later is not context
    assert [each["serialNumber"] for each in later.get_ca_certs()] != [
        each["serialNumber"] for each in context.get_ca_certs()
    ]
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    assert shared_context(own) is not later
    with pytest.raises(FileNotFoundError):
        shared_context(tmp_path / "none.pem")


def test_a_context_goes_with_its_last_connection(ca_file: str) -> None:
    made = weakref.ref(shared_context(ca_file))
    gc.collect()
    assert made() is None


def test_contexts_are_made_in_few_places_and_verification_is_switched_off_in_none() -> None:
    package = Path(tickwire.__file__).parent
    makers: set[str] = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
            assert name not in ("CERT_NONE", "CERT_OPTIONAL", "_create_unverified_context")
            if isinstance(node, ast.Assign | ast.AugAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                assigned = {each.attr for each in targets if isinstance(each, ast.Attribute)}
                assert not assigned & {"check_hostname", "verify_mode"}, path
            if isinstance(node, ast.keyword) and node.arg in ("ssl", "verify_ssl"):
                off = isinstance(node.value, ast.Constant) and node.value.value is False
                assert not off, path
            if isinstance(node, ast.Call) and name == "":
                made = ast.unparse(node.func)
                if made in ("ssl.create_default_context", "ssl.SSLContext"):
                    makers.add(path.relative_to(package).as_posix())
    assert makers == {
        "net/carriers/target.py",  # the one that connects
        "feed/plan/checking.py",  # only looks whether a file can be used
        "sim/authority.py",  # the simulator's
        "bench/jobs.py",  # of the peers that are measured, on this machine
    }
