"""Steps that are taken and undone, by causes and a clock that is moved by hand."""

import random

import pytest

from tickwire.supervise.degradation import Cause, Change, Degradation, Hysteresis, Step, Sustained

ENDPOINT = Step("endpoint", frozenset({Cause.UNREACHABLE, Cause.FAILING}))
CHANNEL = Step("channel", frozenset({Cause.REFUSED, Cause.OVERLOAD}))
SYMBOLS = Step("symbols", frozenset({Cause.OVERLOAD}), levels=2)
STEPS = (ENDPOINT, CHANNEL, SYMBOLS)


class Scene:
    def __init__(self, *steps: Step) -> None:
        self.now_s = 1000.0
        self.asked = Degradation(
            steps or STEPS,
            settle_s=10,
            first_calm_s=60,
            longest_calm_s=300,
            clock=lambda: self.now_s,
        )

    def after(self, seconds: float, *causes: Cause) -> tuple[str, int] | None:
        """Look each second, for so long; give the last change."""
        found = None
        for _ in range(round(seconds)):
            self.now_s += 1
            change = self.asked.look(causes)
            if change is not None:
                assert found is None
                found = change
        return None if found is None else (found.step.name, found.level)


def test_the_first_step_that_answers_a_cause_is_taken_and_the_others_wait() -> None:
    scene = Scene()
    assert scene.after(1, Cause.OVERLOAD) == ("channel", 1)
    assert scene.after(9, Cause.OVERLOAD) is None
    assert scene.after(1, Cause.OVERLOAD) == ("symbols", 1)
    assert scene.after(10, Cause.OVERLOAD) == ("symbols", 2)
    assert scene.after(50, Cause.OVERLOAD) is None
    assert [step.name for step, _ in scene.asked.taken] == ["channel", "symbols"]
    assert scene.asked.level("endpoint") == 0


def test_a_cause_takes_its_own_steps_alone() -> None:
    scene = Scene()
    assert scene.after(1, Cause.UNREACHABLE) == ("endpoint", 1)
    assert scene.after(100, Cause.UNREACHABLE) is None


def test_steps_are_undone_in_reverse_order_once_it_is_calm() -> None:
    scene = Scene()
    assert scene.after(10, Cause.OVERLOAD) == ("channel", 1)
    assert scene.after(10, Cause.OVERLOAD) == ("symbols", 1)
    assert scene.after(10, Cause.OVERLOAD) == ("symbols", 2)
    assert scene.after(59) is None
    assert scene.after(1) == ("symbols", 1)
    assert scene.after(59) is None
    assert scene.after(1) == ("symbols", 0)
    assert scene.after(60) == ("channel", 0)
    assert scene.after(1000) is None
    assert not scene.asked.taken


def test_a_cause_that_comes_back_keeps_what_answers_it() -> None:
    scene = Scene()
    assert scene.after(1, Cause.REFUSED) == ("channel", 1)
    for _ in range(20):
        assert scene.after(50) is None
        assert scene.after(1, Cause.REFUSED) is None


def test_what_is_needed_again_soon_stays_for_longer_each_time() -> None:
    scene = Scene()
    calm = []
    for _ in range(5):
        assert scene.after(1, Cause.REFUSED) == ("channel", 1)
        began_s = scene.now_s
        while scene.after(1) != ("channel", 0):
            pass
        calm.append(scene.now_s - began_s)
        scene.now_s += 20
    assert calm == [60, 120, 240, 300, 300]
    scene.now_s += 1000  # it was well for long
    assert scene.after(1, Cause.REFUSED) == ("channel", 1)
    assert scene.after(60) == ("channel", 0)


def test_what_cannot_be_done_is_passed_over() -> None:
    scene = Scene()
    scene.now_s += 1
    change = scene.asked.look([Cause.OVERLOAD])
    assert change == Change(CHANNEL, 1, Cause.OVERLOAD)
    scene.asked.refuse(change)
    assert scene.after(1, Cause.OVERLOAD) == ("symbols", 1)
    assert [step.name for step, _ in scene.asked.taken] == ["symbols"]
    assert scene.after(100) == ("symbols", 0)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_holds_all_is_undone_in_the_end(seed: int) -> None:
    rng = random.Random(seed)
    scene = Scene()
    levels: dict[str, int] = dict.fromkeys((step.name for step in STEPS), 0)

    def look(causes: list[Cause]) -> None:
        change = scene.asked.look(causes)
        if change is not None:
            assert abs(levels[change.step.name] - change.level) == 1
            assert 0 <= change.level <= change.step.levels
            assert (change.cause is None) == (change.level < levels[change.step.name])
            levels[change.step.name] = change.level

    for _ in range(500):
        scene.now_s += rng.choice((0.1, 1, 30))
        look(rng.sample(list(Cause), rng.randrange(3)))
    for _ in range(3000):
        scene.now_s += 1
        look([])
    assert set(levels.values()) == {0}
    assert scene.asked.look([]) is None


def test_a_measure_must_be_high_for_a_while_and_then_fall_far() -> None:
    now_s = 0.0
    depth = Sustained(0.8, 0.5, 5, clock=lambda: now_s)
    found = []
    for value in (0.9, 0.9, 0.7, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.6, 0.6, 0.4, 0.9):
        found.append(depth.look(value))
        now_s += 1
    assert found == [False] * 8 + [True] * 3 + [False] * 2


def test_hysteresis_begins_with_its_first_time() -> None:
    hysteresis = Hysteresis(30, 100, clock=lambda: 5.0)
    assert hysteresis.calm_s == 30
    for calm_s in (30, 60, 100, 100):
        hysteresis.taken()
        assert hysteresis.calm_s == calm_s
        hysteresis.undone()
