"""A client that sees everything: asyncio's streams, and frames read byte by byte."""

import asyncio
import base64
import hashlib
import json
import socket
from typing import ClassVar

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = base64.b64encode(
    hashlib.sha1((KEY + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()  # noqa: S324
).decode()
PATIENT_S = 30.0


def address(url):
    host, _, port = url.partition("://")[2].rpartition(":")
    return host, int(port)


class Raw:
    """One connection.

    Parameters
    ----------
    reader, writer
        Its streams.
    """

    every: ClassVar[list] = []  # to be closed after a test

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.head = b""
        self.every.append(self)

    @classmethod
    async def connect(cls, simulator, *, receive_bytes=0):
        """Connect and ask for the upgrade; the answer is not read.

        With `receive_bytes` the kernel keeps no more of what is not read, nor does the sender's.
        """
        path = "/stream" if simulator.venue.startswith("binance") else "/ws"
        sock = socket.socket()
        sock.setblocking(False)
        if receive_bytes:  # before it connects: later the window has been scaled
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            # On loopback a segment may be so large that the sender's kernel takes megabytes.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
        try:
            await asyncio.get_running_loop().sock_connect(sock, address(simulator.ws_url))
        except OSError:
            sock.close()
            raise
        self = cls(*await asyncio.open_connection(sock=sock))
        self.writer.write(
            f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        return self

    @classmethod
    async def opened(cls, simulator, *subscriptions, receive_bytes=0):
        """Connect, upgrade and subscribe."""
        self = await cls.connect(simulator, receive_bytes=receive_bytes)
        await self.upgraded()
        assert f"Sec-WebSocket-Accept: {ACCEPT}".encode() in self.head
        for subscription in subscriptions:
            self.ask(subscription)
        return self

    async def upgraded(self):
        """Read the answer to the upgrade."""
        self.head = await self.reader.readuntil(b"\r\n\r\n")
        return self.head

    def ask(self, subscription):
        """Subscribe: a stream's name is Binance's, a dict Hyperliquid's."""
        if isinstance(subscription, str):
            request = {"method": "SUBSCRIBE", "params": [subscription], "id": 1}
        else:
            request = {"method": "subscribe", "subscription": subscription}
        self.send(1, json.dumps(request).encode())

    def send(self, opcode, payload):
        """Send a frame with a mask of zeros."""
        size = bytes((0x80 | len(payload),))
        if len(payload) > 125:
            size = b"\xfe" + len(payload).to_bytes(2, "big")
        self.writer.write(bytes((0x80 | opcode,)) + size + bytes(4) + payload)

    async def frame(self):
        """Read a frame: (opcode, payload)."""
        async with asyncio.timeout(PATIENT_S):
            head = await self.reader.readexactly(2)
            n_bytes = head[1]
            if n_bytes >= 126:
                size = await self.reader.readexactly(2 if n_bytes == 126 else 8)
                n_bytes = int.from_bytes(size, "big")
            return head[0] & 15, await self.reader.readexactly(n_bytes)

    async def text(self):
        """Read the next text."""
        while True:
            opcode, payload = await self.frame()
            if opcode == 1:
                return payload.decode()

    async def message(self):
        """Read the next text as JSON."""
        return json.loads(await self.text())

    async def messages(self, n):
        """Read some."""
        return [await self.message() for _ in range(n)]

    async def end(self):
        """Read to the end: frames, what is left of one, and `fin` or `reset`."""
        frames = []
        while True:
            try:
                frames.append(await self.frame())
            except asyncio.IncompleteReadError as error:
                return frames, error.partial, "fin"
            except ConnectionResetError:
                return frames, b"", "reset"

    async def is_silent(self, for_s=0.15):
        """Whether nothing comes, after what is on its way has come."""
        now = asyncio.get_running_loop().time
        end_s = now() + PATIENT_S
        while now() < end_s:
            try:
                async with asyncio.timeout(for_s):
                    if not await self.reader.read(1 << 16):
                        return False  # an end is no silence
            except TimeoutError:
                return True
        return False

    def close(self):
        """Let go of it."""
        self.writer.close()

    @classmethod
    async def close_all(cls):
        """Let go of all."""
        for each in cls.every:
            each.writer.transport.abort()
        cls.every.clear()
        await asyncio.sleep(0)
