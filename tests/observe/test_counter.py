"""A slot is a number of an array that it keeps alive."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest

from tickwire.observe import Counter, Gauge


def test_a_counter_writes_its_number_and_no_other() -> None:
    memory = np.zeros(3, np.int64)
    counter = Counter(memory, 1)
    counter.add()
    counter.add(41)
    assert counter.value == 42
    assert memory.tolist() == [0, 42, 0]


def test_it_keeps_its_memory() -> None:
    counter = Counter(np.zeros(1 << 16, np.int64), 7)
    gc.collect()
    np.zeros(1 << 16, np.int64)[:] = -1
    counter.add(5)
    assert counter.value == 5


def test_a_counter_only_grows_and_a_slot_lies_within_its_memory() -> None:
    memory = np.zeros(1, np.int64)
    with pytest.raises(ValueError, match="only grows"):
        Counter(memory, 0).add(-1)
    for index in (-1, 1):
        with pytest.raises(IndexError):
            Counter(memory, index)
    assert memory.tolist() == [0]


def test_a_gauge_goes_up_and_down() -> None:
    gauge = Gauge(np.zeros(1, np.int64), 0)
    gauge.set(10)
    gauge.add(-3)
    gauge.raise_to(5)
    assert gauge.value == 7
    gauge.raise_to(9)
    assert gauge.value == 9


def test_counts_of_threads_that_share_the_gil_add_up() -> None:
    counter = Counter(np.zeros(1, np.int64), 0)

    def count() -> None:
        for _ in range(10_000):
            counter.add()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.value == 40_000
