"""The follower's answer for a live symbol: the price of continuity per book message."""

import pytest
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.book import BookFollower

N_CHANGES = 1000


@pytest.mark.informational
@pytest.mark.parametrize("chain", ["linked", "counted", "ranges"])
def test_changes_that_follow(benchmark: BenchmarkFixture, chain: str) -> None:
    """1,000 changes in order, each by a call from Python, which costs more than the answer."""
    follower = BookFollower(chain)

    def run() -> int:
        follower.offer(0, last=0, is_snapshot=True)
        offer = follower.offer
        return sum(
            offer(0, first=i, last=i, prev=i - 1) == "admit" for i in range(1, N_CHANGES + 1)
        )

    assert measure(benchmark, run, n_messages=N_CHANGES, rounds=50) == N_CHANGES
