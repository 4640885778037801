"""The clock without the stalls of a loop: on a clock that the test moves, and on a real loop."""

import asyncio
import time

import pytest

from tickwire.net.awake import GRACE_S, STEP_S, AwakeClock, awake_timeout, counting


class Time:
    def __init__(self) -> None:
        self.ns = 5_000_000_000

    def mono_ns(self) -> int:
        return self.ns

    def run(self, clock: AwakeClock, seconds: float) -> None:
        """Pass time in which the loop runs."""
        for _ in range(round(seconds / STEP_S)):
            self.ns += round(STEP_S * 1e9)
            clock.look()

    def stand_still(self, seconds: float) -> None:
        self.ns += round(seconds * 1e9)


def test_a_stall_is_left_out_and_short_waits_are_not() -> None:
    time = Time()
    clock = AwakeClock(time.mono_ns)
    start_s, start_ns = clock.now_s(), time.ns
    time.run(clock, 2)
    time.stand_still(65)
    assert clock.now_s() - start_s == pytest.approx(2 + STEP_S)
    assert clock.since_s(start_ns) == pytest.approx(2 + STEP_S)
    time.run(clock, 1)
    time.stand_still(0.4)
    assert clock.now_s() - start_s == pytest.approx(3.4 + STEP_S)
    assert clock.n_stalls == 1


def test_only_stalls_after_a_time_count_for_it() -> None:
    time = Time()
    clock = AwakeClock(time.mono_ns)
    time.stand_still(10)
    clock.look()
    between_ns = time.ns
    time.run(clock, 1)
    time.stand_still(20)
    assert clock.since_s(between_ns) == pytest.approx(1 + STEP_S)
    assert clock.since_s(time.ns) == 0.0
    inside_ns = time.ns - 5_000_000_000  # something that was noted while the loop stood still
    assert clock.since_s(inside_ns) == pytest.approx(0.0)


def test_after_a_stall_nothing_is_judged_for_a_moment() -> None:
    time = Time()
    clock = AwakeClock(time.mono_ns)
    assert clock.grace_s() == 0.0
    time.stand_still(3)
    assert clock.grace_s() == pytest.approx(GRACE_S)
    time.run(clock, STEP_S)
    assert clock.grace_s() == pytest.approx(GRACE_S - STEP_S)
    time.run(clock, 1)
    assert clock.grace_s() == 0.0


def test_time_without_looks_is_no_stall() -> None:
    time = Time()
    clock = AwakeClock(time.mono_ns)
    time.stand_still(100)
    clock.restart()
    assert clock.grace_s() == 0.0
    assert clock.n_stalls == 0


async def test_who_counts_notices_a_stall() -> None:
    with counting() as clock:
        start_ns = time.monotonic_ns()
        await asyncio.sleep(0.05)
        time.sleep(0.7)  # noqa: ASYNC251 - the stall
        await asyncio.sleep(0.05)
        assert clock.since_s(start_ns) < 0.5
        with counting() as same:
            assert same is clock
    n_stalls = clock.n_stalls
    time.sleep(0.6)  # noqa: ASYNC251 - not counted
    with counting() as clock:
        assert clock.n_stalls == n_stalls


async def test_a_timeout_gives_the_time_of_a_stall_back() -> None:
    async with asyncio.timeout(5), awake_timeout(0.3):
        time.sleep(0.8)  # noqa: ASYNC251 - the stall
        await asyncio.sleep(0.1)  # as an answer that was there when the loop went on


async def test_a_timeout_ends_what_takes_too_long() -> None:
    with pytest.raises(TimeoutError):
        async with awake_timeout(0.05) as limit:
            await asyncio.sleep(5)
    assert limit.expired()
