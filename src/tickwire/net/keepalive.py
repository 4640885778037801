"""Heartbeats that we send, and silence that we do not accept.

Rules of this file
------------------
- `KeepAlive` decides from times that it is given, without I/O; `watch_silence` does what it says.
- A peer is judged in time in which the event loop ran (`awake.py`), and never while bytes of it
  wait to be read: they are read first.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from tickwire.net.awake import AwakeClock, counting

UNREAD_WAIT_S = 0.05  # until bytes that have come are read
UNREAD_LIMIT_S = 30.0  # a reader that stands still for so long will not go on
SHORTEST_WAIT_S = 0.001


@dataclass(frozen=True, slots=True)
class Beat:
    """Send a heartbeat."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait, then ask again.

    Parameters
    ----------
    seconds
        How long; None: for ever.
    """

    seconds: float | None


@dataclass(frozen=True, slots=True)
class Dead:
    """Give the peer up.

    Parameters
    ----------
    silent_s
        How long it has been silent.
    """

    silent_s: float


class KeepAlive:
    """Decides when to send a heartbeat and when a peer is dead.

    Parameters
    ----------
    every_s
        How often to send; 0 for never.
    timeout_s
        How long a silence may be; 0 for any length.
    """

    def __init__(self, *, every_s: float, timeout_s: float) -> None:
        self._every_s = every_s
        self._timeout_s = timeout_s
        self._next_beat_s: float | None = None

    def left_s(self, silent_s: float) -> float | None:
        """Give how long the silence may still last; None for any time."""
        return self._timeout_s - silent_s if self._timeout_s else None

    def is_over(self, silent_s: float) -> bool:
        """Whether the silence has lasted too long."""
        return bool(self._timeout_s) and silent_s >= self._timeout_s

    def sent(self, now_s: float) -> None:
        """Note that a heartbeat has been sent, or could not be sent in time."""
        self._next_beat_s = now_s + self._every_s

    def next_step(
        self, now_s: float, silent_s: float, *, grace_s: float = 0.0, unread: bool = False
    ) -> Beat | Sleep | Dead:
        """Give what to do.

        Parameters
        ----------
        now_s, silent_s
            The time, and how long nothing has come; both without stalls of the loop.
        grace_s
            How long nothing must be judged yet.
        unread
            Whether bytes of the peer wait to be read.
        """
        if self._next_beat_s is None:
            self._next_beat_s = now_s + self._every_s
        waits_s = []
        if self._timeout_s:
            if not self.is_over(silent_s):
                waits_s.append(self._timeout_s - silent_s)
            elif grace_s > 0 or (unread and silent_s < self._timeout_s + UNREAD_LIMIT_S):
                waits_s.append(grace_s or UNREAD_WAIT_S)
            else:
                return Dead(silent_s)
        if self._every_s:
            if now_s >= self._next_beat_s:
                return Beat()
            waits_s.append(self._next_beat_s - now_s)
        return Sleep(max(min(waits_s), SHORTEST_WAIT_S) if waits_s else None)


class Peer(Protocol):
    """What is known of the other side of a connection."""

    def alive_ns(self, clock: AwakeClock) -> int:
        """Give the monotonic time when it was last known to live, ns."""

    def has_unread(self) -> bool:
        """Tell whether bytes of it wait to be read."""


async def watch_silence(
    peer: Peer,
    send: Callable[[], Awaitable[None]] | None,
    *,
    every_s: float,
    timeout_s: float,
) -> float:
    """Send heartbeats until the peer has been silent for too long.

    Parameters
    ----------
    peer
        Whose silence; a connection.
    send
        Sends a heartbeat; None to send none.
    every_s
        How often; 0 for never.
    timeout_s
        How long a silence may be; 0 for any length.

    Returns
    -------
    float
        How long the silence was, seconds.
    """
    policy = KeepAlive(every_s=every_s if send is not None else 0.0, timeout_s=timeout_s)
    with counting() as clock:
        while True:
            silent_s = clock.since_s(peer.alive_ns(clock))
            step = policy.next_step(
                clock.now_s(),
                silent_s,
                grace_s=clock.grace_s(),
                unread=policy.is_over(silent_s) and peer.has_unread(),
            )
            if isinstance(step, Dead):
                return step.silent_s
            if isinstance(step, Beat) and send is not None:
                # A peer that takes nothing keeps `send` waiting; that must not hide its silence.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(policy.left_s(silent_s)):
                        await send()
                policy.sent(clock.now_s())
            elif isinstance(step, Sleep) and step.seconds is not None:
                await asyncio.sleep(step.seconds)
            else:  # nothing to send and nothing to miss
                await asyncio.Event().wait()
