"""What it takes to give levels that are removed by their position their prices."""

import pytest
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.book import BookPositions

N_CHANGES = 1000


@pytest.mark.informational
def test_changes_of_a_book_of_twenty_levels(benchmark: BenchmarkFixture) -> None:
    """1,000 changes that remove four levels of each side and set them again, by calls of Python."""
    positions = BookPositions(20)
    levels = [
        (side, 62_800.0 + sign * place, 1.0 + place)
        for side, sign in (("bid", -1), ("ask", 1))
        for place in range(1, 21)
    ]
    placed = [level for level in levels if abs(level[1] - 62_800) in (3, 7, 12, 20)]
    gone = [(side, float(at), -1.0) for side in ("bid", "ask") for at in (2, 6, 11, 19)]

    def run() -> int:
        positions.apply(0, levels, is_snapshot=True)
        apply = positions.apply
        return sum(apply(0, gone + placed) is not None for _ in range(N_CHANGES))

    assert measure(benchmark, run, n_messages=N_CHANGES, rounds=20) == N_CHANGES
