"""How the tests of this room reach their servers.

Each async test runs on both event loops; most run by each carrier, both plain and over TLS.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
import uvloop

from tickwire.net import CARRIERS


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@dataclass(frozen=True)
class Security:
    """How a test's server is reached."""

    scheme: str
    server_context: ssl.SSLContext | None
    ca_file: str | None

    def url(self, port: int, path: str = "/") -> str:
        return f"{self.scheme}://localhost:{port}{path}"


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture(scope="session")
def tls(authority: trustme.CA, ca_file: str) -> Security:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return Security("wss", context, ca_file)


@pytest.fixture
def plain() -> Security:
    return Security("ws", None, None)


@pytest.fixture(params=["plain", "tls"])
def security(request: pytest.FixtureRequest, plain: Security, tls: Security) -> Security:
    return tls if request.param == "tls" else plain


@pytest.fixture(params=CARRIERS)
def carrier(request: pytest.FixtureRequest) -> str:
    return str(request.param)
