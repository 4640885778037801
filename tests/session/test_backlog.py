"""An end that came while reading was paused shows only later; it is reported as what it was."""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.net.conftest import Security
from tests.net.servers import Peer, close, serve_raw, text
from tests.session.small_venue import Running, Stuck, quick, running

from tickwire.net import backlog as backlog_module

N_MESSAGES = 20


async def end_by_close_frame(peer: Peer) -> None:
    await peer.send(close(1008, "too slow"))


async def end_of_stream(peer: Peer) -> None:
    # uvloop's transports lend no shutdown.
    with socket.socket(fileno=os.dup(peer.writer.get_extra_info("socket").fileno())) as same:
        same.shutdown(socket.SHUT_WR)


async def reset(peer: Peer) -> None:
    linger = struct.pack("ii", 1, 0)  # no time: TCP sends RST and forgets what is unread
    peer.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    peer.writer.transport.abort()
    with contextlib.suppress(OSError):
        await peer.writer.wait_closed()


ENDS = {"closed": end_by_close_frame, "eof": end_of_stream, "reset": reset}


class Scene:
    """A session under backpressure, and a server that ends the connection when asked."""

    def __init__(self, end: str) -> None:
        self.end = end
        self.may_end = asyncio.Event()
        self.has_ended = asyncio.Event()
        self.is_over = asyncio.Event()
        self.run: Running

    async def script(self, peer: Peer) -> None:
        if self.has_ended.is_set():
            return  # a connection of later
        await peer.shake_hands()
        data = b"".join(text(f"data {i}") for i in range(N_MESSAGES))
        if self.end == "closed at once":
            await peer.send(data + close(1001))
            await peer.read_close()
            return
        await peer.send(data)
        await self.may_end.wait()
        await ENDS[self.end](peer)
        self.has_ended.set()
        if self.end == "closed":
            await peer.read_close()
        else:
            await self.is_over.wait()

    @property
    def handler(self) -> Stuck:
        handler = self.run.handlers[7]
        assert isinstance(handler, Stuck)
        return handler

    async def pump(self) -> None:
        """Take all messages, and say each time that there is room."""
        self.handler.free = True
        while len(self.handler.data) < N_MESSAGES:
            self.handler.has_events = True
            self.handler.take_events()
            if self.run.session.connection is not None:
                self.run.session.connection.room_made()
            await asyncio.sleep(0.001)

    async def until_disconnected(self) -> object:
        await self.run.observer.until(
            lambda: any(what[0] == "disconnected" for what in self.run.observer.told)
        )
        return next(what for what in self.run.observer.told if what[0] == "disconnected")


@asynccontextmanager
async def paused(carrier: str, security: Security, end: str) -> AsyncIterator[Scene]:
    scene = Scene(end)
    settings = quick(carrier=carrier, ca_file=security.ca_file)
    async with (
        serve_raw(scene.script, security.server_context) as port,
        running(security.url(port), [], settings=settings, make=Stuck) as run,
    ):
        scene.run = run
        await run.observer.until(lambda: run.session.is_paused)
        yield scene
        scene.is_over.set()


@pytest.mark.parametrize("end", sorted(ENDS))
async def test_an_end_while_reading_was_paused_is_an_overflow(
    carrier: str, security: Security, end: str
) -> None:
    async with paused(carrier, security, end) as scene:
        scene.may_end.set()
        await scene.has_ended.wait()
        scene.handler.free = True
        pumping = asyncio.create_task(scene.pump())  # a reset may have taken some
        assert await scene.until_disconnected() == ("disconnected", 7, "overflow")
        pumping.cancel()
        if end != "reset":
            assert scene.handler.data == [f"data {i}" for i in range(N_MESSAGES)]


@pytest.mark.parametrize(("end", "reason"), [("closed", "closed"), ("eof", "lost")])
async def test_an_end_long_after_a_pause_is_what_it_is(
    carrier: str, security: Security, end: str, reason: str
) -> None:
    async with paused(carrier, security, end) as scene:
        await scene.pump()
        connection = scene.run.session.connection
        assert connection is not None
        await scene.run.observer.until(lambda: not connection.is_behind)
        scene.may_end.set()
        assert await scene.until_disconnected() == ("disconnected", 7, reason)


async def test_a_close_frame_that_was_read_before_the_pause_is_no_overflow(
    carrier: str, plain: Security, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog_module, "LONGEST_WAY_S", 60.0)
    async with paused(carrier, plain, "closed at once") as scene:
        assert scene.run.session.connection is not None
        scene.run.session.connection._backlog._began_s -= 60.0
        await scene.pump()
        assert await scene.until_disconnected() == ("disconnected", 7, "closed")
