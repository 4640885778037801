"""What recording and reading a histogram costs. Informational."""

from __future__ import annotations

import random

import numpy as np
import pytest
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.observe import Histogram

pytestmark = pytest.mark.informational

N = 10_000


def test_add_since(benchmark: BenchmarkFixture) -> None:
    draw = random.Random(1)
    ages = np.array([int(draw.lognormvariate(11, 2)) for _ in range(N)], np.int64)
    now = int(ages.max()) + 1
    counts = np.ones(N, np.int64)

    def record() -> Histogram:
        histogram = Histogram()
        histogram.add_since(now - ages, counts, now)
        return histogram

    histogram = measure(benchmark, record, n_messages=N)
    assert histogram.count == N
    true = float(np.percentile(ages, 99, method="inverted_cdf"))
    assert true <= histogram.percentile(99) <= true * (1 + 1 / 128)


def test_add(benchmark: BenchmarkFixture) -> None:
    histogram = Histogram()

    def record() -> None:
        add = histogram.add
        for value in range(0, 1000 * N, 1000):
            add(value)

    measure(benchmark, record, n_messages=N, rounds=50)
    assert histogram.count % N == 0
    assert histogram.percentile(50) == pytest.approx(500 * N, rel=1 / 128)


def test_to_dict_us(benchmark: BenchmarkFixture) -> None:
    histogram = Histogram()
    for value in range(N):
        histogram.add(value * 1000)
    figures = measure(benchmark, histogram.to_dict_us, n_messages=1)
    assert figures["count"] == N
    assert figures["p50"] == pytest.approx(N / 2, rel=1 / 128)
