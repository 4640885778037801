"""What a session needs of others: its handler and its settings."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from tickwire.clock import Clock, Sleep
from tickwire.net.opening import CarrierName
from tickwire.session.pacing import WindowLimiter
from tickwire.venues.base import Heartbeat

if TYPE_CHECKING:
    pass


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


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """How a session connects, and how long it waits.

    Parameters
    ----------
    carrier, headers, ca_file, proxy, connect_timeout_s, close_timeout_s, max_message_bytes
        As in `connect`.
    compression
        `auto` offers permessage-deflate where the venue is declared to support it, `deflate`
        always, `off` never.
    connects
        Limits connects; share one among the sessions of a venue. None: one of the session's own,
        by the venue's limits.
    heartbeat
        Instead of the venue's.
    reply_timeout_s
        How long to wait for the answer to a subscribe request.
    first_delay_s, longest_delay_s
        Of the backoff between connects.
    unreachable_delay_s
        The longest delay while nothing can be reached: no name, no route, refused.
    rng
        Gives the jitter.
    clock, sleep
        Monotonic seconds, and what waits.
    """

    carrier: CarrierName = "protocol"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca_file: str | None = None
    proxy: str | None = field(default=None, repr=False)
    connect_timeout_s: float = 10.0
    close_timeout_s: float = 5.0
    max_message_bytes: int = 16_777_216
    compression: Literal["auto", "off", "deflate"] = "auto"
    connects: WindowLimiter | None = None
    heartbeat: Heartbeat | None = None
    reply_timeout_s: float = 10.0
    first_delay_s: float = 1.0
    longest_delay_s: float = 60.0
    unreachable_delay_s: float = 3.0
    rng: random.Random | None = None
    clock: Clock = time.monotonic
    sleep: Sleep = asyncio.sleep
