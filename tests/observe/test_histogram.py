"""Percentiles agree with numpy's within the width of a bucket."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwire.observe import Histogram

HOUR_NS = 3_600 * 10**9
latencies = (
    st.integers(0, HOUR_NS) | st.integers(0, 600) | st.sampled_from([1 << i for i in range(43)])
)


def close_to(found: int, true: int) -> bool:
    return true <= found <= true + true // 128


@given(st.lists(latencies, min_size=1, max_size=300), st.floats(0, 100))
def test_percentiles_are_numpys_within_a_bucket(values: list[int], percent: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    true = int(np.percentile(values, percent, method="inverted_cdf"))
    found = histogram.percentile(percent)
    # Both round percent/100*n; where that meets a whole number they may differ by one value.
    ordered = sorted(values)
    rank = percent / 100 * len(values)
    if abs(rank - round(rank)) < 1e-9:
        near = ordered[max(0, round(rank) - 1) : round(rank) + 1]
        assert any(close_to(found, value) for value in near)
    else:
        assert close_to(found, true)
    assert histogram.count == len(values)
    assert histogram.max == max(values)
    assert histogram.min == min(values)
    assert histogram.mean == pytest.approx(float(np.mean(values)))


@given(st.lists(latencies | st.integers(-50, -1), max_size=300))
def test_many_values_are_recorded_as_one_by_one(values: list[int]) -> None:
    one_by_one, together = Histogram(), Histogram()
    for value in values:
        one_by_one.add(value)
    together.add_values(np.array(values, np.int64))
    assert together.items() == one_by_one.items()
    assert (together.count, together.max, together.mean) == (
        one_by_one.count,
        one_by_one.max,
        one_by_one.mean,
    )


@given(st.lists(st.tuples(latencies, st.integers(1, 50)), max_size=60))
def test_every_value_lies_in_its_bucket(pairs: list[tuple[int, int]]) -> None:
    histogram = Histogram()
    for value, count in pairs:
        histogram.add(value, count)
    items = histogram.items()
    for low, high, count in items:
        assert high - low <= low // 128
        assert count == sum(n for value, n in pairs if low <= value <= high)
    assert sum(count for _, _, count in items) == histogram.count
    assert items == sorted(items)


def test_buckets_join_without_gap_or_overlap() -> None:
    histogram = Histogram()
    edges = sorted(
        {value for shift in range(36) for base in range(128, 257) for value in (base << shift,)}
    )
    for value in (*range(130), *edges):
        histogram.add(value)
        histogram.add(max(value - 1, 0))
    items = histogram.items()
    assert all(after[0] == before[1] + 1 for before, after in itertools.pairwise(items))


def test_merging_is_recording_both() -> None:
    draw = random.Random(3)
    one, two, both = Histogram(), Histogram(), Histogram()
    for histogram in (one, two):
        for _ in range(1000):
            value = int(draw.lognormvariate(10, 3))
            histogram.add(value)
            both.add(value)
    one.merge(two)
    assert one.items() == both.items()
    assert one.to_dict_us() == both.to_dict_us()
    assert (one.min, one.max, one.mean) == (both.min, both.max, both.mean)


def test_the_summary_has_the_agreed_keys() -> None:
    histogram = Histogram()
    nothing = {"p50": None, "p99": None, "p999": None, "max": None, "count": 0}
    assert histogram.to_dict_us() == nothing  # 0 us would be a latency
    assert list(histogram.to_dict_us()) == ["p50", "p99", "p999", "max", "count"]
    for _ in range(999):
        histogram.add(100)
    histogram.add(5_000_000)
    assert histogram.to_dict_us() == {
        "p50": 0.1,
        "p99": 0.1,
        "p999": 0.1,
        "max": 5000.0,
        "count": 1000,
    }


def test_out_of_range_values_are_kept_at_the_ends() -> None:
    histogram = Histogram()
    histogram.add(-5)
    assert histogram.percentile(50) == histogram.max == 0
    histogram.add(2**62)
    assert histogram.max == histogram.percentile(100) == 2**62
    assert histogram.percentile(50) == 0


def test_ages_are_now_minus_start() -> None:
    histogram = Histogram()
    starts = np.array([900, 500, 0, -1, 700], np.int64)
    counts = np.array([2, 3, 9, 9, 0], np.int64)
    histogram.add_since(starts, counts, 1000)
    assert [(low, count) for low, _, count in histogram.items()] == [(100, 2), (500, 3)]
    with pytest.raises(ValueError, match="5 starts and 2 counts"):
        histogram.add_since(starts, counts[:2], 1000)


def test_an_empty_histogram_says_zero() -> None:
    histogram = Histogram()
    assert (histogram.min, histogram.max, histogram.mean) == (0, 0, 0.0)
    assert histogram.items() == []
    histogram.add(7)
    histogram.reset()
    assert histogram.percentile(99) == histogram.count == histogram.min == 0


def test_arguments_are_checked() -> None:
    histogram = Histogram()
    with pytest.raises(ValueError, match="count is 0"):
        histogram.add(1, 0)
    for percent in (-0.1, 100.1, float("nan")):
        with pytest.raises(ValueError, match="0 to 100"):
            histogram.percentile(percent)
