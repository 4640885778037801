"""Two retries at once, then doubled delays with jitter."""

import random

import pytest

from tickwire.supervise import Backoff


@pytest.mark.parametrize("seed", range(5))
def test_two_at_once_then_doubled_up_to_the_cap(seed: int) -> None:
    backoff = Backoff(rng=random.Random(seed))
    for _ in range(2):
        for _ in range(2):
            assert 0 <= backoff.next_delay_s() <= 0.1
        for longest_s in (1, 2, 4, 8, 16, 30, 30):
            assert longest_s / 2 <= backoff.next_delay_s() <= longest_s
        backoff.reset()


def test_the_cap_bounds_those_at_once_too() -> None:
    backoff = Backoff(0.01, 0.02)
    assert all(backoff.next_delay_s() <= 0.02 for _ in range(9))


def test_any_number_of_attempts() -> None:
    backoff = Backoff()
    backoff.attempts = 10_000
    assert 15 <= backoff.next_delay_s() <= 30
