"""What a look-up in a dictionary costs, through Python. Informational.

Most of a single look-up is Python's call; the three cases differ by what is looked up.
"""

from __future__ import annotations

import pytest
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.ring import Dictionary

pytestmark = pytest.mark.informational

NAMES = [f"SYMBOL{i}USDT" for i in range(500)]


def codes(dictionary: Dictionary, names: list[str]) -> list[int]:
    return [dictionary.code(name) for name in names]


def test_known_in_turn(benchmark: BenchmarkFixture) -> None:
    dictionary = Dictionary()
    codes(dictionary, NAMES)

    def run() -> list[int]:
        return codes(dictionary, NAMES)

    assert measure(benchmark, run, n_messages=500) == list(range(500))


def test_the_same_again(benchmark: BenchmarkFixture) -> None:
    dictionary = Dictionary()
    codes(dictionary, NAMES)

    def run() -> list[int]:
        return codes(dictionary, [NAMES[7]] * 500)

    assert measure(benchmark, run, n_messages=500) == [7] * 500


def test_new(benchmark: BenchmarkFixture) -> None:
    def setup() -> tuple[tuple[Dictionary, list[str]], dict[str, object]]:
        return (Dictionary(), NAMES), {}

    assert measure(benchmark, codes, setup=setup, n_messages=500) == list(range(500))
