"""On a clock that only moves when somebody sleeps."""

import asyncio
import random

import pytest
from structlog.testing import capture_logs

from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.session import Pacer, WindowLimiter
from tickwire.session.pacing import LOG_EVERY_S, LONGEST_DEBT_S, LimitWaits


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def times(given: list[float]) -> list[float]:
    return [round(at - 1000, 6) for at in given]


async def test_a_pacer_spaces_evenly() -> None:
    time = Time()
    pacer = Pacer(5, clock=time.clock, sleep=time.sleep)
    sent = []
    for _ in range(4):
        await pacer.turn()
        sent.append(time.now)
    time.now += 10  # nothing is saved up
    for _ in range(2):
        await pacer.turn()
        sent.append(time.now)
    assert times(sent) == [0.0, 0.2, 0.4, 0.6, 10.6, 10.8]


async def test_what_could_not_wait_is_counted() -> None:
    time = Time()
    pacer = Pacer(2, clock=time.clock, sleep=time.sleep)
    pacer.charge()
    pacer.charge()
    await pacer.turn()
    assert times([time.now]) == [1.0]


async def test_a_hold_keeps_everything_back() -> None:
    time = Time()
    pacer = Pacer(0, clock=time.clock, sleep=time.sleep)
    await pacer.turn()
    pacer.hold(7)
    await pacer.turn()
    await pacer.turn()
    assert times([time.now]) == [7.0]


async def test_no_limit_never_waits() -> None:
    time = Time()
    pacer = Pacer(0, clock=time.clock, sleep=time.sleep)
    limiter = WindowLimiter(0, clock=time.clock, sleep=time.sleep)
    for _ in range(100):
        await pacer.turn()
        await limiter.turn()
    assert time.now == 1000.0


async def test_a_window_never_holds_more_than_its_count() -> None:
    time = Time()
    limiter = WindowLimiter(3, 60, clock=time.clock, sleep=time.sleep)
    given = []
    for step in range(12):
        time.now += step % 4  # some come later
        await limiter.turn()
        given.append(time.now)
    for i, start in enumerate(given):
        assert sum(start <= at < start + 60 for at in given[i:]) <= 3
    assert given[2] - given[0] < 60  # and the first three did not wait


async def test_waiters_of_one_window_get_their_turns_in_order() -> None:
    time = Time()
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(round(seconds, 6))

    limiter = WindowLimiter(2, 60, clock=time.clock, sleep=sleep)
    await asyncio.gather(*(limiter.turn() for _ in range(6)))
    assert waits == [60.0, 60.0, 120.0, 120.0]


async def test_answers_without_end_do_not_keep_the_next_message_back_for_ever() -> None:
    time = Time()
    pacer = Pacer(1, clock=time.clock, sleep=time.sleep)
    for _ in range(1_000_000):
        pacer.charge()
    await pacer.turn()
    assert times([time.now]) == [LONGEST_DEBT_S]
    pacer.hold(60)
    pacer.charge()
    await pacer.turn()
    assert times([time.now]) == [LONGEST_DEBT_S + 60]


def test_a_turn_that_is_given_back_is_free_again() -> None:
    limiter = WindowLimiter(2, clock=lambda: 5.0)
    turns = [limiter.reserve() for _ in range(3)]
    assert [turn.at_s for turn in turns] == [5, 5, 65]
    limiter.give_back(turns[0])
    limiter.give_back(turns[0])
    assert [limiter.reserve().at_s for _ in range(2)] == [5, 65]
    unlimited = WindowLimiter(0)
    unlimited.give_back(unlimited.reserve())


def test_a_turn_that_is_given_back_is_one_s_own() -> None:
    time = Time()
    limiter = WindowLimiter(2, clock=time.clock)
    first = limiter.reserve()
    time.now += 50
    limiter.reserve()
    waiting = limiter.reserve()
    assert waiting.at_s == first.at_s + 60
    time.now += 1
    limiter.give_back(waiting)
    assert limiter.reserve().at_s == first.at_s + 60  # two have been used within the minute


def test_what_comes_first_has_a_reserve() -> None:
    time = Time()
    limiter = WindowLimiter(5, n_reserved=2, clock=time.clock)
    again = [limiter.reserve().at_s - time.now for _ in range(5)]
    assert again == [0, 0, 0, 60, 60]
    assert [limiter.reserve(first=True).at_s - time.now for _ in range(2)] == [0, 0]


