"""Who holds the writer, who loses a row: both policies, consumers, leases and threads."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from tests.ring.rows import make_row, texts_ring

from tickwire.ring import Consumer, Dictionaries, Drop, Ring
from tickwire.schema import TABLES


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
def test_a_detached_consumer_blocks_no_writer(close: bool) -> None:
    ring = texts_ring()
    consumer = Consumer(ring)
    while ring.append(text="x"):
        pass
    if close:
        consumer.close()
    else:
        del consumer
    assert ring.append(text="x")


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


def test_a_full_ring_waits_for_some_consumers_and_drops_rows_of_others() -> None:
    ring = texts_ring()
    holder, loser = Consumer(ring), Consumer(ring, on_lag="drop")
    assert (holder.may_drop, loser.may_drop) == (False, True)
    n = 0
    for _ in range(5):
        while ring.append(text=str(n)):
            n += 1
        assert holder.take().num_rows > 0
    while ring.append(text=str(n)):
        n += 1
    assert n > 3000
    texts = loser.take().column("text").to_pylist()
    assert texts[-1] == str(n - 1)
    assert loser.n_dropped == n - len(texts) > 0
    loss = loser.take_loss()
    assert loss is not None
    assert loss.n_rows == loser.n_dropped
    assert loser.take_loss() is None
    assert holder.n_dropped == 0
    assert holder.take_loss() is None


def test_a_consumer_may_block_a_ring_that_drops() -> None:
    ring = texts_ring("drop_oldest")
    holder = Consumer(ring, on_lag="block")
    n = 0
    while ring.append(text=str(n)):
        n += 1
    assert n == 1023
    assert holder.take().num_rows == n
    assert ring.append(text="x")


def test_what_was_taken_stays_until_it_is_committed() -> None:
    ring = texts_ring()
    consumer = Consumer(ring, commits=True)
    n = 0
    while ring.append(text=str(n)):
        n += 1
    assert consumer.take(600).num_rows == 600
    assert (consumer.holds, consumer.position, consumer.available) == (0, 600, n - 600)
    assert not ring.append(text="x")
    assert ring.is_waited_for
    consumer.commit()
    assert (consumer.holds, consumer.position) == (600, 600)
    assert ring.append(text="x")
    assert consumer.take().column("text").to_pylist() == [*map(str, range(600, n)), "x"]
    consumer.commit()
    assert consumer.holds == consumer.position == n + 1


def test_rows_that_were_taken_and_not_committed_are_not_lost_when_they_are_overwritten() -> None:
    ring = texts_ring("drop_oldest")
    consumer = Consumer(ring, commits=True)
    for i in range(1000):
        assert ring.append(text=str(i))
    seen = consumer.take().column("text").to_pylist()
    for i in range(1000, 1900):
        assert ring.append(text=str(i))
    assert consumer.n_dropped == 0
    seen += consumer.take().column("text").to_pylist()
    assert seen == [str(i) for i in range(1900)]
    for i in range(1900, 4000):
        assert ring.append(text=str(i))
    rest = consumer.take().column("text").to_pylist()
    assert rest[-1] == "3999"
    assert consumer.n_dropped == 4000 - 1900 - len(rest) == ring.dropped_rows
    consumer.commit()
    assert consumer.holds == 4000


def test_a_consumer_that_commits_is_where_it_was_when_the_ring_begins_again() -> None:
    ring = texts_ring(window_rows=100)
    consumer = Consumer(ring, commits=True)
    seen: list[str] = []
    n_rewinds = 0
    for i in range(3000):
        assert ring.append(text=str(i))
        if i % 150 == 149:
            seen += consumer.take().column("text").to_pylist()
            assert not ring.rewind()  # not committed yet
            consumer.commit()
            n_rewinds += ring.rewind()
            assert consumer.position == consumer.holds == i + 1
    assert seen == [str(i) for i in range(3000)]
    assert n_rewinds > 5


def test_a_choice_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="on_lag is 'wait': block or drop"):
        Consumer(texts_ring(), on_lag="wait")
