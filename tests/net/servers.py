"""Servers that send what a test wants, byte by byte, with frames built by another library."""

import asyncio
import base64
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from websockets.frames import Frame, Opcode

Script = Callable[["Peer"], Awaitable[None]]


def frame(opcode: Opcode, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """A frame as a server sends it."""
    return Frame(opcode, payload, fin=fin).serialize(mask=False)


def text(payload: str) -> bytes:
    return frame(Opcode.TEXT, payload.encode())


def close(code: int, reason: str = "") -> bytes:
    return frame(Opcode.CLOSE, code.to_bytes(2, "big") + reason.encode())


def accept_of(request: bytes) -> bytes:
    for line in request.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"sec-websocket-key":
            salted = value.strip() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            digest = hashlib.sha1(salted, usedforsecurity=False).digest()
            return base64.b64encode(digest)
    raise AssertionError("no key in the request")


class Peer:
    """The server's end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.request = b""

    async def shake_hands(self, *, rest: bytes = b"", headers: bytes = b"") -> None:
        """Open the connection; `rest` goes in the same write as the answer."""
        self.request = await self.reader.readuntil(b"\r\n\r\n")
        await self.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept_of(self.request) + b"\r\n" + headers + b"\r\n" + rest
        )

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def send_pieces(self, data: bytes, sizes: list[int]) -> None:
        """Send in pieces that the client mostly reads one by one."""
        start = 0
        for size in sizes:
            await self.send(data[start : start + size])
            await asyncio.sleep(0)
            start += size
        await self.send(data[start:])

    async def read_frame(self) -> tuple[int, bytes]:
        """Read a client's frame: masked, and not of the longest kind."""
        first, second = await self.reader.readexactly(2)
        assert second & 0x80, "a client must mask"
        size = second & 0x7F
        assert size < 127
        if size == 126:
            size = int.from_bytes(await self.reader.readexactly(2), "big")
        key = await self.reader.readexactly(4)
        payload = await self.reader.readexactly(size)
        return first & 0x0F, bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))

    async def read_close(self) -> tuple[int, str]:
        """Read up to the close frame; gives its code and reason."""
        while True:
            opcode, payload = await self.read_frame()
            if opcode == Opcode.CLOSE:
                code = int.from_bytes(payload[:2], "big") if payload else 1005
                return code, payload[2:].decode()

    async def answer_close(self) -> None:
        """Wait for the client's close frame and answer it."""
        code, _ = await self.read_close()
        await self.send(close(code))


@asynccontextmanager
async def serve_raw(
    script: Script, context: ssl.SSLContext | None = None, *, port: int = 0
) -> AsyncIterator[int]:
    """Serve connections with a script; gives the port, and at the end raises what a script did."""
    failures: list[BaseException] = []
    running: set[asyncio.Task[None]] = set()

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            await script(Peer(reader, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went away, or the test is over
        except Exception as error:
            failures.append(error)
        finally:
            running.discard(task)
            writer.close()

    server = await asyncio.start_server(on_connection, "127.0.0.1", port, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        waiting = list(running)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    if failures:
        raise failures[0]
