"""The memory of legs against a plain list, and what legs make of a real decoder."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwire.decode import Legs
from tickwire.observe import Histogram

SECOND = 1_000_000_000


class Reference:
    """What legs have brought, without any bound: texts by how often each leg brought them."""

    def __init__(self, n_legs: int) -> None:
        self.brought = [Counter[str]() for _ in range(n_legs)]
        self.delivered = Counter[str]()

    def offer(self, leg: int, text: str, repeats: bool) -> bool:
        if repeats:
            self.brought[leg][text] += 1
            is_new = self.brought[leg][text] > self.delivered[text]
        else:
            is_new = text not in self.delivered
        self.delivered[text] += is_new
        return is_new


@st.composite
def deliveries(draw: st.DrawFn) -> list[tuple[int, str, bool]]:
    """Two or three legs in any interleaving, each in order, with losses and repeats."""
    n = draw(st.integers(1, 60))
    # Few texts that repeat, so that many messages have the same one.
    texts = [
        (f"ticker {draw(st.integers(0, 2))}", True) if draw(st.booleans()) else (f"{i}", False)
        for i in range(n)
    ]
    legs = []
    for _ in range(draw(st.integers(2, 3))):
        kept = []
        for text in texts:
            what = draw(st.sampled_from(("sent",) * 8 + ("lost", "again")))
            kept += [] if what == "lost" else [text]
            kept += [text] if what == "again" and not text[1] else []
        legs.append(kept)
    found = []
    while any(legs):
        leg = draw(st.sampled_from([at for at, left in enumerate(legs) if left]))
        found.append((leg, *legs[leg].pop(0)))
    return found


@given(deliveries())
def test_the_first_copy_wins_exactly_once(sent: list[tuple[int, str, bool]]) -> None:
    memory, reference = Legs(), Reference(3)
    legs = [memory.join(number) for number in range(3)]
    for at, (leg, text, repeats) in enumerate(sent):
        is_new = legs[leg].offer(text.encode(), at, repeats=repeats)
        assert is_new == reference.offer(leg, text, repeats), (at, leg, text)
    n_first = sum(memory.count(number, "first") for number in range(3))
    assert n_first == reference.delivered.total()


@pytest.mark.parametrize("lag", [1, 700, 5000])
def test_a_leg_may_be_late(lag: int) -> None:
    memory = Legs()
    early, late = memory.join(0), memory.join(1)
    for n in range(20_000):
        assert early.offer(b"%d" % n, n * 1_000_000)
        if n >= lag:
            assert not late.offer(b"%d" % (n - lag), n * 1_000_000)
    assert memory.count(1, "late") == 20_000 - lag
    assert memory.count(1, "lost") == 0
    late.leave()
    assert memory.count(1, "lost") == lag


@pytest.mark.volume
def test_what_all_legs_have_brought_is_forgotten_after_a_time() -> None:
    memory = Legs()
    legs = [memory.join(0), memory.join(1)]
    for n in range(100_000):
        legs[n % 2].offer(b"%d" % n, n * 10_000_000)
        legs[1 - n % 2].offer(b"%d" % n, n * 10_000_000)
    assert 1000 <= memory.n_messages <= 1100  # ten seconds, 100 a second


def test_a_leg_that_is_silent_holds_the_memory_until_it_brings_something() -> None:
    memory = Legs()
    busy, silent = memory.join(0), memory.join(1)
    for n in range(50_000):
        busy.offer(b"%d" % n, n * 10_000_000)
    assert memory.n_messages == 50_000
    assert not silent.offer(b"49000", 500 * SECOND)
    for n in range(50_000, 70_000):
        busy.offer(b"%d" % n, n * 10_000_000)
    assert memory.n_messages == 20_999  # from what the silent leg has brought last
    assert memory.count(1, "lost") == 49_000


@pytest.mark.volume
def test_a_leg_that_is_later_than_the_memory_brings_nothing_any_more() -> None:
    memory = Legs()
    busy, late = memory.join(0), memory.join(1)
    n_most = 1 << 20
    for n in range(n_most):
        busy.offer(b"%d" % n, n)
    assert memory.n_messages == n_most
    assert not late.is_behind
    assert busy.offer(b"one more", n_most)
    assert late.is_behind
    assert not late.offer(b"0", n_most)  # forgotten, and no second time
    assert memory.count(1, "refused") == 1
    late.leave()
    assert not memory.join(1).is_behind


def test_a_connection_that_joins_gets_what_was_sent_before_at_most_once() -> None:
    memory = Legs()
    first = memory.join(0)
    for _ in range(3):
        assert first.offer(b"ticker", 1, repeats=True)
    assert first.offer(b"time 5", 1)
    second = memory.join(1)
    assert not second.offer(b"ticker", 2, repeats=True)  # what a venue sends after a subscribe
    assert not second.offer(b"time 5", 2)
    assert second.offer(b"ticker", 3, repeats=True)
    assert not first.offer(b"ticker", 3, repeats=True)
    assert memory.count(1, "lost") == memory.count(0, "lost") == 0


def test_lateness_is_measured_from_the_first_copy() -> None:
    lateness = Histogram()
    memory = Legs([None, lateness])
    early, late = memory.join(0), memory.join(1)
    for n in range(10):
        early.offer(b"%d" % n, n * SECOND)
        late.offer(b"%d" % n, n * SECOND + 200)
        late.offer(b"%d" % n, n * SECOND + 900)  # the venue repeats itself
    assert lateness.count == 10
    assert lateness.percentile(50) == pytest.approx(200, rel=0.01)


def test_same_texts_beyond_what_a_count_holds() -> None:
    memory = Legs()
    legs = [memory.join(0), memory.join(1)]
    for n in range(2000):
        assert legs[0].offer(b"same", n, repeats=True)
        assert not legs[1].offer(b"same", n, repeats=True)


def test_there_are_eight_connections_at_most() -> None:
    memory = Legs()
    legs = [memory.join(number % 4) for number in range(8)]
    with pytest.raises(ValueError, match="more than 8"):
        memory.join(0)
    with pytest.raises(ValueError, match="leg 8"):
        memory.join(8)
    legs[3].leave()
    legs[3].leave()
    assert memory.join(0).offer(b"x", 1)
    with pytest.raises(ValueError, match="a connection is there"):
        memory.clear()


def test_cleared_it_is_empty() -> None:
    memory = Legs()
    leg = memory.join(0)
    rng = Random(1)
    for _ in range(5000):
        leg.offer(rng.randbytes(8), 0)
    leg.leave()
    memory.clear()
    assert memory.n_messages == 0
    assert memory.join(0).offer(b"x", 1)


def test_a_leg_is_quiet_that_brings_nothing_of_what_others_bring() -> None:
    legs = Legs()
    first, second = legs.join(0), legs.join(0, is_complete=False)
    assert first.offer(b"a", 1)
    assert not second.is_quiet  # it was not to bring that
    second.complete()
    assert not second.is_quiet  # nothing was to be brought yet
    assert first.offer(b"b", 2)
    assert second.is_quiet
    assert not first.is_quiet
    assert not second.offer(b"b", 3)
    assert not second.is_quiet
    assert second.offer(b"c", 4)
    second.leave()
    assert not second.is_quiet
