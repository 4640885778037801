"""Rings that begin again at their front: when they do, and that the rows do not show it."""

from __future__ import annotations

import struct
import threading
from typing import Any

import numpy as np
import pytest
from tests.ring.rows import TEXTS, fill, make_row, rows_of, texts_ring

from tickwire.ring import Consumer, Dictionaries, Drop, Ring
from tickwire.schema import TABLES

WINDOW = 128


def small_window(overflow: str = "block", **settings: Any) -> Ring:
    return texts_ring(overflow, window_rows=WINDOW, **settings)


def put(ring: Ring, n: int, n_bytes: int = 2) -> None:
    for _ in range(n):
        row = ring.head
        assert ring.stage(ts_recv=row, text=f"{row:0{n_bytes}}", note=None if row % 3 else b"n")
    ring.publish()


def slots_in_use(ring: Ring) -> int:
    return int(np.count_nonzero(ring.columns["recv_mono"]))


def test_rows_go_to_the_front_once_a_window_is_full_and_taken() -> None:
    ring = small_window()
    consumer = Consumer(ring)
    seqs: list[int] = []
    for turn in range(200):
        put(ring, 50)
        batch = consumer.take()
        assert [row["ts_recv"] for row in rows_of(batch)] == batch.column("seq").to_pylist()
        seqs += batch.column("seq").to_pylist()
        assert ring.rewind() == (turn % 3 == 2)
    assert seqs == list(range(10_000))
    assert slots_in_use(ring) == 150


def test_what_python_sees_counts_rows() -> None:
    ring = small_window(seq_base=1000)
    consumer = Consumer(ring)
    put(ring, 200)
    consumer.take()
    assert ring.rewind()
    assert (ring.head, ring.published, ring.cursor, ring.next_seq) == (200, 200, 200, 1200)
    assert (consumer.position, consumer.available, consumer.rows_to_wrap) == (200, 0, 1024)
    put(ring, 3)
    assert ring.stage(ts_recv=0, text="", note=None)
    assert (ring.head, ring.published, ring.cursor, ring.next_seq) == (204, 203, 203, 1203)
    assert (consumer.position, consumer.available, consumer.rows_to_wrap) == (200, 3, 1024)
    ring.rollback(203)
    assert ring.head == 203
    ring.rollback(0)
    assert ring.head == ring.published == 203
    assert consumer.take(2).column("seq").to_pylist() == [1200, 1201]
    assert (consumer.position, consumer.available, consumer.rows_to_wrap) == (202, 1, 1022)
    assert ring.columns["seq"][:3].tolist() == [1200, 1201, 1202]


def test_the_block_alone_says_which_row_is_where() -> None:
    ring = small_window(seq_base=1000)
    consumer = Consumer(ring)
    for _ in range(3):
        put(ring, 200)
        consumer.take()
        assert ring.rewind()
    put(ring, 5)
    memory = bytes(ring.columns["seq"].base)
    cursor, floor, skipped, gate = (
        struct.unpack_from("=q", memory, 64 * line)[0] for line in (1, 2, 3, 5)
    )
    assert (cursor, floor, gate >> 1, skipped & 1) == (3 * 1024 + 5, 3 * 1024, 3 * 1024, 0)
    for position in range(floor, cursor):
        seq = ring.columns["seq"][position % 1024]
        assert seq == 1000 + position - (skipped >> 1)


def test_it_stays_where_somebody_has_not_taken_everything() -> None:
    ring = small_window()
    fast, slow = Consumer(ring), Consumer(ring)
    put(ring, 200)
    fast.take()
    assert not ring.rewind()
    slow.take(199)
    assert not ring.rewind()
    (batch,) = slow.lease()
    assert not ring.rewind()
    assert batch.column("seq").to_pylist() == [199]
    slow.release()
    assert ring.stage(ts_recv=0, text="", note=None)
    assert not ring.rewind()
    ring.rollback(200)
    put(ring, 1)
    fast.take()
    slow.close()
    assert ring.rewind()
    assert not ring.rewind()


def test_without_consumers_what_is_held_stays() -> None:
    ring = small_window()
    for _ in range(500):
        put(ring, 1)
        assert not ring.rewind()
    consumer = Consumer(ring)
    assert consumer.take().column("seq").to_pylist() == list(range(500))
    put(ring, WINDOW)
    consumer.take()
    assert ring.rewind()


def test_a_later_consumer_gets_what_was_not_written_over() -> None:
    ring = small_window()
    first = Consumer(ring)
    put(ring, 200)
    first.take()
    assert ring.rewind()
    put(ring, 20)
    later = Consumer(ring)
    assert later.position == 200
    assert later.take().column("seq").to_pylist() == list(range(200, 220))
    assert first.take().column("seq").to_pylist() == list(range(200, 220))


