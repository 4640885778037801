"""Remembering trade ids: counting up, at random, and repeated. Informational.

Ids are offered from Python, 1,000 a round: to one symbol whose memory is full, or one to each of
1,000 symbols.
"""

from __future__ import annotations

from random import Random

import pytest
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.decode._seen import Seen

pytestmark = pytest.mark.informational

N_IDS = 1000


@pytest.mark.parametrize("kind", ["counting up", "at random"])
def test_new_ids(benchmark: BenchmarkFixture, kind: str) -> None:
    rng = Random(1)
    seen = Seen(1)
    ids = (
        list(range(1, 20_001))
        if kind == "counting up"
        else [rng.getrandbits(50) for _ in range(20_000)]
    )
    for trade in ids:
        assert seen.admit(0, 0, trade)

    def setup() -> None:
        first = ids[-1] + 1
        if kind == "counting up":
            ids[:] = range(first, first + N_IDS)
        else:
            ids[:] = [rng.getrandbits(50) for _ in range(N_IDS)]

    def offer() -> int:
        return sum(seen.admit(0, 0, trade) for trade in ids)

    assert measure(benchmark, offer, setup=setup, n_messages=N_IDS) == N_IDS


def test_new_ids_of_many_symbols(benchmark: BenchmarkFixture) -> None:
    seen = Seen(1)
    last = 0

    def setup() -> None:
        nonlocal last
        last += 1

    def offer() -> int:
        return sum(seen.admit(0, symbol, last) for symbol in range(N_IDS))

    assert measure(benchmark, offer, setup=setup, n_messages=N_IDS) == N_IDS


def test_repeated_ids(benchmark: BenchmarkFixture) -> None:
    rng = Random(2)
    seen = Seen(1)
    ids = [rng.getrandbits(50) for _ in range(20_000)]
    for trade in ids:
        assert seen.admit(0, 0, trade)
    last = ids[-N_IDS:]

    def offer() -> int:
        return sum(seen.admit(0, 0, trade) for trade in last)

    assert measure(benchmark, offer, n_messages=N_IDS) == 0
