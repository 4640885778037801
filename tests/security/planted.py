"""Unmistakable secrets, in every place that takes one, and servers that repeat what they are sent.

`find` looks for them in any form in which they could leave.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from urllib.parse import quote

from tests.net.servers import Peer, close, serve_raw, text

ENVIRONMENT = {"PLANTED_TOKEN": "envTokenZQ7x", "PLANTED_PROXY": "http://me:proxyPassZQ7x@{place}"}
FILE_KEY = "fileKeyZQ7x+/="
LITERAL_COOKIE = "cookieZQ7x"
URL_USER, URL_PASSWORD = "urlUserZQ7x", "urlPassZQ7x"
QUERY_TOKEN = "queryZQ7x"  # noqa: S105 - planted
LISTEN_KEY = "listenZQ7x" + "a1" * 25
SECRETS = (
    "envTokenZQ7x",
    "proxyPassZQ7x",
    FILE_KEY,
    LITERAL_COOKIE,
    URL_USER,
    URL_PASSWORD,
    QUERY_TOKEN,
    LISTEN_KEY,
)
FORMS = (
    lambda secret: secret,
    lambda secret: quote(secret, safe=""),
    lambda secret: json.dumps(secret)[1:-1],
    lambda secret: base64.b64encode(secret.encode()).decode(),
    lambda secret: base64.b64encode(f"me:{secret}".encode()).decode(),
)


def find(place: str, said: Iterable[str | bytes]) -> list[str]:
    """Give every secret that stands in what was said."""
    found = []
    for each in said:
        words = each.decode("utf-8", "replace") if isinstance(each, bytes) else each
        found += [
            f"{place}: {form(secret)} in {words[:2000]}"
            for secret in SECRETS
            for form in FORMS
            if form(secret) in words
        ]
        if "ZQ7x" in words and not found:
            found.append(f"{place}: a part of a secret in {words[:2000]}")
    return found


def sensitive(request: bytes) -> str:
    """Give what a server could repeat of a request."""
    lines = request.decode("latin-1").split("\r\n")
    kept = [lines[0]]
    kept += [
        line
        for line in lines
        if line.lower().startswith(("authorization", "x-key", "cookie", "proxy-auth"))
    ]
    return " ".join(kept)


class Echo:
    """A venue that repeats what it was sent in every way there is, a connection each."""

    def __init__(self) -> None:
        self.n_connections = 0
        self.seen: list[str] = []

    async def __call__(self, peer: Peer) -> None:
        number = self.n_connections
        self.n_connections += 1
        request = await peer.reader.readuntil(b"\r\n\r\n")
        echo = sensitive(request)
        self.seen.append(echo)
        body = echo.encode()
        if number == 0:
            size = f"Content-Length: {len(body)}\r\n\r\n".encode()
            await peer.send(b"HTTP/1.1 401 " + body + b"\r\n" + size + body)
        elif number == 1:
            where = f"Location: wss://{URL_USER}:{URL_PASSWORD}@h/?token={echo.split()[-1]}"
            await peer.send(f"HTTP/1.1 302 Found\r\n{where}\r\n\r\n".encode())
        elif number == 2:
            await peer.send(body + b"\r\n\r\n")  # no HTTP at all
        else:
            await self._accept(peer, request, echo, number)

    async def _accept(self, peer: Peer, request: bytes, echo: str, number: int) -> None:
        replayed = asyncio.StreamReader()
        replayed.feed_data(request)
        reader, peer.reader = peer.reader, replayed
        await peer.shake_hands()
        peer.reader = reader
        _, asked = await peer.read_frame()
        subscription = json.loads(asked)["subscription"]
        await peer.send(text(json.dumps({"channel": "error", "data": f"bad key: {echo}"})))
        await peer.send(text(json.dumps({"channel": "error", "data": {"unexpected": [echo]}})))
        if number == 3:
            await peer.send(close(4001, echo.rpartition(" ")[2]))
            await peer.read_close()
            return
        answer = {"method": "subscribe", "subscription": subscription}
        await peer.send(text(json.dumps({"channel": "subscriptionResponse", "data": answer})))
        await peer.answer_close()


async def refusing_proxy(peer: Peer) -> None:
    """Refuse, and repeat the password."""
    echo = sensitive(await peer.reader.readuntil(b"\r\n\r\n"))
    await peer.send(f"HTTP/1.1 407 {echo}\r\nContent-Length: 0\r\n\r\n".encode())


class EchoRest:
    """A REST server that repeats what it was sent."""

    def __init__(self) -> None:
        self.n_requests = 0

    async def __call__(self, peer: Peer) -> None:
        while True:
            echo = sensitive(await peer.reader.readuntil(b"\r\n\r\n")).encode()
            self.n_requests += 1
            line = b"HTTP/1.1 403 No" if self.n_requests % 2 else b"HTTP/1.1 200 OK"
            size = f"\r\nContent-Length: {len(echo)}\r\n\r\n".encode()
            await peer.send(line + size + echo)


@asynccontextmanager
async def serving(*scripts: Callable[[Peer], Awaitable[None]]) -> AsyncIterator[list[int]]:
    """Serve each script; gives their ports."""
    if not scripts:
        yield []
        return
    async with serve_raw(scripts[0]) as port, serving(*scripts[1:]) as others:
        yield [port, *others]
