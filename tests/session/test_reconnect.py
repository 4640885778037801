"""When and where to connect next: decided by events and a clock, no socket and no loop in sight."""

import itertools
import random

import pytest

from tickwire.session import Connect, ReconnectPolicy, Wait, WindowLimiter

A, B = "wss://a/ws", "wss://b/ws"


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def policy(time: Time, *urls: str, per_min: int = 0, seed: int = 1) -> ReconnectPolicy:
    return ReconnectPolicy(
        urls or (A,),
        WindowLimiter(per_min, clock=time),
        rng=random.Random(seed),
        clock=time,
    )


def wait_of(asked: ReconnectPolicy, time: Time) -> tuple[float, str]:
    """Wait as long as it says, several times if need be; gives how long and where to."""
    waited_s = 0.0
    while isinstance(step := asked.next_step(), Wait):
        assert step.seconds > 0
        waited_s += step.seconds
        time.now_s += step.seconds
    return waited_s, step.url


def test_the_first_connect_waits_for_nothing() -> None:
    assert policy(Time()).next_step() == Connect(A)


def test_a_clock_that_goes_on_meanwhile_is_no_wait() -> None:
    ticks = itertools.count(1000)
    limit = WindowLimiter(0, clock=lambda: float(next(ticks)))
    asked = ReconnectPolicy([A], limit, clock=lambda: float(next(ticks)))
    assert asked.next_step() == Connect(A)


def test_delays_double_up_to_the_longest() -> None:
    time = Time()
    asked = policy(time)
    for longest_s in (1, 2, 4, 8, 16, 32, 60, 60):
        assert wait_of(asked, time)[1] == A
        asked.failed()
        step = asked.next_step()
        assert isinstance(step, Wait)
        assert step.reason == "backoff"
        assert longest_s / 2 <= step.seconds <= longest_s


def test_data_starts_the_delays_over_at_the_same_endpoint() -> None:
    time = Time()
    asked = policy(time, A, B)
    for _ in range(6):
        wait_of(asked, time)
        asked.failed()
    _, url = wait_of(asked, time)
    asked.ended(had_data=True)
    waited_s, again = wait_of(asked, time)
    assert again == url
    assert 0.5 <= waited_s <= 1


def test_a_connection_without_data_counts_as_a_failure() -> None:
    time = Time()
    asked = policy(time, A, B)
    waits = []
    for _ in range(4):
        waits.append(wait_of(asked, time))
        asked.ended(had_data=False)
    assert [url for _, url in waits] == [A, B, A, B]
    assert waits[3][0] >= 2


@pytest.mark.parametrize("seed", range(20))
def test_what_cannot_be_reached_is_tried_every_few_seconds(seed: int) -> None:
    time = Time()
    asked = policy(time, seed=seed)
    for _ in range(50):
        waited_s, _ = wait_of(asked, time)
        assert waited_s <= 3.001
        asked.unreachable()


def test_what_cannot_be_reached_costs_no_turn_of_the_limit() -> None:
    time = Time()
    asked = policy(time, A, B, per_min=2)
    for _ in range(30):
        assert isinstance(asked.next_step(), Connect)
        asked.unreachable()
        time.now_s += 3
    assert wait_of(asked, time)[0] == 0
    asked.ended(had_data=True)
    assert wait_of(asked, time)[0] <= 1
    asked.ended(had_data=True)
    time.now_s += 1
    step = asked.next_step()  # the third within a minute
    assert isinstance(step, Wait)
    assert step.reason == "limit"
    assert step.seconds > 50


def test_sessions_share_the_limit_in_order() -> None:
    time = Time()
    limit = WindowLimiter(2, clock=time)
    asked = [ReconnectPolicy([A], limit, clock=time) for _ in range(4)]
    steps = [each.next_step() for each in asked]
    assert steps == [Connect(A), Connect(A), Wait(60, "limit"), Wait(60, "limit")]
    time.now_s += 60
    assert [each.next_step() for each in asked[2:]] == [Connect(A), Connect(A)]


def test_a_turn_is_taken_when_the_delay_is_over() -> None:
    time = Time()
    limit = WindowLimiter(1, clock=time)
    waiting, other = (ReconnectPolicy([A], limit, clock=time) for _ in range(2))
    waiting.failed()
    assert isinstance(waiting.next_step(), Wait)
    assert other.next_step() == Connect(A)  # the one that waits for its delay holds no turn


def test_no_endpoint_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no endpoint"):
        ReconnectPolicy([], WindowLimiter(0))
