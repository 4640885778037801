"""The writer's side: watermarks, text memory, publishing, and going on in a block."""

from __future__ import annotations

from typing import Any

import pytest
from tests.ring.rows import TEXTS, texts_ring

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


@pytest.mark.parametrize("overflow", ["block", "drop_oldest"])
def test_a_block_holds_all_that_another_ring_needs_to_go_on(overflow: str) -> None:
    dictionaries = Dictionaries()
    settings: dict[str, Any] = {"overflow": overflow, "window_rows": 100}
    ring = Ring(TEXTS, 1024, dictionaries, seq_base=7, **settings)
    kept_up, behind = Consumer(ring), Consumer(ring)
    n_rows = n_jumps = 0
    texts: list[str] = []
    for turn in range(80):
        for _ in range(turn % 37 + 20):
            assert ring.stage(text=f"t{n_rows}", note=b"n" * (n_rows % 5), ts_recv=n_rows)
            n_rows += 1
        ring.publish()
        assert ring.stage(text="was not published")
        went_on = Ring(TEXTS, 1024, dictionaries, block=ring.block, **settings)
        assert went_on.block is ring.block
        assert went_on.seq_base == 7
        assert went_on.head == went_on.published == went_on.cursor == n_rows
        assert went_on.next_seq == 7 + n_rows
        assert went_on.dropped_rows == ring.dropped_rows
        ring = went_on
        texts += kept_up.take().column("text").to_pylist()
        if turn % 3 == 0 and (turn < 30 or overflow == "block"):
            while behind.take() is not None:
                pass
            n_jumps += ring.rewind()
    assert n_jumps > 5
    assert texts == [f"t{i}" for i in range(n_rows)]
    batch = behind.take()
    seq = batch.column("seq").to_pylist()
    assert seq == list(range(seq[0], 7 + n_rows))
    assert batch.column("text").to_pylist() == [f"t{i - 7}" for i in seq]
    # What was dropped and not reported is reported by whichever ring is asked.
    drops = ring.take_drops()
    assert sum(drop.n_rows for drop in drops) == ring.dropped_rows
    assert bool(drops) == (overflow == "drop_oldest")
    if drops:
        assert drops[-1].last_row == seq[0] - 7 - 1
        assert ring.take_drops() == []


def test_a_ring_that_goes_on_leaves_rows_that_a_lease_holds() -> None:
    ring = texts_ring("drop_oldest")
    holder = Consumer(ring)
    for i in range(100):
        assert ring.append(text=str(i))
    (batch,) = holder.lease()
    ring = Ring(TEXTS, 1024, Dictionaries(), overflow="drop_oldest", block=ring.block)
    n = 100
    while ring.append(text="x"):
        n += 1
    assert n == 1023
    assert batch.column("seq").to_pylist() == list(range(100))


def test_a_block_of_other_rows_is_refused() -> None:
    block = texts_ring().block
    with pytest.raises(ValueError, match="another table than mids"):
        Ring(TABLES["mids"], 1024, Dictionaries(), block=block)
    with pytest.raises(ValueError, match="holds 1024 rows, not 2048"):
        Ring(TEXTS, 2048, Dictionaries(), block=block)
