"""Messages that two legs bring: the first copy, and the second. Informational.

1,000 texts a round of 300 bytes, each offered by one leg and then by the other, from Python.
"""

from __future__ import annotations

import pytest
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.decode import Legs

pytestmark = pytest.mark.informational

N_MESSAGES = 1000


def test_each_message_twice(benchmark: BenchmarkFixture) -> None:
    memory = Legs()
    legs = [memory.join(number) for number in range(2)]
    texts: list[bytes] = []
    n_rounds = 0

    def setup() -> None:
        nonlocal n_rounds
        n_rounds += 1
        texts[:] = [b"%0300d" % (n_rounds * N_MESSAGES + n) for n in range(N_MESSAGES)]

    def offer() -> int:
        now_ns = n_rounds * 1_000_000_000
        return sum(leg.offer(text, now_ns) for text in texts for leg in legs)

    assert measure(benchmark, offer, setup=setup, n_messages=2 * N_MESSAGES) == N_MESSAGES
