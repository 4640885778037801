import random

from tickwire.session import Backoff


def test_doubles_up_to_the_cap_and_starts_over() -> None:
    backoff = Backoff(first_s=1.0, cap_s=60.0, rng=random.Random(1))
    longest = [1, 2, 4, 8, 16, 32, 60, 60]
    for limit in longest:
        assert limit / 2 <= backoff.next_delay_s() <= limit
    backoff.reset()
    assert backoff.next_delay_s() <= 1.0


def test_jitter_spreads() -> None:
    rng = random.Random(2)
    delays = [Backoff(first_s=10.0, rng=rng).next_delay_s() for _ in range(200)]
    assert min(delays) < 5.5
    assert max(delays) > 9.5


def test_any_number_of_attempts_stays_at_the_cap() -> None:
    backoff = Backoff()
    delays = [backoff.next_delay_s() for _ in range(5000)]
    assert max(delays) <= 60.0
    assert min(delays[10:]) >= 30.0
