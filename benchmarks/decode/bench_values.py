"""Single scalars through their Python face, beside `float`. Informational.

A call from Python costs some 50 ns whatever it reads: what tells is the difference between cases.
"""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.decode import _values

pytestmark = pytest.mark.informational

NUMBERS = {
    "price": b"97123.45",
    "17 digits": b"0.12345678901234567",
    "exponent": b"1.2345e-300",
    "25 digits": b"1234567890.123456789012345",
    "halfway": b"9007199254740993.00000000000000000001",
}


@pytest.mark.parametrize("case", NUMBERS)
def test_parse_number(benchmark: BenchmarkFixture, case: str) -> None:
    text = NUMBERS[case]
    assert benchmark(_values.parse_number, text) == float(text)


@pytest.mark.parametrize("case", NUMBERS)
def test_float(benchmark: BenchmarkFixture, case: str) -> None:
    assert benchmark(float, NUMBERS[case]) == _values.parse_number(NUMBERS[case])


def test_parse_time(benchmark: BenchmarkFixture) -> None:
    assert benchmark(_values.parse_time, b"1700000000123", 1_000_000) == 1_700_000_000_123_000_000


def test_parse_rfc3339(benchmark: BenchmarkFixture) -> None:
    assert benchmark(_values.parse_rfc3339, b"1970-01-02T00:00:00.5Z") == 86_400_500_000_000


@pytest.mark.parametrize("n_bytes", [100, 10_000])
def test_skip_value(benchmark: BenchmarkFixture, n_bytes: int) -> None:
    level = b'["97123.45","0.5"],'
    text = b"[" + (level * (n_bytes // len(level)))[:-1] + b"]"
    assert benchmark(_values.skip_value, text) == len(text)
