"""What drives a market: its schedule.

Rules of this file
------------------
- The schedule is open loop: what is due is counted from the monotonic clock, so a tick that comes
  late sends more, and a client that is slow does not slow the clock.
- With faults or a truth log the market goes on, as an exchange's does: a stream that was ever
  subscribed is made even while no connection has it.
- No client is ever outrun: while one cannot be written, the whole market waits for it, because a
  message left out would be a hole in its book. A lag of more than a second is then forgotten.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection

from tickwire.sim.connection import Connection
from tickwire.sim.exchange import Exchange
from tickwire.sim.injector import Injector
from tickwire.sim.truth_log import TruthLog

TURN_BYTES = 1 << 17
TURN_EVENTS = 1000
TICK_S = 0.001
MAX_LAG_NS = 1_000_000_000


class MarketDriver:
    """Sends a market to all subscribers at a rate.

    Parameters
    ----------
    exchange
        Renders the market's events.
    rate
        Messages per second in total, 0 for as fast as the clients take them.
    limit
        Stop after this many messages; 0 for never.
    injector
        Says how much a client may leave unread before it is cut off; 0: it is waited for.
    truth
        Gets every message.
    """

    def __init__(
        self,
        exchange: Exchange,
        rate: float,
        limit: int = 0,
        injector: Injector | None = None,
        truth: TruthLog | None = None,
    ) -> None:
        self._exchange = exchange
        self._rate = rate
        self._limit = limit
        self._injector = injector
        self._truth = truth
        self._n_sent = 0
        self._connections: list[Connection] = []
        self._subscribers: dict[str, list[Connection]] = {}
        self._changed = asyncio.Event()
        self.is_paused = False
        self.finished = asyncio.Event()

    def refresh(self, connections: Collection[Connection]) -> None:
        """Take note of who is there and what they want."""
        self._connections = [one for one in connections if one.is_open and not one.is_stalled]
        subscribers: dict[str, list[Connection]] = (
            {key: [] for key in self._subscribers} if self._goes_on else {}
        )
        for connection in self._connections:
            for key in connection.client.keys:
                if subscribers.get(key):
                    subscribers[key].append(connection)
                else:
                    subscribers[key] = [connection]
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

    @property
    def _goes_on(self) -> bool:
        has_faults = self._injector is not None and self._injector.has_faults
        return has_faults or self._truth is not None

    def _is_blocked(self) -> bool:
        if self._injector is not None and self._injector.backlog_bytes:
            return False
        return any(connection.is_blocked for connection in self._connections)

    def _turn(self, n_messages: int) -> None:
        """Send that many messages, or a batch, whichever is less."""
        exchange, market = self._exchange, self._exchange.market
        goes_on, truth = self._goes_on, self._truth
        n_sent = n_bytes = 0
        for _ in range(TURN_EVENTS):
            subscribers = self._subscribers
            for message in exchange.render(market.step(), subscribers):
                given: dict[int, str] = {}
                if truth is not None:
                    truth.number += 1
                for connection in subscribers[message.key]:
                    if connection.is_open and not connection.is_stalled:
                        struck = connection.deliver_as(message)
                        n_sent += not struck or goes_on
                        n_bytes += len(message.payload)
                        given[connection.number] = struck
                if truth is not None:
                    truth.message(message, given)
                if goes_on and not given:
                    n_sent += 1
            if n_sent >= n_messages or n_bytes >= TURN_BYTES:
                break
        self._n_sent += n_sent
        for connection in self._connections:
            connection.flush()
