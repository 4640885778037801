"""The splice's answer for a live symbol: the price of continuity per book message."""

import pytest
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.book import BookSplice

N_DELTAS = 1000


@pytest.mark.informational
@pytest.mark.parametrize("rule", ["first_is_next", "first_covers"])
def test_live_deltas(benchmark: BenchmarkFixture, rule: str) -> None:
    """1,000 deltas in order, each by a call from Python, which costs more than the answer."""
    splice = BookSplice(rule)

    def run() -> int:
        splice.reset()
        splice.snapshot(0, 0)
        offer = splice.offer
        return sum(offer(0, i, i, i - 1) == "admit" for i in range(1, N_DELTAS + 1))

    assert measure(benchmark, run, n_messages=N_DELTAS, rounds=50) == N_DELTAS
