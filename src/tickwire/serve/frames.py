"""What goes over the socket of queries: a line of JSON there, frames back.

Rules of this file
------------------
- A request is one JSON object and a line feed, at most `MAX_REQUEST_BYTES`.
- A frame is a letter, its length in four bytes (little endian) and so many bytes: `D` is a piece of
  an Arrow IPC stream, `E` an error (JSON: `kind`, `text`) and `O` the end (JSON: `rows`,
  `seconds`). One of the last two ends every answer.
- Both sides bound what they wait for; a client that takes nothing for `STALL_S` is dropped.
"""

from __future__ import annotations

import json
import socket
import struct
from time import monotonic
from typing import Any

HEAD = struct.Struct("<cI")
DATA, ERROR, END = b"D", b"E", b"O"
MAX_REQUEST_BYTES = 64 << 10
MAX_FRAME_BYTES = 64 << 20
PIECE_BYTES = 4 << 20
STALL_S = 2.0


class FramesCut(Exception):
    """The other side has gone, or sends what is no frame."""


def send_frame(sock: socket.socket, kind: bytes, data: bytes | bytearray | memoryview) -> None:
    """Send a frame; raises OSError where the other side does not take it in time."""
    sock.settimeout(STALL_S)
    view = memoryview(data)
    if len(view) <= PIECE_BYTES:
        sock.sendall(HEAD.pack(kind, len(view)) + bytes(view))
        return
    for at in range(0, len(view), PIECE_BYTES):
        send_frame(sock, kind, view[at : at + PIECE_BYTES])


def send_json(sock: socket.socket, kind: bytes, value: dict[str, Any]) -> None:
    """Send a frame of JSON."""
    send_frame(sock, kind, json.dumps(value).encode())


def receive_request(sock: socket.socket, timeout_s: float) -> dict[str, Any]:
    """Receive a request; what follows it is not read.

    Raises
    ------
    FramesCut
        It is none, too long, or did not come in time.
    """
    until_s = monotonic() + timeout_s
    found = bytearray()
    while b"\n" not in found:
        sock.settimeout(max(0.001, until_s - monotonic()))
        try:
            data = sock.recv(MAX_REQUEST_BYTES)
        except OSError:
            raise FramesCut("the request did not come in time") from None
        found += data
        if not data or len(found) > MAX_REQUEST_BYTES or monotonic() > until_s:
            raise FramesCut("this is no request")
    try:
        value = json.loads(found.partition(b"\n")[0])
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise FramesCut("a request is a JSON object")
    return value


def receive_frame(sock: socket.socket) -> tuple[bytes, bytes]:
    """Receive a frame; raises FramesCut where none comes."""
    kind, n_bytes = HEAD.unpack(_receive(sock, HEAD.size))
    if kind not in (DATA, ERROR, END) or n_bytes > MAX_FRAME_BYTES:
        raise FramesCut("this is no answer of a feed")
    return kind, _receive(sock, n_bytes)


def _receive(sock: socket.socket, n_bytes: int) -> bytes:
    data = bytearray(n_bytes)
    view = memoryview(data)
    while view:
        try:
            n = sock.recv_into(view)
        except OSError as error:
            raise FramesCut(error.strerror or "no answer in time") from None
        if not n:
            raise FramesCut("the connection was closed")
        view = view[n:]
    return bytes(data)