@pytest.mark.parametrize(("rows", "window"), [(1024, 0), (1024, 257), (1024, None), (16_384, None)])
def test_small_rings_never_do(rows: int, window: int | None) -> None:
    ring = Ring(TABLES["trades"], rows, Dictionaries(), window_rows=window)
    consumer = Consumer(ring)
    row = make_row(ring, 1)
    for _ in range(2 * rows // 512):
        fill(ring, [row] * 512)
        consumer.take()
        assert not ring.rewind()


def test_a_window_is_half_a_mebibyte_unless_said() -> None:
    ring = Ring(TABLES["mids"], 65_536, Dictionaries())
    consumer = Consumer(ring)
    row = make_row(ring, 1)
    n_rows = 0
    while not ring.rewind():
        fill(ring, [row] * 64)
        consumer.take()
        n_rows += 64
    row_bytes = sum(column.itemsize for column in ring.columns.values())
    assert abs(n_rows * row_bytes - 524_288) < 65 * row_bytes
    with pytest.raises(ValueError, match="window_rows"):
        Ring(TABLES["mids"], 65_536, Dictionaries(), window_rows=-1)


def test_a_ring_that_wraps_before_it_is_taken_goes_on() -> None:
    ring = small_window()
    consumer = Consumer(ring)
    put(ring, 1000)
    assert not ring.rewind()
    consumer.take()
    put(ring, 100)  # the last of them in slot 75
    consumer.take()
    assert not ring.rewind()
    put(ring, 51)
    consumer.take()
    assert not ring.rewind()
    put(ring, 1)
    assert not ring.rewind()
    assert consumer.take().column("seq").to_pylist() == [1151]
    assert ring.rewind()
    put(ring, 1023)
    assert ring.is_full
    assert consumer.take().num_rows == 1023


@pytest.mark.parametrize("overflow", ["block", "drop_oldest"])
@pytest.mark.parametrize("n_bytes", [0, 3, 4, 5, 15])
def test_text_is_right_and_has_all_its_room_behind_a_jump(overflow: str, n_bytes: int) -> None:
    ring = small_window(overflow)
    consumer = Consumer(ring)
    for _ in range(6):
        first = ring.head
        put(ring, WINDOW, n_bytes)
        texts = consumer.take().column("text").to_pylist()
        assert texts == [f"{row:0{n_bytes}}" for row in range(first, first + WINDOW)]
        assert ring.rewind()
    # All of the column's memory, in two publications as a message may have half of it.
    for half in ("a", "b"):
        for _ in range(ring.max_text_bytes("text") // 8):
            assert ring.stage(ts_recv=0, text=half * 8, note=None)
        ring.publish()
    if overflow == "block":
        assert not ring.stage(ts_recv=0, text="x", note=None)
    assert consumer.take().column("text").to_pylist() == ["a" * 8] * 256 + ["b" * 8] * 256
    assert ring.dropped_rows == 0


def test_rows_dropped_behind_a_jump_are_counted_and_named_as_ever() -> None:
    ring = small_window("drop_oldest")
    slow, fast = Consumer(ring), Consumer(ring)
    for _ in range(3):
        put(ring, 200)
        slow.take()
        fast.take()
        assert ring.rewind()
        assert ring.take_drops() == []
    put(ring, 1023)
    assert slow.take(10).num_rows == 10
    put(ring, 1)
    assert ring.take_drops() == [Drop(600, 663, 600, 663, 64)]
    assert ring.dropped_rows == 64
    assert (slow.position, fast.position) == (664, 664)
    assert slow.take().column("seq").to_pylist() == list(range(664, 1624))


@pytest.mark.volume
@pytest.mark.parametrize("overflow", ["block", "drop_oldest"])
def test_threads_take_while_the_writer_begins_again(overflow: str) -> None:
    n_rows = 8000
    table = TABLES["trades"]
    ring = Ring(table, 1024, Dictionaries(), overflow=overflow, window_rows=WINDOW)
    wrong: list[str] = []
    done = threading.Event()

    def read(consumer: Consumer, seqs: list[int], leases: bool) -> None:
        while True:
            finished = done.is_set()
            for batch in consumer.lease(100) if leases else [consumer.take()]:
                if batch is None:
                    continue
                seq = batch.column("seq").to_pylist()
                seqs += seq
                if batch.column("price").to_pylist() != [row / 4 for row in seq]:
                    wrong.append(f"prices of {seq[0]} on")
                if batch.column("trade_id").to_pylist() != [f"id{row}" for row in seq]:
                    wrong.append(f"texts of {seq[0]} on")
            consumer.release()
            if not 0 <= consumer.position <= n_rows or not 0 <= consumer.available <= 1024:
                wrong.append("position")
            if finished and consumer.available == 0:
                return

    def come_and_go() -> None:
        while not done.is_set():
            visitor = Consumer(ring)
            batch = visitor.take()
            if batch is not None:
                seq = batch.column("seq").to_numpy()
                if not np.array_equal(batch.column("price").to_numpy(), seq / 4):
                    wrong.append("a visitor's prices")
            visitor.close()
            done.wait(0.0005)

    got: list[list[int]] = [[], []]
    consumers = [Consumer(ring) for _ in got]
    readers = [
        threading.Thread(target=read, args=given)
        for given in zip(consumers, got, (False, True), strict=True)
    ]
    threads = [*readers, threading.Thread(target=come_and_go)]
    for thread in threads:
        thread.start()
    row = make_row(ring, 1, nulls=False)
    n_jumps = 0
    for i in range(n_rows):
        row |= {"price": i / 4, "trade_id": f"id{i}"}
        while not ring.append(**row):
            done.wait(0.0001)
        # Now and then the writer waits until its readers have caught up, so that it does jump.
        while i % 250 == 0 and any(consumer.available for consumer in consumers):
            done.wait(0.0001)
        n_jumps += ring.rewind()
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert n_jumps
    lost = {at for drop in ring.take_drops() for at in range(drop.first_row, drop.last_row + 1)}
    for seqs in got:
        assert seqs == sorted(set(seqs))
        assert set(range(n_rows)) - set(seqs) <= lost
    if overflow == "block":
        assert not lost


def test_tables_are_the_same_with_and_without() -> None:
    rings = [Ring(TEXTS, 1024, Dictionaries(), window_rows=window) for window in (0, 32)]
    consumers = [Consumer(ring) for ring in rings]
    for turn in range(100):
        batches = []
        for ring, consumer in zip(rings, consumers, strict=True):
            put(ring, turn % 70 + 1, turn % 11)
            batches.append(rows_of(consumer.take()))
            ring.rewind()
        assert batches[0] == batches[1]
