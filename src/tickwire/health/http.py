"""As much of HTTP/1.1 (RFC 9112) as a feed answers: a request without a body, an answer, the end.

Rules of this file
------------------
- A connection has one request; time, bytes and the number of connections are bounded.
- It is our own because it is asked every second: aiohttp's server takes 0.9 ms of CPU for each
  request, more than the metrics themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from tickwire.supervise import ManagedTask, spawn

MAX_HEAD_BYTES = 16 << 10
MAX_CLIENTS = 64
READING = ("GET", "HEAD")
REQUEST_S = 10.0  # for a request, and for taking its answer


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """A request.

    Parameters
    ----------
    method
        `GET`, which HEAD is answered as, or `POST`.
    path, query
        Of its target.
    accept
        Its header Accept.
    """

    method: str
    path: str
    query: str
    accept: str


Answer = Callable[[Request], Awaitable[Reply | None]]  # None: there is no such path


class Client(asyncio.Protocol):
    """A connection.

    Parameters
    ----------
    answer
        Gives the answer.
    clients
        Those that are connected.
    methods
        What it may ask.
    """

    def __init__(
        self, answer: Answer, clients: set[Client], methods: Sequence[str] = READING
    ) -> None:
        self._answer = answer
        self._methods = methods
        self._clients = clients
        self._head = b""
        self._transport: Any = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: ManagedTask[None] | None = None

    def connection_made(self, transport: Any) -> None:  # uvloop's is no asyncio.Transport
        """Wait for a request, for a time."""
        self._transport = transport
        self._clients.add(self)
        if len(self._clients) > MAX_CLIENTS:
            transport.abort()
            return
        self._timer = asyncio.get_running_loop().call_later(REQUEST_S, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Put the request together; what follows it is not read."""
        if self._task is not None or self._transport is None:
            return
        self._head += data
        if b"\r\n\r\n" in self._head:
            self._task = spawn("http", self._react())
        elif len(self._head) > MAX_HEAD_BYTES:
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """Forget it."""
        self._clients.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def abort(self) -> None:
        """End it."""
        if self._transport is not None:
            self._transport.abort()

    async def _react(self) -> None:
        lines = self._head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        method, _, rest = lines[0].partition(" ")
        path, _, query = rest.partition(" ")[0].partition("?")
        headers = (line.partition(":") for line in lines[1:])
        accept = next((v.strip() for name, _, v in headers if name.lower() == "accept"), "")
        reply: Reply | None = None
        if method in self._methods:
            asked = "GET" if method == "HEAD" else method
            reply = await self._answer(Request(asked, path, query, accept))
            status = 404 if reply is None else reply.status
        else:
            status = 405
        phrase = HTTPStatus(status).phrase
        if reply is None:
            reply = Reply(status, "text/plain; charset=utf-8", f"{phrase}\n".encode())
        head = (
            f"HTTP/1.1 {status} {phrase}\r\nContent-Type: {reply.content_type}\r\n"
            f"Content-Length: {len(reply.body)}\r\nConnection: close\r\n"
        )
        head += f"Allow: {', '.join(self._methods)}\r\n" if status == 405 else ""
        body = b"" if method == "HEAD" else reply.body
        if self._transport is not None:
            with contextlib.suppress(RuntimeError):  # it may be closed
                self._transport.write(head.encode() + b"\r\n" + body)
                self._transport.close()
