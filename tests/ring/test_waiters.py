"""Who waits for rows is called at a publish, who waits for room when some is made: once each."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from types import FrameType
from typing import Any

import pytest
from tests.ring.rows import texts_ring

from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES

ROWS = 1024


def full_ring(overflow: str = "block") -> tuple[Ring, Consumer]:
    ring = Ring(TABLES["mids"], ROWS, Dictionaries(), overflow=overflow)
    consumer = Consumer(ring)
    while stage(ring):
        pass
    ring.publish()
    return ring, consumer


def stage(ring: Ring) -> bool:
    return ring.stage(venue="v", symbol="s", conn=0, ts_recv=1, price=1.0)


def take(consumer: Consumer) -> None:
    consumer.take(512)


def lease_and_release(consumer: Consumer) -> None:
    consumer.lease(512)
    consumer.release()


@pytest.mark.parametrize("free", [take, lease_and_release, Consumer.close])
def test_a_release_calls_who_waits_once(free: object) -> None:
    ring, consumer = full_ring()
    called: list[int] = []
    assert ring.wait_for_room(lambda: called.append(1))
    assert not stage(ring)
    free(consumer)  # type: ignore[operator] # one of the three
    assert called == [1]
    assert stage(ring)
    consumer.close()
    assert called == [1]


def test_a_consumer_that_is_collected_makes_room() -> None:
    ring, consumer = full_ring()
    called: list[int] = []
    assert ring.wait_for_room(lambda: called.append(1))
    del consumer
    gc.collect()
    assert called == [1]


def test_only_a_refusal_is_waited_for_and_only_once() -> None:
    ring, consumer = full_ring()
    called: list[int] = []

    def note() -> None:
        called.append(1)

    assert ring.wait_for_room(note)
    assert not ring.wait_for_room(note)  # nothing was refused since
    assert not stage(ring)
    assert not ring.wait_for_room(note)  # it waits already
    ring.forget_room(note)
    ring.forget_room(note)
    take(consumer)
    assert called == []
    fresh = Ring(TABLES["mids"], ROWS, Dictionaries())
    assert not fresh.wait_for_room(note)


def test_no_room_is_missed_between_two_threads() -> None:
    n_rows = 60 * ROWS
    ring = Ring(TABLES["mids"], ROWS, Dictionaries())
    consumer = Consumer(ring)
    n_taken = 0

    def read() -> None:
        nonlocal n_taken
        while n_taken < n_rows:
            batch = consumer.take(97)
            n_taken += 0 if batch is None else batch.num_rows

    reader = threading.Thread(target=read)
    reader.start()
    has_room = threading.Event()
    n_staged = 0
    while n_staged < n_rows:
        if stage(ring):
            n_staged += 1
            continue
        ring.publish()
        has_room.clear()
        if ring.wait_for_room(has_room.set) and stage(ring):
            n_staged += 1
        else:
            assert has_room.wait(30), "room was made, and no waiter was called"
    ring.publish()
    reader.join(60)
    assert n_taken == n_rows


def test_a_waiter_is_called_once_at_the_next_publish() -> None:
    ring = texts_ring()
    calls: list[Any] = []
    ring.arm(lambda: calls.append(ring.cursor))
    withdrawn = lambda: calls.append("withdrawn")  # noqa: E731 - it must have a name to be withdrawn
    ring.arm(withdrawn)
    ring.disarm(withdrawn)
    ring.disarm(withdrawn)
    ring.stage(text="a")
    assert calls == []
    ring.publish()
    ring.publish()
    ring.append(text="b")
    assert calls == [1]

    def again() -> None:
        calls.append("again")
        ring.arm(again)

    ring.arm(again)
    ring.append(text="c")
    ring.append(text="d")
    assert calls == [1, "again", "again"]


def test_a_waiter_that_raises_does_not_keep_others_asleep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ring = texts_ring()
    raised: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda problem: raised.append(problem.exc_type))
    calls: list[str] = []

    def fail() -> None:
        raise OSError

    ring.arm(fail)
    ring.arm(lambda: calls.append("woken"))
    assert ring.append(text="a")
    assert calls == ["woken"]
    assert raised == [OSError]


@pytest.mark.parametrize("wakes", ["rows", "room"])
def test_what_a_signal_s_handler_raises_in_a_waiter_is_raised_again(wakes: str) -> None:
    """It was written to stderr, and Ctrl-C had no effect; who waited was perhaps never woken."""
    calls: list[str] = []

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    def waiter() -> None:
        if not calls:
            calls.append("interrupted")
            signal.raise_signal(signal.SIGUSR1)
        calls.append("woken")

    ring, consumer = full_ring()
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - wherever Python code runs next
            if wakes == "rows":
                take(consumer)
                ring.arm(waiter)
                ring.arm(lambda: calls.append("other"))
                stage(ring)
                ring.publish()
            else:
                assert ring.wait_for_room(waiter)
                take(consumer)
            for _ in range(1000):
                pass
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert calls == ["interrupted", "woken"] + ["other"] * (wakes == "rows")
