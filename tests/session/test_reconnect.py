"""When and where to connect next: decided by events and a clock, no socket and no loop in sight."""

import itertools
import random

import pytest

from tickwire.errors import HandshakeError
from tickwire.session import Connect, ReconnectPolicy, Wait, WindowLimiter
from tickwire.session.reconnect import LOOK_S
from tickwire.supervise import Breakers, BreakerState
from tickwire.supervise.breaker import THRESHOLD

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


def delay_of(asked: ReconnectPolicy) -> float:
    """Give the delay of the backoff; 0 without one."""
    step = asked.next_step()
    return step.seconds if isinstance(step, Wait) and step.reason == "backoff" else 0.0


def test_two_retries_come_at_once_and_then_delays_double_up_to_the_longest() -> None:
    time = Time()
    asked = policy(time)
    for longest_s in (0.1, 0.1, 1, 2, 4, 8, 16, 30, 30):
        wait_of(asked, time)
        asked.failed()
        delay_s = delay_of(asked)
        assert delay_s <= longest_s
        assert longest_s == 0.1 or delay_s >= longest_s / 2


def test_a_connection_that_was_well_starts_the_delays_over_at_the_same_endpoint() -> None:
    time = Time()
    asked = policy(time, A, B)
    for _ in range(6):
        wait_of(asked, time)
        asked.failed()
    _, url = wait_of(asked, time)
    asked.connected()
    asked.healthy()
    asked.ended()
    waited_s, again = wait_of(asked, time)
    assert again == url
    assert waited_s <= 0.1


def test_a_link_that_became_well_starts_the_delays_and_the_row_of_failures_over() -> None:
    time = Time()
    breakers = Breakers(clock=time)
    asked = ReconnectPolicy([A], WindowLimiter(0, clock=time), breakers.of, clock=time)
    for _ in range(THRESHOLD - 1):
        wait_of(asked, time)
        asked.connected()
        asked.ended()
    wait_of(asked, time)
    asked.connected()
    asked.healthy()  # and stays open
    for _ in range(THRESHOLD - 1):
        breakers.of(A).failed()  # of another session
    assert breakers.of(A).state is BreakerState.CLOSED
    asked.ended()
    assert wait_of(asked, time)[0] <= 0.1


def test_a_connection_that_dies_young_is_a_failure() -> None:
    time = Time()
    asked = policy(time, A, B)
    waits = []
    for _ in range(5):
        waits.append(wait_of(asked, time))
        asked.connected()
        asked.ended()
    assert [url for _, url in waits] == [A, B, A, B, A]
    assert [waited_s > 0.4 for waited_s, _ in waits] == [False, False, False, True, True]


def test_a_connection_that_is_left_for_the_next_endpoint_is_followed_by_that_one() -> None:
    time = Time()
    breakers = Breakers(clock=time)
    asked = ReconnectPolicy([A, B], WindowLimiter(0, clock=time), breakers.of, clock=time)
    assert asked.next_step() == Connect(A)
    asked.connected()
    asked.turn_to_next()
    asked.ended()
    assert (breakers.of(A).n_failures, breakers.of(B).n_failures) == (1, 0)
    assert wait_of(asked, time)[1] == B


def test_an_endpoint_whose_breaker_is_open_is_passed_over() -> None:
    time = Time()
    breakers = Breakers(clock=time)
    asked = ReconnectPolicy([A, B], WindowLimiter(0, clock=time), breakers.of, clock=time)
    assert asked.next_step() == Connect(A)
    asked.failed(503, stay_away_s=40)
    assert wait_of(asked, time)[1] == B
    asked.ended()
    assert wait_of(asked, time)[1] == B
    asked.failed(503, stay_away_s=5)
    began_s = time.now_s
    assert wait_of(asked, time)[1] == B
    assert 5 <= time.now_s - began_s <= 6


