"""The fixtures of the room below: by each loop and carrier, plain and over TLS."""

from tests.net.conftest import (
    authority,
    ca_file,
    carrier,
    plain,
    pytest_asyncio_loop_factories,
    security,
    tls,
)

__all__ = [
    "authority",
    "ca_file",
    "carrier",
    "plain",
    "pytest_asyncio_loop_factories",
    "security",
    "tls",
]
