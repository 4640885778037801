"""What silences lead to, on a clock that the test moves."""

import itertools

import numpy as np
import pytest

from tickwire.session.freshness import (
    FIRST_RETRY_NS,
    LONGEST_RETRY_NS,
    WINDOW_NS,
    Freshness,
    Step,
)

S = 1_000_000_000


class Market:
    """Streams with rows, looked at every quarter of a second."""

    def __init__(self, *declared_s: float, n_endpoints: int = 1) -> None:
        self.now = 1000 * S
        self.freshness = Freshness(list(declared_s), floor_s=5, first_s=30, n_endpoints=n_endpoints)
        self.last = np.zeros(len(declared_s), np.int64)
        self.steps: list[tuple[float, int, Step]] = []
        self.start = self.now
        for number in range(len(declared_s)):
            self.freshness.acknowledged(number, self.now)

    def run(self, seconds: float, *talking: int, every_s: float = 0.25) -> list[tuple[int, Step]]:
        """Let time pass in which some streams have a row now and then; give the steps."""
        found = []
        end = self.now + round(seconds * S)
        next_row = self.now + round(every_s * S)
        while self.now < end:
            self.now += S // 4
            if self.now >= next_row:
                self.last[list(talking)] = self.now
                next_row += round(every_s * S)
            steps = self.freshness.look(self.now, self.last.copy())
            self.steps += [((self.now - self.start) / S, *step) for step in steps]
            found += steps
        return found


def test_streams_that_deliver_are_left_alone() -> None:
    market = Market(0, 0, 1)
    assert market.run(120, 0, 1, 2) == []
    assert market.freshness.threshold_s(0) == 5  # the floor
    assert market.freshness.stale == []


def test_one_that_falls_silent_among_others_is_asked_for_again_then_reconnected_then_told() -> None:
    market = Market(0, 0)
    market.run(10, 0, 1)
    assert market.run(5, 0) == [(1, Step.RESUBSCRIBE)]
    assert market.freshness.stale == [1]
    assert market.run(5, 0) == [(1, Step.RECONNECT)]
    assert market.run(5, 0) == [(1, Step.ALERT)]
    assert market.run(500, 0) == []
    assert market.run(1, 0, 1) == [(1, Step.RECOVERED)]
    assert market.freshness.stale == []


def test_the_next_endpoint_has_its_turn_where_there_is_one() -> None:
    market = Market(0, n_endpoints=2)
    market.run(10, 0)
    steps = [step for _, step in market.run(25)]
    assert steps == [Step.RESUBSCRIBE, Step.RECONNECT, Step.NEXT_ENDPOINT, Step.ALERT]


def test_after_an_alert_it_is_asked_for_again_later_each_time() -> None:
    market = Market(0)
    market.run(10, 0)
    market.run(20)
    alerted = market.steps[-1][0]
    market.run(4 * LONGEST_RETRY_NS / S)
    again = [at - alerted for at, _, step in market.steps if at > alerted]
    assert again[0] == pytest.approx(FIRST_RETRY_NS / S)
    assert again[1] - again[0] == pytest.approx(2 * FIRST_RETRY_NS / S)
    assert again[2] - again[1] == pytest.approx(4 * FIRST_RETRY_NS / S)
    assert max(b - a for a, b in itertools.pairwise(again)) <= LONGEST_RETRY_NS / S
    assert {step for at, _, step in market.steps if at > alerted} == {Step.RESUBSCRIBE}


def test_what_is_quiet_by_nature_is_given_its_time() -> None:
    market = Market(0)
    market.run(120, 0, every_s=12)
    assert market.freshness.threshold_s(0) == pytest.approx(120)
    assert market.run(119.5) == []
    assert market.run(1) == [(0, Step.RESUBSCRIBE)]


def test_a_false_alarm_is_learned_from() -> None:
    market = Market(0)
    market.run(10, 0)
    assert market.run(6) == [(0, Step.RESUBSCRIBE)]
    assert market.run(0.25, 0) == [(0, Step.RECOVERED)]
    assert market.freshness.threshold_s(0) == pytest.approx(62.5)
    assert market.run(60) == []


