"""A WebSocket by hand over a bare socket: the least that a baseline needs."""

from __future__ import annotations

import socket
from collections.abc import Sequence


def open_by_hand(reader: socket.socket, extensions: str = "") -> None:
    """Open a WebSocket; `extensions` is what is offered."""
    offer = f"Sec-WebSocket-Extensions: {extensions}\r\n" if extensions else ""
    reader.sendall(
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        + offer.encode()
        + b"\r\n"
    )
    head = b""
    while b"\r\n\r\n" not in head:
        head += _exactly(reader, 1)


def send_requests(reader: socket.socket, requests: Sequence[str]) -> None:
    """Send texts, each in a frame."""
    for request in requests:
        text = request.encode()
        length = (
            bytes((0x80 | len(text),))
            if len(text) < 126
            else b"\xfe" + len(text).to_bytes(2, "big")
        )
        # A mask of zeros leaves the text as it is, RFC 6455 section 5.3.
        reader.sendall(b"\x81" + length + bytes(4) + text)


def skip_replies(reader: socket.socket, n_replies: int) -> None:
    """Read the acknowledgements, one byte-exact frame each."""
    for _ in range(n_replies):
        n_bytes = _exactly(reader, 2)[1]
        if n_bytes == 126:
            n_bytes = int.from_bytes(_exactly(reader, 2), "big")
        _exactly(reader, n_bytes)


def _exactly(reader: socket.socket, n_bytes: int) -> bytes:
    data = b""
    while len(data) < n_bytes:
        more = reader.recv(n_bytes - len(data))
        if not more:
            raise ConnectionError("the sender left")
        data += more
    return data
