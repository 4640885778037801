"""Waits until what was refused fits into the rings.

Rules of this file
------------------
- A ring calls back when its consumers free rows; this does not poll.
- Waiting comes first and another try second: room made in between is not told.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol

# A net below: who else waits for the same ring may have taken its word.
LOOK_S = 0.25


class HasRoom(Protocol):
    """A ring, or a decoder for all of its rings."""

    def wait_for_room(self, callback: Callable[[], object]) -> bool:
        """Have `callback` called once when there is room; whether it did not wait before."""

    def forget_room(self, callback: Callable[[], object]) -> None:
        """Take that back."""


def never() -> bool:
    """Say that a wait is not over."""
    return False


async def until_room(
    rings: HasRoom, offer: Callable[[], bool], is_over: Callable[[], bool] = never
) -> bool:
    """Offer something until it fits into the rings.

    Parameters
    ----------
    rings
        Those that may be full.
    offer
        Offers it; False where a ring was full.
    is_over
        Whether to wait no longer.

    Returns
    -------
    bool
        Whether it was taken.
    """
    if offer():
        return True
    loop = asyncio.get_running_loop()
    has_room = asyncio.Event()

    def tell() -> None:  # in a consumer's thread
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(has_room.set)

    try:
        while not is_over():
            is_new = rings.wait_for_room(tell)
            if offer():
                return True
            if is_new:
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await has_room.wait()
            has_room.clear()
        return False
    finally:
        rings.forget_room(tell)
