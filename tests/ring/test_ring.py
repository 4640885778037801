"""The writer's side: rows, marks, text memory, overflow, and the ring against a model."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from tests.ring.rows import fill, make_row, rows_of

from tickwire.errors import DictionaryFull
from tickwire.ring import Consumer, Dictionaries, Drop, Ring
from tickwire.schema import TABLES, Column, Kind, Table

TEXTS = Table(
    "texts",
    (
        Column("seq", Kind.I64),
        Column("ts_recv", Kind.TS),
        Column("text", Kind.TEXT, text_bytes=4),
        Column("note", Kind.BINARY, nullable=True, text_bytes=4),
    ),
)
TEXT_BYTES = 4096  # of each column's memory in a ring of 1,024 rows


def texts_ring(overflow: str = "block") -> Ring:
    return Ring(TEXTS, 1024, Dictionaries(), overflow=overflow)


@pytest.mark.parametrize("rows", [0, 512, 1000, 1025, -1024])
def test_rows_are_a_power_of_two(rows: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        Ring(TABLES["mids"], rows, Dictionaries())


def test_the_policy_is_checked() -> None:
    with pytest.raises(ValueError, match="block or drop_oldest"):
        Ring(TABLES["mids"], 1024, Dictionaries(), overflow="drop")


def test_columns_show_the_memory_and_cannot_be_written() -> None:
    ring = Ring(TABLES["trades"], 1024, Dictionaries(), seq_base=50)
    fill(ring, [make_row(ring, i) for i in range(3)])
    columns = ring.columns
    assert list(columns) == [*(column.name for column in ring.table.columns), "recv_mono"]
    assert columns["seq"][:3].tolist() == [50, 51, 52]
    assert columns["price"][:3].tolist() == [make_row(ring, i)["price"] for i in range(3)]
    assert all(len(column) == 1024 for column in columns.values())
    with pytest.raises(ValueError, match="read-only"):
        columns["price"][0] = 1.0
    del ring
    assert columns["seq"][2] == 52


def test_clocks_fill_what_is_left_out() -> None:
    ring = texts_ring()
    assert ring.append(text="a")
    assert ring.append(text="b", ts_recv=5, recv_mono=6)
    assert ring.columns["ts_recv"][0] > 10**18
    assert ring.columns["recv_mono"][0] > 0
    assert (ring.columns["ts_recv"][1], ring.columns["recv_mono"][1]) == (5, 6)


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


def test_a_refused_row_leaves_no_trace() -> None:
    ring = Ring(TABLES["trades"], 1024, Dictionaries(max_symbols=1))
    good = make_row(ring, 1) | {"symbol": "BTC"}
    consumer = Consumer(ring)
    assert ring.append(**good)
    with pytest.raises(TypeError, match="no column to fill called colour"):
        ring.append(**good, colour="red")
    with pytest.raises(TypeError, match="seq"):
        ring.append(**good, seq=1)
    with pytest.raises(ValueError, match="price of trades is not nullable"):
        ring.append(**(good | {"price": None}))
    with pytest.raises(DictionaryFull):
        ring.append(**(good | {"symbol": "ETH"}))
    with pytest.raises(ValueError, match=r"takes at most 16384 bytes .* 16385 are too many"):
        ring.append(**(good | {"trade_id": "x" * 16385}))
    assert ring.append(**good)
    assert [row["trade_id"] for row in rows_of(consumer.take())] == [good["trade_id"]] * 2


def test_a_full_ring_blocks_until_rows_are_released() -> None:
    ring = texts_ring()
    consumer = Consumer(ring)
    n = 0
    while ring.append(text="x"):
        n += 1
    assert n == 1023
    assert ring.is_full
    assert consumer.take(1).num_rows == 1
    assert not ring.is_full
    assert ring.append(text="y")
    assert not ring.append(text="z")
    assert consumer.available == 1023
    assert "".join(consumer.take().column("text").to_pylist()) == "x" * 1022 + "y"
    assert ring.dropped_rows == 0


def test_without_consumers_nothing_blocks_and_a_new_one_gets_what_is_held() -> None:
    ring = texts_ring()
    for i in range(5000):
        assert ring.append(text=str(i))
    consumer = Consumer(ring)
    texts = consumer.take().column("text").to_pylist()
    assert texts == [str(i) for i in range(5000 - len(texts), 5000)]
    assert 1023 * 15 // 16 <= len(texts) + 1 <= 1024
    assert ring.dropped_rows == 0
    assert ring.take_drops() == []


@pytest.mark.parametrize("close", [True, False])
def test_a_detached_consumer_blocks_nobody(close: bool) -> None:
    ring = texts_ring()
    consumer = Consumer(ring)
    while ring.append(text="x"):
        pass
    if close:
        consumer.close()
    else:
        del consumer
    assert ring.append(text="x")


def test_unpublished_rows_are_never_overwritten() -> None:
    ring = texts_ring()
    n = 0
    while ring.stage(text="x"):
        n += 1
    assert n == 1023
    ring.publish()
    assert ring.stage(text="x")


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


def test_a_lease_holds_its_rows_even_under_drop_oldest() -> None:
    ring = texts_ring("drop_oldest")
    holder, other = Consumer(ring), Consumer(ring)
    for i in range(100):
        assert ring.append(text=str(i))
    assert other.take(40).num_rows == 40
    (batch,) = holder.lease()
    n = 100
    while ring.append(text="x"):
        n += 1
    assert n == 1023
    assert ring.take_drops() == []
    assert batch.column("seq").to_pylist() == list(range(100))
    holder.release()
    assert ring.append(text="x")
    assert [drop.first_row for drop in ring.take_drops()] == [40]


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


def test_nullable_text_is_null_or_empty() -> None:
    ring = texts_ring()
    consumer = Consumer(ring)
    for note in (None, b"", b"\xff", None):
        assert ring.append(text="", note=note)
    batch = consumer.take()
    batch.validate(full=True)
    assert batch.column("note").to_pylist() == [None, b"", b"\xff", None]


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


@pytest.mark.parametrize("overflow", ["block", "drop_oldest"])
def test_threads_lose_nothing_and_get_nothing_twice(overflow: str) -> None:
    ring = Ring(TABLES["trades"], 1024, Dictionaries(), overflow=overflow)
    n_rows, n_readers = 20_000, 2
    consumers = [Consumer(ring) for _ in range(n_readers)]
    got: list[list[np.ndarray[Any, Any]]] = [[] for _ in consumers]
    wrong: list[str] = []
    done = threading.Event()

    def read(consumer: Consumer, chunks: list[np.ndarray[Any, Any]], leases: bool) -> None:
        while True:
            finished = done.is_set()
            batches = consumer.lease(200) if leases else [consumer.take()]
            for batch in batches:
                if batch is None:
                    continue
                seq = batch.column("seq").to_numpy().copy()
                if not np.array_equal(batch.column("price").to_numpy(), seq / 4):
                    wrong.append(f"prices of {seq[0]} on")
                if batch.column("trade_id").to_pylist() != [f"id{i}" for i in seq]:
                    wrong.append(f"texts of {seq[0]} on")
                if batch.column("symbol").to_pylist() != [f"S{i % 50}" for i in seq]:
                    wrong.append(f"symbols of {seq[0]} on")
                chunks.append(seq)
            consumer.release()
            if finished and consumer.available == 0:
                return

    threads = [
        threading.Thread(target=read, args=(consumer, chunks, leases))
        for consumer, chunks, leases in zip(consumers, got, (False, True), strict=True)
    ]
    for thread in threads:
        thread.start()
    row = make_row(ring, 1, nulls=False)
    drops: list[Drop] = []
    for i in range(n_rows):
        drops += ring.take_drops()
        row |= {"price": i / 4, "trade_id": f"id{i}", "symbol": f"S{i % 50}"}
        while not ring.append(**row):
            done.wait(0.0001)
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    for chunks in got:
        seq = np.concatenate(chunks)
        assert np.all(np.diff(seq) > 0)
    if overflow == "block":
        assert ring.dropped_rows == 0
    drops += ring.take_drops()
    lost = {row for drop in drops for row in range(drop.first_row, drop.last_row + 1)}
    assert len(lost) == ring.dropped_rows == sum(drop.n_rows for drop in drops)
    assert lost == set(range(n_rows)) - set.intersection(
        *(set(np.concatenate(chunks).tolist()) for chunks in got)
    )
