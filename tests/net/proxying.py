"""Proxies as a test wants them: HTTP with a password; SOCKS 4, 4a and 5 with one too."""

import asyncio
import socket

from tests.net.servers import Peer

USER, PASSWORD = b"u", b"p@w"


async def http_proxy(peer: Peer) -> None:
    """A CONNECT proxy that wants a password, and whose answer comes in pieces."""
    request = await peer.reader.readuntil(b"\r\n\r\n")
    if b"Proxy-Authorization: Basic dTpwQHc=\r\n" not in request:  # u:p@w
        await peer.send(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
        return
    _, authority, _ = request.split(b" ", 2)
    host, _, port = authority.decode().rpartition(":")
    answer = b"HTTP/1.1 200 Connection established\r\nVia: a test\r\n\r\n"
    await _forward(peer, host, int(port), [answer[:20], answer[20:-2], answer[-2:]])


async def socks_proxy(peer: Peer) -> None:
    """A SOCKS proxy of either version, RFC 1928 and 1929."""
    read = peer.reader.readexactly
    if await read(1) == b"\x04":
        _, port, address = await read(1), await read(2), await read(4)
        user = (await peer.reader.readuntil(b"\0"))[:-1]
        assert user == USER
        host = socket.inet_ntoa(address)
        if address[:3] == b"\0\0\0":  # 4a: a name follows
            host = (await peer.reader.readuntil(b"\0"))[:-1].decode()
        await _forward(peer, host, int.from_bytes(port, "big"), [b"\x00\x5a" + bytes(6)])
        return
    await read((await read(1))[0])
    await peer.send(b"\x05\x02")
    await read(1)
    user = await read((await read(1))[0])
    password = await read((await read(1))[0])
    if (user, password) != (USER, PASSWORD):
        await peer.send(b"\x01\x01")
        return
    await peer.send(b"\x01\x00")
    kind = (await read(4))[3]
    if kind == 3:
        host = (await read((await read(1))[0])).decode()
    else:
        host = socket.inet_ntop(
            *((socket.AF_INET, await read(4)) if kind == 1 else (socket.AF_INET6, await read(16)))
        )
    await _forward(
        peer, host, int.from_bytes(await read(2), "big"), [b"\x05\x00\x00\x01" + bytes(6)]
    )


async def _forward(peer: Peer, host: str, port: int, answer: list[bytes]) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    for piece in answer:
        await peer.send(piece)
        await asyncio.sleep(0.01)

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            sink.write(data)
        sink.close()

    try:
        await asyncio.gather(copy(peer.reader, writer), copy(reader, peer.writer))
    finally:
        writer.close()
