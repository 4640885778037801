"""Symbols by their numbers: put and found, by calls from Python."""

import pytest
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.decode._numbers import Numbers

N_NUMBERS = 1000


@pytest.mark.informational
def test_numbers_that_are_found(benchmark: BenchmarkFixture) -> None:
    """1,000 numbers; the call costs more than the answer."""
    numbers = Numbers()
    for at in range(N_NUMBERS):
        numbers.put(146_000 + 7 * at, at)

    def run() -> int:
        find = numbers.find
        return sum(find(146_000 + 7 * at) == at for at in range(N_NUMBERS))

    assert measure(benchmark, run, n_messages=N_NUMBERS, rounds=50) == N_NUMBERS
