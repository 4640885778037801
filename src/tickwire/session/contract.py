"""What a session needs of others: its handler and its settings."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from tickwire.clock import Clock, Sleep
from tickwire.config import SessionOptions
from tickwire.observe import Histogram
from tickwire.session.pacing import WindowLimiter
from tickwire.session.reconnect import HEALTHY_S
from tickwire.supervise import Breakers, Failures
from tickwire.venues.base import Heartbeat
from tickwire.wire import Handler


class SessionHandler(Protocol):
    """A `wire.Handler` that also keeps what the venue says to the session.

    Such as `decode.ConnectionDecoder`.
    """

    has_events: bool

    @property
    def last_message_ns(self) -> int:
        """`ts_recv` of the last data message, 0 before the first."""

    def take_events(self) -> list[tuple[str, bytes]]:
        """Give the messages for the session since the last call: (kind, payload)."""


class MessageRecorder(Protocol):
    """Records what a session's connections receive and send."""

    def recorded(self, handler: Handler, conn: int, url: str) -> Handler:
        """Give what takes a connection's messages in the place of its handler."""

    def sent(self, conn: int, text: str) -> None:
        """Take a message that is sent."""


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """How a session connects, and how long it waits.

    Parameters
    ----------
    options
        Those of the source.
    connects
        Limits connects; share one among the sessions of a venue. None: one of the session's own,
        by the venue's limits.
    requests
        Limits what all connections send; share one among the sessions of a venue. None: each
        connection's own limit alone.
    breakers
        Of endpoints, by name; share them among all sessions. None: some of the session's own.
    failures
        Where failures are reported; by default they are counted and logged.
    heartbeat
        Instead of the venue's.
    first_delay_s
        The first delay of the backoff between connects.
    unreachable_delay_s
        The longest delay while nothing can be reached: no name, no route, refused.
    healthy_s
        How long a connection must have been fully subscribed to have been well.
    rests
        Gets how long connections rested before a read, where the source coalesces them.
    address
        Gives the URL to connect to instead of an endpoint's, each time anew; None: it is the same.
    recorder
        Records messages; None: nothing does.
    rng
        Gives the jitter.
    clock, sleep
        Monotonic seconds, and what waits.
    """

    options: SessionOptions = field(default_factory=SessionOptions)
    connects: WindowLimiter | None = None
    requests: WindowLimiter | None = None
    breakers: Breakers | None = None
    failures: Failures | None = None
    heartbeat: Heartbeat | None = None
    first_delay_s: float = 1.0
    unreachable_delay_s: float = 3.0
    healthy_s: float = HEALTHY_S
    rests: Histogram | None = None
    address: Callable[[str], Awaitable[str]] | None = None
    recorder: MessageRecorder | None = None
    rng: random.Random | None = None
    clock: Clock = time.monotonic
    sleep: Sleep = asyncio.sleep
