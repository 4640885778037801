"""What a chain says of a change: the comparison alone, by a call from Python."""

import pytest
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.book._chains import NUMBERED, follows

N_CHANGES = 1000


@pytest.mark.informational
@pytest.mark.parametrize("chain", NUMBERED)
def test_changes_that_follow(benchmark: BenchmarkFixture, chain: str) -> None:
    """1,000 changes in order; the call costs more than the answer."""

    def run() -> int:
        return sum(
            follows(chain, i - 1, first=i, last=i, prev=i - 1) == "next"
            for i in range(1, N_CHANGES + 1)
        )

    assert measure(benchmark, run, n_messages=N_CHANGES, rounds=50) == N_CHANGES
