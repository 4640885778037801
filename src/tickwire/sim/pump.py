"""What drives the data: the market's schedule and the playback of captures.

Rules of this file
------------------
- The schedule is open loop: what is due is counted from the monotonic clock, so a tick that comes
  late sends more, and a client that is slow does not slow the clock.
- No client is ever outrun: while one cannot be written, the whole market waits for it, because a
  message left out would be a hole in its book. A lag of more than a second is then forgotten.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Literal

from tickwire.sim.connection import Connection
from tickwire.sim.exchange import Exchange, Message
from tickwire.sim.playback import Capture

Route = Literal["all", "connection", "subscribed"]
Speed = float | Literal["max"]

TURN_BYTES = 1 << 17
TURN_EVENTS = 1000
TICK_S = 0.001
MAX_LAG_NS = 1_000_000_000


class MarketPump:
    """Sends a market to all subscribers at a rate.

    Parameters
    ----------
    exchange
        Renders the market's events.
    rate
        Messages per second in total, 0 for as fast as the clients take them.
    limit
        Stop after this many messages; 0 for never.
    """

    def __init__(self, exchange: Exchange, rate: float, limit: int = 0) -> None:
        self._exchange = exchange
        self._rate = rate
        self._limit = limit
        self._n_sent = 0
        self._connections: list[Connection] = []
        self._subscribers: dict[str, list[Connection]] = {}
        self._changed = asyncio.Event()
        self.is_paused = False
        self.finished = asyncio.Event()

    def refresh(self, connections: Collection[Connection]) -> None:
        """Take note of who is there and what they want."""
        self._connections = [one for one in connections if one.is_open and not one.is_stalled]
        subscribers: dict[str, list[Connection]] = {}
        for connection in self._connections:
            for key in connection.client.keys:
                subscribers.setdefault(key, []).append(connection)
        self._subscribers = subscribers
        self._changed.set()

    def pause(self, is_paused: bool) -> None:
        """Stop or go on; the market stands still meanwhile."""
        self.is_paused = is_paused
        self._changed.set()

    async def run(self) -> None:
        """Send until cancelled or the limit is reached."""
        anchor_ns, n_before = time.monotonic_ns(), 0
        while not self._limit or self._n_sent < self._limit:
            if self.is_paused or not self._subscribers or self._is_blocked():
                was_blocked = bool(self._subscribers) and not self.is_paused
                self._changed.clear()
                await self._changed.wait()
                if not was_blocked:
                    anchor_ns, n_before = time.monotonic_ns(), self._n_sent
                continue
            if self._rate <= 0:
                self._turn(self._limit - self._n_sent if self._limit else TURN_EVENTS)
                await asyncio.sleep(0)
                continue
            lag_ns = time.monotonic_ns() - anchor_ns
            n_due = int(lag_ns * self._rate) // 1_000_000_000 - (self._n_sent - n_before)
            if n_due > 0:
                if self._limit:
                    n_due = min(n_due, self._limit - self._n_sent)
                self._turn(n_due)
            if n_due > self._rate * MAX_LAG_NS / 1e9:
                anchor_ns, n_before = time.monotonic_ns(), self._n_sent
            wait_s = TICK_S if n_due > 0 else max(TICK_S, 0.5 / self._rate)
            await asyncio.sleep(min(wait_s, 0.05))
        self.finished.set()

    def _is_blocked(self) -> bool:
        return any(connection.is_blocked for connection in self._connections)

    def _turn(self, n_messages: int) -> None:
        """Send that many messages, or a batch, whichever is less."""
        exchange, market = self._exchange, self._exchange.market
        n_sent = n_bytes = 0
        for _ in range(TURN_EVENTS):
            subscribers = self._subscribers
            for message in exchange.render(market.step(), subscribers):
                for connection in subscribers[message.key]:
                    if connection.is_open and not connection.is_stalled:
                        n_sent += connection.deliver(message)
                        n_bytes += len(message.payload)
            if n_sent >= n_messages or n_bytes >= TURN_BYTES:
                break
        self._n_sent += n_sent
        for connection in self._connections:
            connection.flush()


class CapturePump:
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
        self._n_running = 0
        self._changed: dict[Connection, asyncio.Event] = {}
        self._is_paused = False
        self.finished = asyncio.Event()

    def refresh(self, connections: Collection[Connection]) -> None:
        """Start a player for each connection that has subscribed."""
        for connection in connections:
            if connection.client.keys and connection.is_open and connection not in self._players:
                nth = len(self._players)
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
        """Wait until cancelled, then end every player."""
        try:
            await asyncio.Event().wait()
        finally:
            for player in self._players.values():
                player.cancel()
            await asyncio.gather(*self._players.values(), return_exceptions=True)

    async def _play(self, connection: Connection, nth: int) -> None:
        try:
            await self._play_lines(connection, self._takes(connection, nth))
        finally:
            self._n_running -= 1
            if self._n_running == 0:
                self.finished.set()

    async def _play_lines(
        self, connection: Connection, takes: Callable[[int, bytes], bool]
    ) -> None:
        speed = self._speed if self._capture.has_times else "max"
        first_ns = start_ns = 0
        for recv_ns, number, line in self._capture.lines():
            if not takes(number, line):
                continue
            if speed != "max":
                first_ns = first_ns or recv_ns
                start_ns = start_ns or time.monotonic_ns()
                wait_ns = (recv_ns - first_ns) / speed - (time.monotonic_ns() - start_ns)
                if wait_ns > TICK_S * 1e9 / 2:
                    connection.flush()
                    await asyncio.sleep(wait_ns / 1e9)
            while self._is_paused or connection.is_blocked or connection.is_stalled:
                paused_ns = time.monotonic_ns()
                connection.flush()
                self._changed[connection].clear()
                await self._changed[connection].wait()
                start_ns += time.monotonic_ns() - paused_ns if self._is_paused is False else 0
            if not connection.is_open:
                return
            connection.deliver(Message("", "capture", line))
            if connection.out_bytes >= TURN_BYTES:
                connection.flush()
                await asyncio.sleep(0)
        connection.flush()

    def _takes(self, connection: Connection, nth: int) -> Callable[[int, bytes], bool]:
        if self._route == "connection":
            numbers = self._capture.connection_numbers()
            wanted = numbers[nth % len(numbers)]
            return lambda number, _: number == wanted
        if self._route == "subscribed":
            keys, key_of = connection.client.keys, self._exchange.key_of
            return lambda _, line: (key := key_of(line)) is None or key in keys
        return lambda _number, _line: True
