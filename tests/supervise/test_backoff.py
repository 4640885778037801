"""Two retries at once, then doubled delays with jitter."""

import random
import subprocess
import sys

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


def test_forked_processes_do_not_wait_alike() -> None:
    program = (
        "import os\n"
        "from tickwire.supervise import Backoff\n"
        "for _ in range(2):\n"
        "    if not (child := os.fork()):\n"
        "        print(Backoff().next_delay_s(), flush=True)\n"
        "        os._exit(0)\n"
        "    os.waitpid(child, 0)\n"
    )
    found = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(set(found)) == 2


def test_the_cap_bounds_those_at_once_too() -> None:
    backoff = Backoff(0.01, 0.02)
    assert all(backoff.next_delay_s() <= 0.02 for _ in range(9))


@pytest.mark.parametrize(
    ("backoff", "longest_s"),
    [
        (Backoff(2.0, 60.0, at_once=1, at_once_s=0.0, jitter=0.25), (0, 2, 4, 8, 16, 32, 60, 60)),
        (Backoff(0.5, 30.0, at_once=0), (0.5, 1, 2, 4, 8, 16, 30, 30)),
        (Backoff(5.0, 60.0, at_once=0, jitter=0.0), (5, 10, 20, 40, 60, 60)),
    ],
)
def test_delays_by_the_number_of_failures(backoff: Backoff, longest_s: tuple[float, ...]) -> None:
    jitter = backoff._jitter
    for n_failures, longest in enumerate(longest_s, 1):
        delays = [backoff.delay_s(n_failures) for _ in range(200)]
        assert longest * (1 - jitter) <= min(delays)
        assert max(delays) <= longest
        assert longest == 0 or jitter == 0 or max(delays) - min(delays) > longest * jitter / 2
        backoff.reset()
        assert backoff.attempts == 0


def test_any_number_of_attempts() -> None:
    backoff = Backoff()
    backoff.attempts = 10_000
    assert 15 <= backoff.next_delay_s() <= 30
