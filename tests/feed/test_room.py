"""Waiting for room in rings: by a callback of the ring, not by polling."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tickwire.feed.streams import room
from tickwire.feed.streams.room import until_room
from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES

Run = Callable[[Coroutine[Any, Any, None]], None]
ROWS = 1024


@pytest.fixture(autouse=True)
def _no_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LOOK_S", 3600.0)


class Full:
    """A ring without room, and how often it was offered a row."""

    def __init__(self) -> None:
        self.ring = Ring(TABLES["mids"], ROWS, Dictionaries())
        self.consumer = Consumer(self.ring)
        self.n_offers = 0
        while self.offer():
            pass
        self.n_offers = 0

    def offer(self) -> bool:
        self.n_offers += 1
        return self.ring.append(venue="v", symbol="s", conn=0, ts_recv=1, ts_event=None, price=1.0)


def test_room_that_a_thread_makes_ends_the_wait(run: Run) -> None:
    async def play() -> None:
        full = Full()
        taker = threading.Timer(0.1, full.consumer.take, (512,))
        taker.start()
        assert await asyncio.wait_for(until_room(full.ring, full.offer), 30)
        taker.join()
        assert full.n_offers <= 4  # at first, while the wait begins, at its end

    run(play())


def test_room_made_between_refusal_and_wait_is_found(run: Run) -> None:
    async def play() -> None:
        full = Full()

        def offer() -> bool:
            taken = full.offer()
            if full.n_offers == 1:
                full.consumer.take(512)
            return taken

        assert await asyncio.wait_for(until_room(full.ring, offer), 30)
        assert full.n_offers == 2

    run(play())


def test_what_is_over_is_not_waited_for(run: Run) -> None:
    async def play() -> None:
        full = Full()
        assert not await until_room(full.ring, full.offer, lambda: True)
        assert full.n_offers == 1

    run(play())


def test_who_is_cancelled_waits_no_more(run: Run) -> None:
    class Noting:
        """A ring that says who waits."""

        def __init__(self, ring: Ring) -> None:
            self.ring = ring
            self.waiting: list[Callable[[], object]] = []

        def wait_for_room(self, callback: Callable[[], object]) -> bool:
            is_new = self.ring.wait_for_room(callback)
            self.waiting += [callback] * is_new
            return is_new

        def forget_room(self, callback: Callable[[], object]) -> None:
            self.ring.forget_room(callback)
            self.waiting.remove(callback)

    async def play() -> None:
        full = Full()
        noting = Noting(full.ring)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                assert await until_room(noting, full.offer)
        assert full.n_offers > 1  # it has waited
        assert noting.waiting == []

    run(play())


def test_what_another_waiter_was_told_is_looked_for(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "LOOK_S", 0.02)

    class Deaf:
        """Takes no callback."""

        def wait_for_room(self, callback: Callable[[], object]) -> bool:
            return False

        def forget_room(self, callback: Callable[[], object]) -> None:
            pass

    async def play() -> None:
        full = Full()
        threading.Timer(0.1, full.consumer.take, (512,)).start()
        assert await asyncio.wait_for(until_room(Deaf(), full.offer), 30)

    run(play())
