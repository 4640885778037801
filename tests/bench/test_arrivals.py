"""Latency counts from due times: a stall cannot hide."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwire.bench.arrivals import Arrivals, Notes, is_stalled, percentiles_us


def arrivals(notes):
    noted = Notes()
    for now_ns, count in notes:
        noted.add(now_ns, count)
    return Arrivals(*noted.take(), 0)


def test_a_message_has_arrived_with_the_first_note_that_counts_it():
    found = arrivals([(100, 11), (250, 13), (300, 14)])
    due_ns = np.array([90, 100, 200, 295])
    assert found.latency_ns(due_ns, 10).tolist() == [10, 150, 50, 5]


def test_a_stall_is_the_latency_of_all_that_was_due_meanwhile():
    # Due every ms; the receiver takes what is there every ms, but not from 3 ms to 8 ms.
    due_ns = np.arange(10) * 1_000_000
    notes = [(ms * 1_000_000 + 10_000, ms + 1) for ms in (0, 1, 2, 8, 9)]
    latency_us = arrivals(notes).latency_ns(due_ns, 0) / 1000
    assert latency_us.tolist() == [10, 10, 10, 5010, 4010, 3010, 2010, 1010, 10, 10]
    # Counted from when it was sent by a sender that waits, one message alone would be late.
    assert (latency_us > 1000).sum() == 5


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 1000)), min_size=1, max_size=50))
def test_latencies_are_those_of_a_slow_count(steps):
    notes, count, now_ns = [], 7, 10_000
    for more, ns in steps:
        count, now_ns = count + more, now_ns + ns
        notes.append((now_ns, count))
    due_ns = np.arange(count - 7) * 3
    expected = [
        min(at for at, n in notes if n >= 8 + number) - due for number, due in enumerate(due_ns)
    ]
    assert arrivals(notes).latency_ns(due_ns, 7).tolist() == expected


def test_what_has_not_arrived_has_no_latency():
    with pytest.raises(ValueError, match="not every message"):
        arrivals([(5, 2)]).latency_ns(np.array([1, 2, 3]), 0)
    with pytest.raises(ValueError, match="not every message"):
        arrivals([]).latency_ns(np.array([1]), 0)


def test_notes_are_taken_once():
    notes = Notes()
    notes.add(1, 2)
    assert [column.tolist() for column in notes.take()] == [[1], [2]]
    assert [column.tolist() for column in notes.take()] == [[], []]


def test_stalls_are_what_was_under_way_meanwhile():
    due_ns = np.array([0, 10, 20, 30, 40])
    latency_ns = np.array([5, 15, 5, 5, 5])
    stalled = is_stalled(latency_ns, due_ns, [(22, 31)])
    assert stalled.tolist() == [False, True, True, True, False]
    assert not is_stalled(latency_ns, due_ns, []).any()


def test_percentiles_are_values_that_occurred():
    figures = percentiles_us(np.arange(1, 1001) * 1000)
    assert figures == {"p50": 501.0, "p99": 991.0, "p999": 1000.0, "max": 1000.0, "count": 1000}
    assert percentiles_us(np.empty(0, np.int64)) == {
        "p50": 0.0,
        "p99": 0.0,
        "p999": 0.0,
        "max": 0.0,
        "count": 0,
    }
