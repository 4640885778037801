"""The checksum of a book's best ten levels, as Kraken has it: at most 0.6 us."""

import pytest
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.book import BookChecksums

N_CHECKSUMS = 1000


@pytest.mark.informational
def test_the_best_ten_levels(benchmark: BenchmarkFixture) -> None:
    """1,000 checksums, each by a call from Python."""
    checksums = BookChecksums(10)
    checksums.learn(0, [("0.1", "0.00000001")])
    rows = [
        (side, 62_800 + sign * place / 10, 0.12345678 + place)
        for side, sign in (("bid", -1), ("ask", 1))
        for place in range(1, 11)
    ]
    checksums.apply(0, rows, is_snapshot=True)

    def run() -> int:
        checksum = checksums.checksum
        return sum(checksum(0) > 0 for _ in range(N_CHECKSUMS))

    assert measure(benchmark, run, n_messages=N_CHECKSUMS, rounds=50) == N_CHECKSUMS
