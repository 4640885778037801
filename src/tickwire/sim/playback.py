"""Captures: what was sent once is sent again, and the REST answers beside it.

Rules of this file
------------------
- A capture is never held in memory; every connection that plays it reads it anew, a block of lines
  at a time, in the event loop's thread.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from tickwire.capture import Capture
from tickwire.sim.connection import Connection
from tickwire.sim.exchange import Exchange, Message

Route = Literal["all", "connection", "subscribed"]
Speed = float | Literal["max"]

TURN_BYTES = 1 << 17
# The loop's timers are about as fine; what is due within it is sent now.
SOON_NS = 500_000


class RestAnswers:
    """The REST answers of a capture, by path and symbol, each in turn and the last for ever.

    Parameters
    ----------
    capture
        Where they are.
    """

    def __init__(self, capture: Capture) -> None:
        self._answers: dict[tuple[str, str], list[bytes]] = {}
        for answer in capture.answers():
            url = urlsplit(answer.url)
            symbol = parse_qs(url.query).get("symbol", [""])[0]
            # Old captures asked /api/v1/depth of the website; the API has had v3 since.
            path = url.path.replace("/api/v1/", "/api/v3/")
            self._answers.setdefault((path, symbol), []).append(answer.data)

    def next(self, path: str, symbol: str) -> bytes | None:
        """Return the next answer, or None where there is none for this path and symbol."""
        answers = self._answers.get((path, symbol))
        if not answers:
            return None
        return answers.pop(0) if len(answers) > 1 else answers[0]


class CaptureDriver:
    """Plays a capture to every connection that has subscribed, each from its beginning.

    Parameters
    ----------
    capture
        What to play.
    exchange
        Knows which captured message belongs to which subscription.
    speed
        1.0 is the capture's own pace, 10.0 ten times that; `max` does not wait.
    route
        `all`: every connection gets every message. `connection`: the nth connection that subscribes
        gets the messages of the capture's nth connection, modulo their number. `subscribed`: those
        whose stream it has subscribed to; messages that name none go to all.
    """

    def __init__(self, capture: Capture, exchange: Exchange, speed: Speed, route: Route) -> None:
        self._capture = capture
        self._exchange = exchange
        self._speed = speed
        self._route = route
        self._players: dict[Connection, asyncio.Task[None]] = {}
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._n_begun = self._n_running = 0
        self._changed: dict[Connection, asyncio.Event] = {}
        self._is_paused = False
        self.finished = asyncio.Event()

    def refresh(self, connections: Collection[Connection]) -> None:
        """Start a player for each connection that has subscribed."""
        for connection, player in tuple(self._players.items()):
            if player.done() and not connection.is_open:
                del self._players[connection]
        for connection in connections:
            if connection.client.keys and connection.is_open and connection not in self._players:
                nth = self._n_begun
                self._n_begun += 1
                self._changed[connection] = asyncio.Event()
                self.finished.clear()
                self._n_running += 1
                self._players[connection] = asyncio.create_task(self._play(connection, nth))
        for event in self._changed.values():
            event.set()

    def pause(self, is_paused: bool) -> None:
        """Stop or go on; the time of the pause is not made up for."""
        self._is_paused = is_paused
        for event in self._changed.values():
            event.set()

    async def run(self) -> None:
        """Wait until cancelled or a player fails, then end every player."""
        try:
            await self._failed
        finally:
            for player in self._players.values():
                player.cancel()
            await asyncio.gather(*self._players.values(), return_exceptions=True)

    async def _play(self, connection: Connection, nth: int) -> None:
        try:
            await self._play_lines(connection, self._takes(connection, nth))
        except Exception as error:  # `run` raises it: a player whose end is lost plays nothing
            if not self._failed.done():
                self._failed.set_exception(error)
        finally:
            self._changed.pop(connection, None)
            self._n_running -= 1
            if self._n_running == 0:
                self.finished.set()

    async def _play_lines(
        self, connection: Connection, takes: Callable[[int, bytes], bool]
    ) -> None:
        speed = self._speed if self._capture.has_times else "max"
        first_ns = start_ns = 0
        for _, recv_ns, number, line in self._capture.messages():
            if not takes(number, line):
                continue
            if speed != "max":
                first_ns = first_ns or recv_ns
                start_ns = start_ns or time.monotonic_ns()
                wait_ns = (recv_ns - first_ns) / speed - (time.monotonic_ns() - start_ns)
                if wait_ns > SOON_NS:
                    connection.flush()
                    await asyncio.sleep(wait_ns / 1e9)
            while self._is_paused or connection.is_blocked or connection.is_stalled:
                paused_ns = time.monotonic_ns()
                connection.flush()
                self._changed[connection].clear()
                await self._changed[connection].wait()
                start_ns += time.monotonic_ns() - paused_ns
            if not connection.is_open:
                return
            connection.deliver(Message("", "capture", line))
            if connection.out_bytes >= TURN_BYTES:
                connection.flush()
                await asyncio.sleep(0)
        connection.flush()

    def _takes(self, connection: Connection, nth: int) -> Callable[[int, bytes], bool]:
        if self._route == "connection":
            numbers = sorted({message.connection for message in self._capture.messages()})
            wanted = numbers[nth % len(numbers)] if numbers else 0
            return lambda number, _: number == wanted
        if self._route == "subscribed":
            keys, key_of = connection.client.keys, self._exchange.key_of
            return lambda _, line: (key := key_of(line)) is None or key in keys
        return lambda _number, _line: True
