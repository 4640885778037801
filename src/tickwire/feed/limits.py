"""When a run ends by itself: after a time, after so many messages, or once nothing comes."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from tickwire.feed.housekeeping import HURRIED_S
from tickwire.feed.running import RunningFeed


@dataclass(frozen=True, slots=True)
class RunLimits:
    """The limits of a run, as `FeedHandler.run` has them."""

    duration_s: float | None
    max_messages: int
    until_idle_s: float | None


async def until_end(
    feed: RunningFeed, end: asyncio.Event, limits: RunLimits, request_stop: Callable[[str], None]
) -> None:
    """Wait for a stop, a failure or a limit, looking a few times a second.

    Parameters
    ----------
    feed
        Whose messages count.
    end
        Set where the run ends for another reason.
    limits
        When it ends by itself.
    request_stop
        Called with the reason when a limit is reached; it sets `end`.
    """
    began_s = quiet_since_s = time.monotonic()
    n_seen = -1
    while not end.is_set():
        now_s = time.monotonic()
        n_messages = feed.pipeline.messages
        if n_messages != n_seen or not feed.is_settled():
            n_seen, quiet_since_s = n_messages, now_s
        if limits.max_messages and n_messages >= limits.max_messages:
            request_stop("max messages")
        elif limits.duration_s is not None and now_s - began_s >= limits.duration_s:
            request_stop("the duration is over")
        elif limits.until_idle_s is not None and now_s - quiet_since_s >= limits.until_idle_s:
            request_stop("idle")
        else:
            looks = limits.max_messages or limits.until_idle_s is not None
            left_s = HURRIED_S if looks else math.inf
            if limits.duration_s is not None:
                left_s = min(left_s, began_s + limits.duration_s - now_s)
            try:
                async with asyncio.timeout(left_s if left_s < math.inf else None):
                    await end.wait()
            except TimeoutError:
                pass