def test_a_venue_that_wants_no_connect_gets_none_from_any_session_until_then() -> None:
    time = Time()
    breakers = Breakers(clock=time)
    one, other = (
        ReconnectPolicy([A], WindowLimiter(0, clock=time), breakers.of, clock=time)
        for _ in range(2)
    )
    assert [one.next_step(), other.next_step()] == [Connect(A), Connect(A)]
    one.failed(429, stay_away_s=90)
    other.failed()
    assert one.endpoint_to_probe() is None
    time.now_s += 89
    assert [each.next_step() for each in (one, other)] == [Wait(LOOK_S, "breaker")] * 2
    time.now_s += 1.5
    assert [one.next_step(), other.next_step()] == [Connect(A), Wait(LOOK_S, "breaker")]
    one.connected()
    assert other.next_step() == Connect(A)


@pytest.mark.parametrize(("retry_after", "least_s"), [("1", 1.0), ("4", 4.0), ("", 2.0)])
def test_a_connect_that_comes_too_soon_is_tried_again_when_the_venue_says(
    retry_after: str, least_s: float
) -> None:
    time = Time()
    asked = ReconnectPolicy([A], WindowLimiter(0, clock=time), Breakers(clock=time).of, clock=time)
    assert asked.next_step() == Connect(A)
    asked.connect_failed(HandshakeError("HTTP 429", status=429, retry_after=retry_after))
    began_s = time.now_s
    wait_of(asked, time)
    assert least_s <= time.now_s - began_s <= least_s + LOOK_S


def test_an_attempt_that_is_given_up_leaves_the_trial_to_another() -> None:
    time = Time()
    breakers = Breakers(clock=time)
    breakers.of(A).failed(stay_away_s=1)
    time.now_s += 10
    one, other = (
        ReconnectPolicy([A], WindowLimiter(0, clock=time), breakers.of, clock=time)
        for _ in range(2)
    )
    assert isinstance(one.next_step(), Connect)
    assert isinstance(other.next_step(), Wait)
    one.given_up()
    assert isinstance(other.next_step(), Connect)


@pytest.mark.parametrize("seed", range(20))
def test_what_cannot_be_reached_is_probed_every_two_seconds_and_tried_when_it_is_there(
    seed: int,
) -> None:
    time = Time()
    asked = policy(time, seed=seed, per_min=6)
    probes: list[float] = []
    n_connects = 0
    back_s = time.now_s + 60
    while True:
        step = asked.next_step()
        if isinstance(step, Connect):
            n_connects += 1
            if time.now_s >= back_s:
                break
            asked.unreachable()
        elif step.reason == "breaker" and (url := asked.endpoint_to_probe()) is not None:
            probes.append(time.now_s)
            if time.now_s >= back_s:
                asked.probed(url)
        else:
            time.now_s += step.seconds
    assert time.now_s - back_s <= 2.5
    assert all(later - earlier <= 5.5 for earlier, later in itertools.pairwise(probes))
    assert n_connects <= 20


def test_what_cannot_be_reached_costs_no_turn_of_the_limit() -> None:
    time = Time()
    asked = policy(time, A, B, per_min=2)
    for _ in range(4):
        assert isinstance(asked.next_step(), Connect)
        asked.unreachable()
        time.now_s += 3
    assert wait_of(asked, time)[0] == 0
    asked.healthy()
    asked.ended()
    assert wait_of(asked, time)[0] <= 1
    asked.healthy()
    asked.ended()
    time.now_s += 1
    step = asked.next_step()  # the third within a minute
    assert isinstance(step, Wait)
    assert step.reason == "limit"
    assert step.seconds > 50


def test_a_first_reconnect_may_use_the_reserve() -> None:
    time = Time()
    limit = WindowLimiter(5, n_reserved=1, clock=time)
    asked, well = (ReconnectPolicy([A], limit, clock=time) for _ in range(2))
    assert well.next_step() == Connect(A)
    for _ in range(3):
        wait_of(asked, time)
        asked.ended()
    time.now_s += 5
    step = asked.next_step()
    assert isinstance(step, Wait)
    assert step.reason == "limit"
    well.healthy()
    well.ended()
    assert wait_of(well, time)[0] <= 0.1
    well.failed()  # so the next attempt is not the first: it has no reserve
    while isinstance(step := well.next_step(), Wait) and step.reason == "backoff":
        time.now_s += step.seconds
    assert isinstance(step, Wait)
    assert step.reason == "limit"


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
