"""Heartbeats that we send, and silence that we do not accept.

Rules of this file
------------------
- `KeepAlive` decides from times that it is given, without I/O; `watch_silence` does what it says.
- A peer is judged in time in which the event loop ran (`awake.py`), and never while bytes of it
  wait to be read: they are read first.
- A peer that has talked and is silent is probed: by a heartbeat, at once. What gives no sign of
  life after that is dead long before its timeout (a half-open connection). Whatever comes answers.
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
    probe_after_s
        After how long a silence of a peer that has talked a heartbeat is sent; 0 for never.
    probe_timeout_s
        How long the silence may last after that.
    """

    def __init__(
        self,
        *,
        every_s: float,
        timeout_s: float,
        probe_after_s: float = 0.0,
        probe_timeout_s: float = 0.0,
    ) -> None:
        self._every_s = every_s
        self._timeout_s = timeout_s
        self._probe_after_s = probe_after_s
        self._probe_timeout_s = probe_timeout_s
        self._next_beat_s: float | None = None
        self._probed_s: float | None = None  # when, in the present silence

    def left_s(self, now_s: float, silent_s: float) -> float | None:
        """Give how long the silence may still last; None for any time."""
        left_s = [self._timeout_s - silent_s] if self._timeout_s else []
        if self._probed_s is not None:
            left_s.append(self._probed_s + self._probe_timeout_s - now_s)
        return min(left_s) if left_s else None

    def sent(self, now_s: float) -> None:
        """Note that a heartbeat has been sent, or could not be sent in time."""
        self._next_beat_s = now_s + self._every_s

    def is_over(self, now_s: float, silent_s: float) -> bool:
        """Whether the silence has lasted too long."""
        left_s = self.left_s(now_s, silent_s)
        return left_s is not None and left_s <= 0

    def next_step(
        self,
        now_s: float,
        silent_s: float,
        *,
        grace_s: float = 0.0,
        unread: bool = False,
        has_talked: bool = False,
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
        has_talked
            Whether a message of the peer has come.
        """
        if self._next_beat_s is None:
            self._next_beat_s = now_s + self._every_s
        if self._probed_s is not None and now_s - silent_s > self._probed_s:
            self._probed_s = None  # something has come since
        waits_s = []
        left_s = self.left_s(now_s, silent_s)
        if left_s is not None and left_s > 0:
            waits_s.append(left_s)
        elif left_s is not None:
            if grace_s <= 0 and not (unread and -left_s < UNREAD_LIMIT_S):
                return Dead(silent_s)
            waits_s.append(grace_s or UNREAD_WAIT_S)
        if self._probe_after_s and not has_talked:
            waits_s.append(self._probe_after_s)  # it may talk any time
        elif self._probe_after_s and self._probed_s is None:
            if silent_s >= self._probe_after_s:
                self._probed_s = now_s
                return Beat()
            waits_s.append(self._probe_after_s - silent_s)
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

    def has_talked(self) -> bool:
        """Tell whether a message of it has come."""


async def watch_silence(
    peer: Peer,
    send: Callable[[], Awaitable[None]] | None,
    *,
    every_s: float,
    timeout_s: float,
    probe_after_s: float = 0.0,
    probe_timeout_s: float = 0.0,
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
    timeout_s, probe_after_s, probe_timeout_s
        As in `KeepAlive`.

    Returns
    -------
    float
        How long the silence was, seconds.
    """
    policy = KeepAlive(
        every_s=every_s if send is not None else 0.0,
        timeout_s=timeout_s,
        probe_after_s=probe_after_s if send is not None else 0.0,
        probe_timeout_s=probe_timeout_s,
    )
    with counting() as clock:
        while True:
            silent_s, now_s = clock.since_s(peer.alive_ns(clock)), clock.now_s()
            step = policy.next_step(
                now_s,
                silent_s,
                grace_s=clock.grace_s(),
                unread=policy.is_over(now_s, silent_s) and peer.has_unread(),
                has_talked=peer.has_talked(),
            )
            if isinstance(step, Dead):
                return step.silent_s
            if isinstance(step, Beat) and send is not None:
                # A peer that takes nothing keeps `send` waiting; that must not hide its silence.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(policy.left_s(now_s, silent_s)):
                        await send()
                policy.sent(clock.now_s())
            elif isinstance(step, Sleep) and step.seconds is not None:
                await asyncio.sleep(step.seconds)
            else:  # nothing to send and nothing to miss
                await asyncio.Event().wait()