def test_a_source_that_fails_leaves_the_others_their_share() -> None:
    time = Time()
    limiter = WindowLimiter(12, clock=time.clock)
    for source in ("a", "b", "c"):
        limiter.join(source)
    waits = [limiter.reserve("a").at_s - time.now for _ in range(20)]
    assert waits.count(0) == 8
    assert [limiter.reserve("b").at_s - time.now for _ in range(3)] == [0, 0, 60]
    assert [limiter.reserve("c").at_s - time.now for _ in range(3)] == [0, 0, 60]


@pytest.mark.parametrize("seed", range(10))
def test_no_window_holds_more_than_its_count_whatever_is_asked(seed: int) -> None:
    rng = random.Random(seed)
    time = Time()
    limiter = WindowLimiter(6, n_reserved=rng.randrange(3), clock=time.clock)
    limiter.join("a")
    limiter.join("b")
    turns = []
    for _ in range(120):
        time.now += rng.choice((0, 0, 0, 1, 7))
        turn = limiter.reserve(rng.choice("ab"), first=rng.random() < 0.3)
        if turn.at_s > time.now and rng.random() < 0.3:
            limiter.give_back(turn)
        else:
            turns.append(turn.at_s)
    turns.sort()
    assert all(later - earlier >= 60 for earlier, later in zip(turns, turns[6:], strict=False))


async def test_connections_share_what_the_venue_takes_in_all() -> None:
    time = Time()
    limiter = WindowLimiter(10, 1.0, keeps_shares=False, clock=time.clock)
    sent: list[tuple[float, str]] = []

    async def sleep_until(seconds: float) -> None:
        until = time.now + seconds
        while time.now < until:  # noqa: ASYNC110 - on a clock of its own
            await asyncio.sleep(0)

    async def connection(source: str, number: int) -> None:
        limiter.join(source)
        pacer = Pacer(8, shared=limiter, source=source, clock=time.clock, sleep=sleep_until)
        for _ in range(number):
            await pacer.turn()
            sent.append((time.now, source))

    working = asyncio.gather(*(connection("a", 8) for _ in range(15)), connection("b", 10))
    while not working.done():
        for _ in range(50):
            await asyncio.sleep(0)
        time.now += 0.01
    at = sorted(when for when, _ in sent)
    assert all(later - earlier >= 0.999 for earlier, later in zip(at, at[10:], strict=False))
    # One connection beside fifteen of another source: it has two a second, not ten in sixteen.
    b = [when for when, source in sent if source == "b"]
    assert max(b) - min(b) <= 5.5
    assert len(sent) == 130


def test_a_source_that_is_idle_keeps_no_share_of_a_short_window() -> None:
    limiter = WindowLimiter(10, 1.0, keeps_shares=False, clock=lambda: 5.0)
    for source in ("a", "b"):
        limiter.join(source)
    assert [limiter.reserve("a").at_s for _ in range(11)] == [5.0] * 10 + [6.0]


async def test_a_turn_of_one_who_waited_in_vain_is_given_back() -> None:
    time = Time()
    limiter = WindowLimiter(1, 60, clock=time.clock)
    never = asyncio.Event()
    waits: list[float] = []

    async def sleep(_: float) -> None:
        await never.wait()

    pacer = Pacer(0, shared=limiter, on_wait=waits.append, clock=time.clock, sleep=sleep)
    await pacer.turn()
    waiting = asyncio.ensure_future(pacer.turn())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert waits == [60.0]
    assert limiter.reserve().at_s == time.now + 60  # not 120


def test_waits_are_counted_and_logged_within_a_bound() -> None:
    time = Time()
    metrics = Metrics(labels={"source": "0", "venue": "small"})
    counter = metrics.counter("request_limit_wait_seconds")
    waits = LimitWaits(counter, lambda: get_logger("tickwire.session"), "waiting", time.clock)
    with capture_logs() as logs:
        for _ in range(300):
            waits.add(0.05, url="u")
            time.now += 0.05
        time.now += LOG_EVERY_S
        waits.add(0.05)
    assert metrics.registry.total("request_limit_wait_seconds") == pytest.approx(15.05)
    assert [line["wait_s"] for line in logs] == pytest.approx([1.0, 10.0, 4.05], abs=0.1)
