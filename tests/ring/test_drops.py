"""What is said of rows that were overwritten."""

from __future__ import annotations

from tests.ring.rows import texts_ring

from tickwire.ring import Consumer, Drop


def test_drop_oldest_records_each_lost_row_once() -> None:
    ring = texts_ring("drop_oldest")
    slow, fast = Consumer(ring), Consumer(ring)
    for i in range(1023):
        assert ring.append(text="x", ts_recv=i)
    assert fast.take().num_rows == 1023
    assert slow.take(10).num_rows == 10
    assert ring.append(text="x", ts_recv=1023)
    assert ring.take_drops() == [Drop(10, 63, 10, 63, 54)]
    assert ring.take_drops() == []
    assert (slow.position, slow.available) == (64, 960)
    for i in range(1024, 2100):
        assert ring.append(text="x", ts_recv=i)
    (drop,) = ring.take_drops()
    assert (drop.first_row, drop.last_row + 1) == (64, slow.position)
    assert (drop.ts_first_ns, drop.ts_last_ns) == (drop.first_row, drop.last_row)
    assert drop.n_rows == drop.last_row - drop.first_row + 1
    assert ring.dropped_rows == 54 + drop.n_rows
    batch = slow.take()
    assert batch.column("seq").to_pylist() == list(range(drop.last_row + 1, 2100))
    assert fast.take().column("seq").to_pylist()[-1] == 2099


def test_drop_records_are_bounded() -> None:
    ring = texts_ring("drop_oldest")
    consumer = Consumer(ring)
    lost = 0
    for _ in range(200):
        # Taken up to the end before each drop, so that no two ranges touch.
        while consumer.take() is not None:
            pass
        before = ring.dropped_rows
        while ring.dropped_rows == before:
            assert ring.append(text="x", ts_recv=1)
        lost += ring.dropped_rows - before
    drops = ring.take_drops()
    assert len(drops) == 64
    assert sum(drop.n_rows for drop in drops) == lost == ring.dropped_rows
