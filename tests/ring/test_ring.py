"""The writer's side: marks, text memory, publishing and waiters."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from tests.ring.rows import texts_ring

from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES

TEXT_BYTES = 4096  # of each column's memory in a ring of 1,024 rows


@pytest.mark.parametrize("rows", [0, 512, 1000, 1025, -1024])
def test_rows_are_a_power_of_two(rows: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        Ring(TABLES["mids"], rows, Dictionaries())


def test_the_policy_is_checked() -> None:
    with pytest.raises(ValueError, match="block or drop_oldest"):
        Ring(TABLES["mids"], 1024, Dictionaries(), overflow="drop")


def test_staged_rows_are_invisible_and_can_be_taken_back() -> None:
    ring = texts_ring()
    consumer = Consumer(ring)
    assert ring.stage(text="kept")
    mark = ring.head
    assert ring.stage(text="withdrawn")
    assert ring.stage(text="withdrawn too")
    assert (ring.head, ring.published, ring.cursor) == (3, 0, 0)
    assert consumer.take() is None
    ring.rollback(mark)
    assert ring.stage(text="next")
    ring.publish()
    assert consumer.take().column("text").to_pylist() == ["kept", "next"]
    ring.rollback(0)
    assert ring.head == 2
    assert ring.next_seq == 2


def test_unpublished_rows_are_never_overwritten() -> None:
    ring = texts_ring()
    n = 0
    while ring.stage(text="x"):
        n += 1
    assert n == 1023
    ring.publish()
    assert ring.stage(text="x")


def test_text_wraps_and_blocks_by_its_bytes() -> None:
    ring = texts_ring()
    consumer = Consumer(ring)
    text = "0123456789" * 30
    expected = []
    for _ in range(100):
        n = 0
        while ring.append(text=text, note=None):
            n += 1
        assert n <= TEXT_BYTES // 300
        batch = consumer.take(5)
        batch.validate(full=True)
        expected += batch.column("text").to_pylist()
    assert set(expected) == {text}
    assert len(expected) == 500


def test_text_drops_oldest_rows_by_its_bytes() -> None:
    ring = texts_ring("drop_oldest")
    consumer = Consumer(ring)
    for i in range(300):
        assert ring.append(text=f"{i:0300d}")
    batch = consumer.take()
    values = [int(text) for text in batch.column("text").to_pylist()]
    assert values == list(range(values[0], 300))
    assert ring.dropped_rows == values[0] > 0


def test_text_that_never_fits_is_told_apart_from_text_that_waits() -> None:
    ring = texts_ring()
    consumer = Consumer(ring)
    half = "x" * (TEXT_BYTES // 2)
    assert ring.max_text_bytes("text") == len(half)
    with pytest.raises(ValueError, match="at most 2048 bytes"):
        ring.append(text=half + "x")
    assert ring.append(text=half)
    assert ring.append(text=half)
    assert not ring.append(text="x")
    assert consumer.take(1).num_rows == 1
    assert ring.append(text=half)
    # One message whose texts together are too long, with nothing left to wait for.
    while consumer.take() is not None:
        pass
    assert ring.stage(text=half)
    assert ring.stage(text=half)
    with pytest.raises(ValueError, match="at most 2048 bytes"):
        ring.stage(text="x")
    ring.rollback(ring.published)
    assert ring.append(text=half)
    assert consumer.take().column("text").to_pylist() == [half]


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


def test_a_batch_ends_before_its_text_is_too_long() -> None:
    ring = Ring(texts_ring().table, 1024, Dictionaries(), batch_text_bytes=100)
    consumer = Consumer(ring)
    texts = [bytes([65 + i]) * (i * 7 % 60) for i in range(20)] + [b"x" * 150, b"", b"y"]
    for text in texts:
        assert ring.append(text=text.decode(), note=b"-")
    sizes, found = [], []
    while (batch := consumer.take()) is not None:
        batch.validate(full=True)
        values = batch.column("text").to_pylist()
        sizes.append(sum(map(len, values)))
        found += values
        assert sizes[-1] <= 100 or len(values) == 1
    assert found == [text.decode() for text in texts]
    assert len(sizes) > 5
    for text in texts:
        assert ring.append(text=text.decode(), note=b"-")
    leased_sizes, leased = [], []
    while batches := consumer.lease():
        (batch,) = batches
        values = batch.column("text").to_pylist()
        leased_sizes.append(sum(map(len, values)))
        leased += values
        consumer.release()
    assert (leased, leased_sizes) == (found, sizes)
    with pytest.raises(ValueError, match="batch_text_bytes"):
        Ring(ring.table, 1024, Dictionaries(), batch_text_bytes=2**31)
