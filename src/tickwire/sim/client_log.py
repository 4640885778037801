"""Who connects to a simulator, what each subscribes to, and what it was sent: log lines."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from tickwire.logs import get_logger
from tickwire.sim.connection import Connection

SETTLED_S = 0.25  # subscriptions that come within it are one line


@dataclass(slots=True)
class _Client:
    """What was logged of a client."""

    since_s: float
    n_logged: int = 0  # subscriptions
    due: asyncio.TimerHandle | None = None


class ClientLog:
    """Logs the clients of one simulator."""

    def __init__(self) -> None:
        self._log = get_logger("tickwire.sim")
        self._clients: dict[Connection, _Client] = {}

    def on_change(self, connection: Connection) -> None:
        """Look at a client that has connected, subscribed, unsubscribed or gone."""
        client = self._clients.get(connection)
        if not connection.is_open:
            if client is not None:
                self._left(connection, client)
            return
        if client is None:
            client = self._clients[connection] = _Client(time.monotonic())
            self._log.info(
                "client connected",
                client=connection.client.number,
                address=connection.address,
                path=connection.client.path,
            )
        if len(connection.client.keys) != client.n_logged and client.due is None:
            loop = asyncio.get_running_loop()
            client.due = loop.call_later(SETTLED_S, self._subscribed, connection, client)

    def _subscribed(self, connection: Connection, client: _Client) -> None:
        client.due = None
        n_subscriptions = len(connection.client.keys)
        if n_subscriptions != client.n_logged:
            client.n_logged = n_subscriptions
            self._log.info(
                "client subscribed", client=connection.client.number, subscriptions=n_subscriptions
            )

    def _left(self, connection: Connection, client: _Client) -> None:
        del self._clients[connection]
        if client.due is not None:
            client.due.cancel()
        self._log.info(
            "client left",
            client=connection.client.number,
            subscriptions=len(connection.client.keys),
            messages=connection.n_messages,
            bytes=connection.n_bytes,
            seconds=round(time.monotonic() - client.since_s, 1),
        )
