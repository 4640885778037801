"""Gates held and given back, by consumers that come, go and are collected."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest
from tests.ring.rows import ROWS, fill, make_row, mids, put

from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES

ROOT = Path(__file__).parents[2]


def test_gates_are_reused_and_run_out_at_64() -> None:
    ring, first = mids()
    others = [Consumer(ring) for _ in range(63)]
    with pytest.raises(RuntimeError, match="at most 64"):
        Consumer(ring)
    first.close()
    again = Consumer(ring)
    others.clear()
    gc.collect()
    put(ring, 3)
    assert [Consumer(ring).take().num_rows for _ in range(100)] == [3] * 100
    assert again.take().num_rows == 3


def test_a_consumer_keeps_its_ring() -> None:
    ring, consumer = mids()
    put(ring, 3)
    gone = weakref.ref(ring)
    del ring
    gc.collect()
    assert consumer.take().num_rows == 3
    del consumer
    gc.collect()
    assert gone() is None


@pytest.mark.volume
def test_consumers_come_and_go_while_the_writer_writes() -> None:
    ring = Ring(TABLES["mids"], ROWS, Dictionaries())
    stop = threading.Event()
    wrong: list[str] = []

    def visit() -> None:
        while not stop.is_set():
            consumer = Consumer(ring)
            seqs = []
            for _ in range(3):
                batch = consumer.take(100)
                if batch is not None:
                    seqs.append(batch.column("seq").to_numpy())
                    if not np.array_equal(batch.column("price").to_numpy(), seqs[-1] / 2):
                        wrong.append("price")
            if seqs and not np.all(np.diff(np.concatenate(seqs)) == 1):
                wrong.append("hole")
            consumer.close()

    threads = [threading.Thread(target=visit) for _ in range(3)]
    for thread in threads:
        thread.start()
    row = make_row(ring, 1, nulls=False)
    for i in range(15_000):
        row["price"] = i / 2
        while not ring.append(**row):
            stop.wait(0.0001)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert ring.dropped_rows == 0


CIRCLE = """
import gc
from tests.ring.rows import texts_ring
from tickwire.ring import Consumer

ring = texts_ring()
gc.freeze()
consumer = Consumer(ring)
gc.collect()
gc.unfreeze()  # from here on the collector comes to the consumer before it comes to the ring
ring.arm(lambda consumer=consumer: consumer.available)
del ring, consumer
print(gc.collect() > 0)
"""


def test_a_consumer_in_a_circle_detaches_from_memory_that_is_still_there() -> None:
    result = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-c", CIRCLE], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (0, "True\n"), result.stderr


@pytest.mark.parametrize("commits", [False, True])
def test_the_high_water_mark_is_what_was_held_at_most(commits: bool) -> None:
    ring = Ring(TABLES["mids"], ROWS, Dictionaries())
    consumer = Consumer(ring, commits=commits)
    assert consumer.high_water == 0.0
    fill(ring, [make_row(ring, i) for i in range(300)])
    consumer.take(100)
    fill(ring, [make_row(ring, i) for i in range(100)])
    consumer.take()
    assert consumer.depth == (400 / ROWS if commits else 0.0)
    consumer.commit()
    most = 400 / ROWS if commits else 300 / ROWS
    assert (consumer.depth, consumer.high_water) == (0.0, most)
    fill(ring, [make_row(ring, i) for i in range(500)])
    assert consumer.high_water == 500 / ROWS  # not taken yet
    consumer.close()
    assert consumer.high_water == 500 / ROWS
