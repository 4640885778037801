"""A raw server: one WebSocket connection over a bare socket, for the load generator."""

from __future__ import annotations

import base64
import hashlib
import json
import select
import socket
import ssl
import time

from tickwire.errors import TickwireError
from tickwire.sim.frames import text_frame

_ACCEPT_SALT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
_CHUNK_BYTES = 1 << 18


class RawConnection:
    """The server's end of one WebSocket connection, by hand.

    Parameters
    ----------
    connected
        A connected socket; it is made non-blocking.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._received = b""
        self.n_requests = 0
        self.first_request = b""
        self.blocked_ns = 0
        self.is_closed = False

    def fileno(self) -> int:
        """Give the socket's number, so that a client can be waited for."""
        return self._socket.fileno()

    def shake_hands(self, extensions: bytes = b"") -> None:
        """Answer the opening handshake, RFC 6455 section 4.2.2.

        Parameters
        ----------
        extensions
            What the server chose of those that the client offers; an error where it offers none.
        """
        while b"\r\n\r\n" not in self._received:
            self._wait(select.POLLIN)
            self._read()
            if self.is_closed:
                raise TickwireError("the client left during the handshake")
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        fields = {}
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            fields[name.strip().lower()] = value.strip()
        key = fields.get(b"sec-websocket-key")
        if key is None:
            raise TickwireError("the client sent no Sec-WebSocket-Key")
        if extensions and b"sec-websocket-extensions" not in fields:
            raise TickwireError("the client offered no extension")
        chosen = b"Sec-WebSocket-Extensions: " + extensions + b"\r\n" if extensions else b""
        digest = hashlib.sha1(key + _ACCEPT_SALT, usedforsecurity=False).digest()
        self.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n" + chosen + b"\r\n"
        )

    def try_send(self, view: memoryview) -> int:
        """Send what the socket takes now; gives how many bytes."""
        try:
            return self._socket.send(view)
        except (BlockingIOError, ssl.SSLWantWriteError):
            return 0
        except OSError:
            self.is_closed = True
            return 0

    def send(self, data: bytes | memoryview) -> None:
        """Send everything, waiting while the client does not read."""
        view = memoryview(data)
        while view and not self.is_closed:
            try:
                view = view[self._socket.send(view[:_CHUNK_BYTES]) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                start_ns = time.monotonic_ns()
                self._wait(select.POLLOUT)
                self.blocked_ns += time.monotonic_ns() - start_ns
            except OSError:
                self.is_closed = True

    def hang_up(self) -> None:
        """Send no more; what was sent still arrives."""
        if not self.is_closed:
            self._socket.shutdown(socket.SHUT_WR)

    def answer(self, timeout_s: float = 0.0) -> None:
        """Read what the client sent within that time, and answer it."""
        if self._received or self._wait(select.POLLIN, timeout_s):
            self._read()
        while (frame := self._next_frame()) is not None:
            opcode, payload = frame
            if opcode in (0x1, 0x2):
                self.n_requests += 1
                self.first_request = self.first_request or payload
                self.send(text_frame(_acknowledge(payload)))
            elif opcode == 0x9:
                self.send(bytes((0x8A, len(payload))) + payload)
            elif opcode == 0x8:
                self.send(bytes((0x88, len(payload))) + payload)
                self.is_closed = True

    def _wait(self, events: int, timeout_s: float | None = None) -> bool:
        poll = select.poll()
        poll.register(self._socket, events)
        return bool(poll.poll(None if timeout_s is None else timeout_s * 1000))

    def _read(self) -> None:
        try:
            data = self._socket.recv(65536)
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except OSError:
            data = b""
        if data:
            self._received += data
        else:
            self.is_closed = True

    def _next_frame(self) -> tuple[int, bytes] | None:
        """Take a whole masked frame off what was received, RFC 6455 section 5.2."""
        data = self._received
        if len(data) < 2:
            return None
        length, start = data[1] & 0x7F, 2
        if length == 126:
            length, start = int.from_bytes(data[2:4], "big"), 4
        elif length == 127:
            length, start = int.from_bytes(data[2:10], "big"), 10
        if len(data) < start + 4 + length:
            return None
        mask, masked = data[start : start + 4], data[start + 4 : start + 4 + length]
        self._received = data[start + 4 + length :]
        return data[0] & 0x0F, bytes(byte ^ mask[n & 3] for n, byte in enumerate(masked))


def _acknowledge(request: bytes) -> bytes:
    """Answer as Hyperliquid does, or as Binance does where the request has an id."""
    try:
        asked = json.loads(request)
        if "id" in asked:
            return json.dumps({"result": None, "id": asked["id"]}).encode()
        subscription = asked["subscription"]
    except (ValueError, KeyError, TypeError):
        return b'{"channel":"pong"}'
    echo = {"method": "subscribe", "subscription": subscription}
    return json.dumps({"channel": "subscriptionResponse", "data": echo}).encode()
