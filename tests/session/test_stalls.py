"""A loop that stands still is not a peer that is silent: nothing that the kernel keeps is given up.

The server is a thread with a socket that blocks, so that it goes on while the loop does not.
"""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tests.net.servers import accept_of, frame
from tests.session.small_venue import VENUE, quick, running
from websockets.frames import Opcode

from tickwire.net.opening import CarrierName
from tickwire.session import SessionSettings
from tickwire.venues.base import Heartbeat

STALL_S = 1.2
# Each of what is judged has less time than the stall lasts.
DEADLINE_S = 0.5


def brief(carrier: CarrierName, **changed: Any) -> SessionSettings:
    """Give settings with a short close: the server's thread answers no close frame."""
    return quick(carrier=carrier, close_timeout_s=0.05, **changed)


class Venue:
    """A venue on a thread of its own; it counts its connections."""

    def __init__(self, script: Callable[[socket.socket, threading.Event], None]) -> None:
        self.n_connections = 0
        self.gone = threading.Event()
        self._script = script
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self.gone.is_set():
            sock, _ = self._listening.accept()
            if self.gone.is_set():
                sock.close()
                break
            self.n_connections += 1
            with sock:
                try:
                    self._script(sock, self.gone)
                except OSError:
                    continue

    def end(self) -> None:
        self.gone.set()
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._listening.close()


@contextmanager
def serving(script: Callable[[socket.socket, threading.Event], None]) -> Iterator[Venue]:
    venue = Venue(script)
    try:
        yield venue
    finally:
        venue.end()


async def stall() -> None:
    """Let the loop stand still between its poll and its timers, where a peer was given up."""
    loop = asyncio.get_running_loop()
    near, far = socket.socketpair()
    over = asyncio.Event()

    def stand_still() -> None:
        loop.remove_reader(near)
        time.sleep(STALL_S)
        over.set()

    with near, far:
        loop.add_reader(near, stand_still)
        far.send(b"x")
        await over.wait()


def shake_hands(sock: socket.socket) -> None:
    request = b""
    while b"\r\n\r\n" not in request:
        request += sock.recv(4096)
    sock.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept_of(request) + b"\r\n\r\n"
    )


def acknowledge(sock: socket.socket) -> None:
    answer = json.dumps({"kind": "acknowledge", "ok": ["a"]})
    sock.sendall(frame(Opcode.TEXT, answer.encode()))


def talk(sock: socket.socket, gone: threading.Event) -> None:
    """Send a message every 20 ms until the client has gone."""
    number = 0
    while not gone.is_set():
        sock.sendall(frame(Opcode.TEXT, b"data %d" % number))
        number += 1
        gone.wait(0.02)


async def test_a_peer_that_talks_while_the_loop_stands_still_is_kept(carrier: CarrierName) -> None:
    def script(sock: socket.socket, gone: threading.Event) -> None:
        shake_hands(sock)
        acknowledge(sock)
        talk(sock, gone)

    venue = replace(VENUE, heartbeat=Heartbeat("ping", 0.1, DEADLINE_S))
    with serving(script) as server:
        url = f"ws://127.0.0.1:{server.port}/"
        async with running(url, ["a"], venue=venue, settings=brief(carrier)) as run:
            await run.observer.until_told("subscribed", 7)
            handler = run.handlers[7]
            await run.observer.until(lambda: len(handler.data) > 2)
            await stall()
            n_before = len(handler.data)
            await run.observer.until(lambda: len(handler.data) > n_before + STALL_S / 0.05)
            await asyncio.sleep(0.2)  # until a connection that had been given up would have ended
            assert run.session.n_connects == 1
            assert handler.data == [f"data {number}" for number in range(len(handler.data))]
    assert server.n_connections == 1


async def test_an_acknowledgement_that_came_in_time_is_not_late(carrier: CarrierName) -> None:
    stalled = threading.Event()

    def script(sock: socket.socket, gone: threading.Event) -> None:
        shake_hands(sock)
        sock.recv(4096)
        stalled.wait(5)
        time.sleep(0.1)
        acknowledge(sock)
        gone.wait(5)

    with serving(script) as server:
        url = f"ws://127.0.0.1:{server.port}/"
        settings = brief(carrier, subscribe_timeout_s=DEADLINE_S)
        async with running(url, ["a"], settings=settings) as run:
            await run.observer.until_told("connected", 7)
            await asyncio.sleep(DEADLINE_S / 4)
            stalled.set()
            await stall()
            await run.observer.until_told("subscribed", 7)
            await asyncio.sleep(0.2)  # until a connection that had been given up would have ended
            assert run.session.n_connects == 1
            server.gone.set()
    assert server.n_connections == 1


async def test_a_handshake_answered_in_time_is_not_late(carrier: CarrierName) -> None:
    asked, stalled = threading.Event(), threading.Event()

    def script(sock: socket.socket, gone: threading.Event) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += sock.recv(4096)
        asked.set()
        stalled.wait(5)
        time.sleep(0.1)
        sock.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept_of(request) + b"\r\n\r\n"
        )
        gone.wait(5)

    with serving(script) as server:
        url = f"ws://127.0.0.1:{server.port}/"
        settings = brief(carrier, connect_timeout_s=DEADLINE_S)
        async with running(url, [], settings=settings) as run:
            await run.observer.until(asked.is_set)
            stalled.set()
            await stall()
            await run.observer.until_told("connected", 7)
            assert run.count("failed_connects") == 0
            server.gone.set()


async def test_a_peer_that_is_silent_after_a_stall_is_given_up(carrier: CarrierName) -> None:
    def script(sock: socket.socket, gone: threading.Event) -> None:
        shake_hands(sock)
        acknowledge(sock)
        gone.wait(5)

    venue = replace(VENUE, heartbeat=Heartbeat("none", 0, DEADLINE_S))
    with serving(script) as server:
        url = f"ws://127.0.0.1:{server.port}/"
        async with running(url, ["a"], venue=venue, settings=brief(carrier)) as run:
            await run.observer.until_told("subscribed", 7)
            await stall()
            await run.observer.until_told("disconnected", 7, "timeout")
            server.gone.set()
