"""The soak, short: minutes of traffic in seconds. `make soak` is the long one."""

import subprocess
import sys

import pytest
from tests.soak.gauges import Growth, Sample, growths

from tickwire.observe._build import PROFILE


@pytest.mark.thorough
@pytest.mark.skipif(PROFILE == "asan", reason="the sanitizers keep what is freed for a while")
def test_some_minutes_leave_nothing_behind() -> None:
    arguments = ["--hours", "0.2", "--seconds", "5", "--warm-up", "2", "--rss-mb", "64"]
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-W", "error", "-m", "tests.soak.soak", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Everything that should happen has happened." in done.stdout


def test_what_grows_is_found() -> None:
    allowed = Sample(rss_bytes=100, blocks=10, descriptors=1, threads=0)
    steady = [Sample(1000 + n % 3, 500, 20 + n % 2, 4) for n in range(40)]
    assert not [growth for growth in growths(steady, allowed) if growth.is_too_much]
    leaking = [Sample(1000 + 10 * n, 500 + n, 20 + n, 4 + n // 20) for n in range(40)]
    assert all(growth.is_too_much for growth in growths(leaking, allowed))
    assert str(Growth("threads", 4, 5, 0)).endswith("GREW")
