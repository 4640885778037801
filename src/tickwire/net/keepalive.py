"""Heartbeats that we send, and silence that we do not accept."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from tickwire.clock import Sleep

SHORTEST_WAIT_S = 0.001


async def watch_silence(
    alive_ns: Callable[[], int],
    send: Callable[[], Awaitable[None]] | None,
    *,
    every_s: float,
    timeout_s: float,
    mono_ns: Callable[[], int] = time.monotonic_ns,
    sleep: Sleep = asyncio.sleep,
) -> float:
    """Send heartbeats until the peer has been silent for too long.

    Parameters
    ----------
    alive_ns
        Gives the monotonic time when the peer was last known to live, ns.
    send
        Sends a heartbeat; None to send none.
    every_s
        How often; 0 for never.
    timeout_s
        How long a silence may be; 0 for any length.
    mono_ns, sleep
        The clock, and what waits.

    Returns
    -------
    float
        How long the silence was, seconds.
    """
    every_ns = int(every_s * 1e9) if send is not None else 0
    timeout_ns = int(timeout_s * 1e9)
    next_send_ns = mono_ns() + every_ns
    while True:
        now_ns = mono_ns()
        silent_ns = now_ns - alive_ns()
        if timeout_ns and silent_ns >= timeout_ns:
            return silent_ns / 1e9
        if every_ns and send is not None and now_ns >= next_send_ns:
            # A peer that takes nothing keeps `send` waiting; that must not hide its silence.
            left_s = (timeout_ns - silent_ns) / 1e9 if timeout_ns else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await send()
            next_send_ns = mono_ns() + every_ns
        waits_ns = []
        if every_ns:
            waits_ns.append(next_send_ns - now_ns)
        if timeout_ns:
            waits_ns.append(timeout_ns - silent_ns)
        if not waits_ns:  # nothing to send and nothing to miss
            await asyncio.Event().wait()
        await sleep(max(min(waits_ns) / 1e9, SHORTEST_WAIT_S))
