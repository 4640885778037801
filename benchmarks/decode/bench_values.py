"""Single scalars and whole values through their Python face, beside `float`. Informational.

A call from Python costs some 50 ns whatever it reads: what tells is the difference between cases.
Scanning, which is how values that no column wants are passed, is over whole documents.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from benchmarks.decode.payloads import CASES
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.decode import _values

pytestmark = pytest.mark.informational

N_CALLS = 1000
NUMBERS = {
    "price": b"97123.45",
    "17 digits": b"0.12345678901234567",
    "exponent": b"1.2345e-300",
    "25 digits": b"1234567890.123456789012345",
    "halfway": b"9007199254740993.00000000000000000001",
}


def called(benchmark: BenchmarkFixture, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call many times a round; give the answer."""

    def run() -> Any:
        for _ in range(N_CALLS):
            answer = function(*arguments)
        return answer

    n_bytes = N_CALLS * len(arguments[0])
    return measure(benchmark, run, n_messages=N_CALLS, n_bytes=n_bytes, rounds=200)


@pytest.mark.parametrize("case", NUMBERS)
def test_parse_number(benchmark: BenchmarkFixture, case: str) -> None:
    text = NUMBERS[case]
    assert called(benchmark, _values.parse_number, text) == float(text)


@pytest.mark.parametrize("case", NUMBERS)
def test_float(benchmark: BenchmarkFixture, case: str) -> None:
    assert called(benchmark, float, NUMBERS[case]) == _values.parse_number(NUMBERS[case])


def test_parse_integer(benchmark: BenchmarkFixture) -> None:
    assert called(benchmark, _values.parse_integer, b"123456789012345") == 123456789012345


def test_parse_time(benchmark: BenchmarkFixture) -> None:
    time_ns = called(benchmark, _values.parse_time, b"1700000000123", 1_000_000)
    assert time_ns == 1_700_000_000_123_000_000


def test_parse_rfc3339(benchmark: BenchmarkFixture) -> None:
    time_ns = called(benchmark, _values.parse_rfc3339, b"1970-01-02T00:00:00.5Z")
    assert time_ns == 86_400_500_000_000


@pytest.mark.parametrize(
    ("text", "expected"), [(b'"plain text"', b"plain text"), (rb'"\u20ac\n"', "€\n".encode())]
)
def test_parse_string(benchmark: BenchmarkFixture, text: bytes, expected: bytes) -> None:
    assert called(benchmark, _values.parse_string, text) == expected


@pytest.mark.parametrize("case", ["trade", "l2Book", "binance depth 400", "numbers", "strings"])
def test_scanning(benchmark: BenchmarkFixture, case: str) -> None:
    texts = [CASES[case].payload(number) for number in range(20)]

    def run() -> int:
        return sum(map(_values.skip_value, texts))  # type: ignore[arg-type] # none is cut short

    n_bytes = sum(map(len, texts))
    assert measure(benchmark, run, n_messages=len(texts), n_bytes=n_bytes, rounds=500) == n_bytes
    assert _values.skip_value(texts[0][:-1]) is None
    assert json.loads(texts[0])
