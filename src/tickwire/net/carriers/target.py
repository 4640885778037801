"""Where to connect and how; what every carrier needs to open a connection."""

from __future__ import annotations

import os
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakValueDictionary

from tickwire.net.dial import dial
from tickwire.net.proxies import Proxy
from tickwire.wire import DeflateOffer, HandshakeResponse, build_request, make_key
from tickwire.wire.url import WebSocketUrl

_NEW_ENOUGH = (
    ssl.TLSVersion.TLSv1_2,
    ssl.TLSVersion.TLSv1_3,
    ssl.TLSVersion.MAXIMUM_SUPPORTED,
)
# By what they were made of; each as long as a connection has it.
_shared: WeakValueDictionary[tuple[object, ...], ssl.SSLContext] = WeakValueDictionary()


@dataclass(frozen=True, slots=True)
class Target:
    """One endpoint.

    Parameters
    ----------
    text
        The URL as it was given.
    url
        Its parts.
    context
        For TLS; None for a plain connection.
    headers, subprotocols
        For the handshake.
    proxy
        On the way; None: connect directly.
    max_message_bytes
        Largest message.
    compression
        What to offer of permessage-deflate; None: nothing.
    dialled
        The socket, once it is connected.
    """

    text: str = field(repr=False)
    url: WebSocketUrl = field(repr=False)
    context: ssl.SSLContext | None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    subprotocols: tuple[str, ...] = ()
    proxy: Proxy | None = None
    max_message_bytes: int = 16_777_216
    compression: DeflateOffer | None = None
    dialled: list[socket.socket] = field(default_factory=list, repr=False)

    async def dial(self) -> socket.socket:
        """Connect to the host, without TLS."""
        sock = await dial(self.url.host, self.url.port, self.proxy)
        self.dialled.append(sock)
        return sock

    def handshake(self) -> tuple[bytes, HandshakeResponse]:
        """Give a new request and what reads its answer."""
        key = make_key()
        request = build_request(
            self.url,
            key,
            headers=self.headers,
            subprotocols=self.subprotocols,
            compression=self.compression,
        )
        answer = HandshakeResponse(
            key, subprotocols=self.subprotocols, compression=self.compression
        )
        return request, answer


def weaknesses(context: ssl.SSLContext) -> list[str]:
    """Say what a TLS context leaves open; nothing of one that `client_context` made.

    Parameters
    ----------
    context
        Anyone's.
    """
    found = []
    if context.verify_mode != ssl.CERT_REQUIRED:
        found.append("certificates are not verified")
    elif not context.check_hostname:
        found.append("host names are not verified")
    if context.minimum_version not in _NEW_ENOUGH:
        found.append("TLS below 1.2 is allowed")
    if context.keylog_filename:
        found.append(f"session keys are written to {context.keylog_filename}")
    return found


def client_context(ca_file: str | Path | None = None) -> ssl.SSLContext:
    """Make a TLS context that verifies the server: its chain and its name, TLS 1.2 or newer.

    Parameters
    ----------
    ca_file
        PEM file of the authorities to trust; the system's if left out.
    """
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def shared_context(ca_file: str | Path | None = None) -> ssl.SSLContext:
    """Give the context that all connections with these authorities have: not to be changed.

    The system's authorities take a megabyte of memory, and a reconnect longer than its handshake.
    Where a file of them has been replaced, the next connection gets a context of its own.

    Parameters
    ----------
    ca_file
        As in `client_context`.

    Raises
    ------
    OSError
        There is no such file, or it has no authorities; ssl.SSLError too.
    """
    paths = ssl.get_default_verify_paths()
    files = [ca_file] if ca_file else [each for each in (paths.cafile, paths.capath) if each]
    stamps = []
    for each in files:
        found = os.stat(each)  # noqa: PTH116 - a str or a Path
        stamps.append((str(each), found.st_ino, found.st_mtime_ns, found.st_size))
    key = (*stamps, os.environ.get("SSLKEYLOGFILE"))
    context = _shared.get(key)
    if context is None:
        context = _shared[key] = client_context(ca_file)
    return context