def test_a_silence_that_asking_again_has_ended_is_not_learned_from() -> None:
    market = Market(0)
    market.run(10, 0)
    market.run(60)
    market.freshness.acknowledged(0, market.now)
    market.run(1, 0)
    assert market.freshness.threshold_s(0) == 5


def test_an_acknowledgement_without_a_row_is_doubted_before_the_floor() -> None:
    market = Market(0, 0)
    market.run(10, 0, 1)
    market.freshness.ended(1)
    assert market.run(3, 0) == []
    market.freshness.acknowledged(1, market.now)
    assert market.run(2.25, 0) == []
    assert market.run(2, 0) == [(1, Step.DOUBT)]  # ten times 0.25 s
    assert market.run(1, 0) == [(1, Step.RESUBSCRIBE)]
    market.freshness.acknowledged(1, market.now)
    assert market.run(0.25, 0, 1) == [(1, Step.RECOVERED)]
    assert market.run(20, 0, 1) == []


def test_what_was_learned_is_forgotten() -> None:
    market = Market(0)
    market.run(120, 0, every_s=12)
    market.run(3 * WINDOW_NS / S, 0)
    assert market.freshness.threshold_s(0) == 5


def test_a_declared_cadence_counts_from_the_acknowledgement() -> None:
    market = Market(4, 0)
    assert market.run(12, 1) == [(0, Step.RESUBSCRIBE)]


def test_one_that_never_had_a_row_is_named_once_and_left_alone() -> None:
    market = Market(0, 0)
    assert market.run(29.75, 0) == []
    assert market.run(600, 0) == [(1, Step.NAME)]
    assert market.freshness.silent == [1]
    market.run(1, 0, 1)
    assert market.freshness.silent == []


def test_what_is_not_acknowledged_is_not_expected() -> None:
    market = Market(0, 1)
    market.run(10, 0, 1)
    market.freshness.ended(0)
    market.freshness.ended(1)
    assert market.run(600) == []
    market.freshness.acknowledged(0, market.now)
    assert market.run(4.75) == [(0, Step.DOUBT)]
    assert market.run(0.25) == [(0, Step.RESUBSCRIBE)]


def test_time_in_which_nothing_could_be_read_is_no_silence() -> None:
    market = Market(0)
    market.run(10, 0)
    market.now += 65 * S  # nothing looked, either
    market.freshness.hold(market.now)
    assert market.run(4.75) == []
    assert market.run(0.25) == [(0, Step.RESUBSCRIBE)]


def test_a_stream_that_waits_for_something_else_is_not_judged() -> None:
    market = Market(0, 1)
    market.run(10, 0, 1)
    for _ in range(60):
        market.freshness.wait(0, market.now)
        market.freshness.wait(1, market.now)
        assert market.run(1) == []
    assert market.run(6) == [(0, Step.RESUBSCRIBE), (1, Step.RESUBSCRIBE)]
    market.freshness.ended(0)
    market.freshness.wait(0, market.now)
    assert market.run(60) == [(1, Step.RECONNECT), (1, Step.ALERT)]


def test_looks_that_only_learn_miss_nothing() -> None:
    """Streams of every cadence: the same steps as where each look considers every stream."""
    rng = np.random.default_rng(7)
    n, looks = 24, 6000
    declared = [float(each) for each in rng.choice([0.0, 2.0, 4.0], n)]
    every, thrifty = (Freshness(declared, floor_s=5, first_s=30, n_endpoints=2) for _ in range(2))
    cadence_s = rng.choice([0.1, 1.0, 3.0, 20.0, 500.0], n)
    last = np.zeros(n, np.int64)
    n_acted, n_thrifty = 0, 0
    for at in range(looks):
        now = 1000 * S + at * S // 4
        last[rng.random(n) < 0.25 / cadence_s] = now - 1
        for number in np.flatnonzero(rng.random(n) < 0.002).tolist():
            call = ("ended", "acknowledged")[int(rng.integers(2))]
            for each in (every, thrifty):
                getattr(each, call)(number, *([now] if call == "acknowledged" else []))
        if rng.random() < 0.001:
            every.hold(now)
            thrifty.hold(now)
        every._due_ns = 0
        n_thrifty += now < thrifty._due_ns
        found = every.look(now, last)
        assert thrifty.look(now, last) == found
        n_acted += len(found)
    assert n_acted > 100
    assert n_thrifty > looks / 10
