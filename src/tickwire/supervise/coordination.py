"""Coordination between the event loop and other threads: a barrier, slots, gates.

Rules of this file
------------------
- Everything here may be used by coroutines of one loop and by other threads at the same time. A
  coroutine waits with `await` or `async with`; a thread with `wait_...` or `with`, never in the
  loop's thread, which it would block.
- State is changed under a lock that is held for no time; who waits is woken by every change and
  looks again. So a waiter that is cancelled leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, TypeVar

_Result = TypeVar("_Result")

HEAVY_SLOTS = 10


class _Changes:
    """Tells coroutines and threads that something has changed."""

    def __init__(self) -> None:
        self.condition = threading.Condition()
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    def notify(self) -> None:
        """Wake all; with the condition held."""
        self.condition.notify_all()
        waiters, self._waiters = self._waiters, []
        for loop, waiter in waiters:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(_wake, waiter)

    async def until(self, take: Callable[[], bool]) -> None:
        """Wait until `take` succeeds; it is called with the condition held."""
        loop = asyncio.get_running_loop()
        while True:
            with self.condition:
                if take():
                    return
                waiter: asyncio.Future[None] = loop.create_future()
                self._waiters.append((loop, waiter))
            await waiter

    def wait_until(self, take: Callable[[], bool], timeout_s: float | None) -> bool:
        """Wait likewise in a thread; False where the time is over."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise RuntimeError("this would block the event loop: await it instead")
        with self.condition:
            return self.condition.wait_for(take, timeout_s)


class Slots:
    """So many may be inside at once: a semaphore for coroutines and threads; a lock with one.

    `async with slots:` in a coroutine, `with slots:` in another thread.

    Parameters
    ----------
    n_slots
        How many.
    """

    def __init__(self, n_slots: int = 1) -> None:
        if n_slots < 1:
            raise ValueError(f"{n_slots} slots: at least 1")
        self._n_free = n_slots
        self._changes = _Changes()

    @property
    def n_free(self) -> int:
        """How many more may come in now."""
        return self._n_free

    async def __aenter__(self) -> None:
        await self._changes.until(self._take)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._give_back()

    def __enter__(self) -> None:
        self._changes.wait_until(self._take, None)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._give_back()

    def _take(self) -> bool:
        if not self._n_free:
            return False
        self._n_free -= 1
        return True

    def _give_back(self) -> None:
        with self._changes.condition:
            self._n_free += 1
            self._changes.notify()


class Coordinator:
    """A start barrier, a lock around changes, slots for heavy work, and gates by name.

    Parameters
    ----------
    parts
        The names of what must arrive before all is ready.
    heavy_slots
        How much CPU-heavy work may run in threads at once.

    Attributes
    ----------
    changing
        A lock around changes: `async with coordinator.changing:`, `with` in another thread.
    heavy
        The slots of heavy work; `in_thread` takes one.
    """

    def __init__(self, parts: Iterable[str] = (), *, heavy_slots: int = HEAVY_SLOTS) -> None:
        self.changing = Slots()
        self.heavy = Slots(heavy_slots)
        self._missing = set(parts)
        self._closed: set[str] = set()  # gates
        self._changes = _Changes()

    def __repr__(self) -> str:
        missing = ", ".join(self.missing) or "none"
        return f"<Coordinator: missing {missing}, paused {', '.join(self.paused) or 'none'}>"

    # The barrier.

    @property
    def missing(self) -> list[str]:
        """The parts that have not arrived."""
        return sorted(self._missing)

    @property
    def is_ready(self) -> bool:
        """Whether every part has arrived."""
        return not self._missing

    def arrive(self, part: str) -> None:
        """Let a part have arrived; from any thread. A second time changes nothing."""
        if part in self._missing:
            with self._changes.condition:
                self._missing.discard(part)
                self._changes.notify()

    async def ready(self) -> None:
        """Wait until every part has arrived."""
        await self._changes.until(lambda: self.is_ready)

    def wait_ready(self, timeout_s: float | None = None) -> bool:
        """Wait in another thread; False where the time was over first."""
        return self._changes.wait_until(lambda: self.is_ready, timeout_s)

    # Gates: closed by `pause`.

    @property
    def paused(self) -> list[str]:
        """The names that are paused."""
        return sorted(self._closed)

    def pause(self, name: str) -> None:
        """Close the gate: `running` of this name waits; from any thread."""
        with self._changes.condition:
            self._closed.add(name)
            self._changes.notify()

    def resume(self, name: str) -> None:
        """Open the gate; from any thread."""
        with self._changes.condition:
            self._closed.discard(name)
            self._changes.notify()

    async def running(self, name: str) -> None:
        """Wait while this name is paused."""
        await self._changes.until(lambda: name not in self._closed)

    def wait_running(self, name: str, timeout_s: float | None = None) -> bool:
        """Wait in another thread; False where the time was over first."""
        return self._changes.wait_until(lambda: name not in self._closed, timeout_s)

    # Heavy work.

    async def in_thread(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        """Run CPU-heavy work in a thread of the pool, within the slots.

        Parameters
        ----------
        function
            What to run; its arguments follow.

        Returns
        -------
        object
            What it returns.
        """
        async with self.heavy:
            return await asyncio.to_thread(function, *arguments)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
