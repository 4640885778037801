"""A breaker, by events and a clock that stands still until it is moved."""

import random

import pytest

from tickwire.supervise import Breakers, BreakerState, CircuitBreaker, Failure
from tickwire.supervise.breaker import FIRST_OPEN_S, LONGEST_OPEN_S, PROBE_EVERY_S, THRESHOLD

CLOSED, HALF_OPEN, OPEN = BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN


class Scene:
    """A breaker, its clock, and the states that it went through."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.states: list[BreakerState] = []
        self.breaker = CircuitBreaker(
            "here", lambda _, state: self.states.append(state), clock=lambda: self.now_s
        )

    def fail(self, n: int = THRESHOLD, failure: Failure = Failure.OTHER) -> None:
        for _ in range(n):
            self.breaker.failed(failure)


def test_it_opens_after_five_failures_in_a_row() -> None:
    scene = Scene()
    scene.fail(THRESHOLD - 1)
    assert scene.breaker.try_acquire()
    scene.breaker.reached()  # which alone ends no row of failures
    scene.fail(1)
    assert (scene.breaker.state, scene.states) == (OPEN, [OPEN])
    assert not scene.breaker.try_acquire()
    assert scene.breaker.wait_s() == FIRST_OPEN_S


def test_what_was_well_starts_the_row_over() -> None:
    scene = Scene()
    scene.fail(THRESHOLD - 1)
    scene.breaker.healthy()
    scene.fail(THRESHOLD - 1)
    assert scene.breaker.state is CLOSED


def test_half_open_one_tries_and_the_others_follow() -> None:
    scene = Scene()
    scene.fail()
    scene.now_s += FIRST_OPEN_S
    assert [scene.breaker.try_acquire() for _ in range(3)] == [True, False, False]
    scene.breaker.reached()
    assert all(scene.breaker.try_acquire() for _ in range(3))
    assert scene.states == [OPEN, HALF_OPEN, CLOSED]


def test_a_try_that_was_given_up_lets_another_one_try() -> None:
    scene = Scene()
    scene.fail()
    scene.now_s += FIRST_OPEN_S
    assert scene.breaker.try_acquire()
    scene.breaker.release()
    assert scene.breaker.try_acquire()
    scene.now_s += scene.breaker.wait_s()  # this one never says anything
    assert scene.breaker.try_acquire()


def test_it_stays_open_for_longer_each_time_but_never_beyond_a_minute() -> None:
    scene = Scene()
    scene.fail()
    waits = []
    for _ in range(6):
        waits.append(scene.breaker.wait_s())
        scene.now_s += waits[-1]
        assert scene.breaker.try_acquire()
        scene.breaker.failed()
    assert waits == [5, 10, 20, 40, LONGEST_OPEN_S, LONGEST_OPEN_S]
    scene.now_s += scene.breaker.wait_s()
    scene.breaker.reached()
    scene.breaker.healthy()
    scene.fail()
    assert scene.breaker.wait_s() == FIRST_OPEN_S


def test_who_is_asked_to_stay_away_does_at_once_and_for_as_long() -> None:
    scene = Scene()
    scene.breaker.failed(Failure.REFUSED, stay_away_s=300)
    assert scene.breaker.wait_s() == 300
    scene.now_s += 299.9
    assert not scene.breaker.try_acquire()
    scene.now_s += 0.2
    assert scene.breaker.try_acquire()


def test_who_is_asked_to_stay_away_for_a_moment_does_no_longer_than_that() -> None:
    scene = Scene()
    for _ in range(THRESHOLD - 1):
        scene.breaker.failed(Failure.REFUSED, stay_away_s=1)
        assert scene.breaker.wait_s() == 1
        scene.now_s += 1
        assert scene.breaker.try_acquire()
    # Again and again what it says is not so.
    scene.breaker.failed(Failure.REFUSED, stay_away_s=1)
    assert scene.breaker.wait_s() == FIRST_OPEN_S
    scene.now_s += FIRST_OPEN_S
    assert scene.breaker.try_acquire()
    scene.breaker.failed(Failure.REFUSED, stay_away_s=1)
    assert scene.breaker.wait_s() == 2 * FIRST_OPEN_S


def test_a_late_answer_of_another_prolongs_what_was_asked_for() -> None:
    scene = Scene()
    scene.fail()
    scene.breaker.failed(Failure.REFUSED, stay_away_s=30)
    assert scene.breaker.wait_s() == 30
    scene.breaker.failed()
    assert scene.breaker.wait_s() == 30


def test_what_cannot_be_reached_is_probed_by_one_every_two_seconds() -> None:
    scene = Scene()
    scene.fail(failure=Failure.UNREACHABLE)
    assert not scene.breaker.try_probe()
    scene.now_s += PROBE_EVERY_S
    assert [scene.breaker.try_probe() for _ in range(3)] == [True, False, False]
    scene.now_s += PROBE_EVERY_S
    assert scene.breaker.try_probe()
    scene.breaker.probed()
    assert scene.breaker.state is HALF_OPEN
    assert [scene.breaker.try_acquire() for _ in range(2)] == [True, False]


@pytest.mark.parametrize("failure", [Failure.REFUSED, Failure.OTHER])
def test_what_answers_is_never_probed(failure: Failure) -> None:
    scene = Scene()
    scene.fail(THRESHOLD - 1, Failure.UNREACHABLE)
    scene.fail(1, failure)
    scene.now_s += PROBE_EVERY_S
    assert not scene.breaker.try_probe()
    scene.breaker.probed()
    assert scene.breaker.state is OPEN


def test_no_failure_after_a_refusal_lets_it_be_probed_or_tried_early() -> None:
    scene = Scene()
    scene.breaker.failed(Failure.REFUSED, stay_away_s=300)
    scene.breaker.failed(Failure.UNREACHABLE)  # begun before
    scene.now_s += 299
    assert not scene.breaker.try_probe()
    scene.breaker.probed()
    scene.breaker.healthy()  # a connection that was open all the time
    assert scene.breaker.state is OPEN
    scene.now_s += 2
    assert scene.breaker.try_acquire()
    scene.breaker.failed(Failure.UNREACHABLE)
    scene.now_s += PROBE_EVERY_S
    assert scene.breaker.try_probe()


def test_breakers_are_shared_by_name() -> None:
    breakers = Breakers(clock=lambda: 5.0)
    assert breakers.of("a") is breakers.of("a") is not breakers.of("b")
    breakers.of("a").failed(stay_away_s=1)
    assert [breakers.count(state) for state in (CLOSED, HALF_OPEN, OPEN)] == [1, 0, 1]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_it_lets_somebody_try_again_within_a_minute(seed: int) -> None:
    rng = random.Random(seed)
    scene = Scene()
    breaker = scene.breaker
    for _ in range(200):
        rng.choice(
            [
                lambda: breaker.failed(rng.choice(list(Failure))),
                breaker.reached,
                breaker.healthy,
                breaker.try_acquire,
                breaker.release,
                breaker.try_probe,
                breaker.probed,
            ]
        )()
        assert breaker.wait_s() <= LONGEST_OPEN_S
        scene.now_s += rng.choice((0, 0.1, 3, 70))
    scene.now_s += breaker.wait_s()
    assert breaker.try_acquire()
