"""The memory of trade ids against a plain list."""

from __future__ import annotations

from random import Random

import pytest

from tickwire.decode._seen import Seen

KNOWN = 4096


class Plain:
    """All ids of a symbol in the order in which they came."""

    def __init__(self) -> None:
        self.ids: list[int] = []

    def must_know(self, trade: int) -> bool:
        return trade in self.ids[-KNOWN:]

    def may_know(self, trade: int) -> bool:
        return trade in self.ids


def check(seen: Seen, plain: Plain, trade: int, symbol: int = 0) -> bool:
    """Offer an id; ids older than the last 4,096 may be known or forgotten."""
    is_new = seen.admit(0, symbol, trade)
    if plain.must_know(trade):
        assert not is_new
    elif not plain.may_know(trade):
        assert is_new
    if is_new:
        plain.ids.append(trade)
    return bool(is_new)


def test_ids_that_count_up_are_new_and_then_known() -> None:
    seen, plain = Seen(1), Plain()
    for trade in range(1, 3000):
        assert check(seen, plain, trade)
    for trade in range(1, 3000):
        assert not check(seen, plain, trade)


@pytest.mark.parametrize("trade", [0, 1, 2**63, 2**64 - 1, 0x9E3779B97F4A7C15])
def test_every_number_can_be_an_id(trade: int) -> None:
    seen = Seen(1)
    assert seen.admit(0, 0, trade)
    assert not seen.admit(0, 0, trade)
    assert seen.admit(0, 0, trade ^ 5)
    assert not seen.admit(0, 0, trade)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("bits", [12, 14, 50])
def test_random_ids_against_a_list(seed: int, bits: int) -> None:
    rng = Random(seed * 100 + bits)
    seen, plain = Seen(1), Plain()
    for _ in range(2500):
        trade = (
            rng.choice(plain.ids[-50:])
            if plain.ids and rng.random() < 0.3
            else rng.getrandbits(bits)
        )
        check(seen, plain, trade)


def test_the_last_4096_are_known_however_many_came() -> None:
    rng = Random(1)
    seen = Seen(1)
    ids = [rng.getrandbits(50) for _ in range(40_000)]
    assert len(set(ids)) == len(ids)
    for n, trade in enumerate(ids):
        assert seen.admit(0, 0, trade)
        if n % 1111 == 0:
            for known in ids[max(0, n + 1 - KNOWN) : n + 1]:
                assert not seen.admit(0, 0, known)


def test_symbols_and_memories_have_their_own_ids() -> None:
    seen = Seen(3)
    for memory in range(3):
        for symbol in (0, 1, 63, 64, 5000):
            assert seen.admit(memory, symbol, 7)
    for memory in range(3):
        for symbol in (0, 1, 63, 64, 5000):
            assert not seen.admit(memory, symbol, 7)


@pytest.mark.parametrize("n_before", [0, 1, 63, 64, 65, 5000, 8191, 8192, 8193, 20_000])
@pytest.mark.parametrize("n_taken_back", [1, 64, 5000, 9000])
def test_what_is_taken_back_was_never_there(n_before: int, n_taken_back: int) -> None:
    rng = Random(n_before * 7 + n_taken_back)
    ids = [rng.getrandbits(50) for _ in range(n_before + n_taken_back)]
    before, after = ids[:n_before], ids[n_before:]
    seen = Seen(1)
    for trade in before:
        seen.mark()
        assert seen.admit(0, 0, trade)
    for _ in range(2):
        seen.mark()
        for trade in after:
            assert seen.admit(0, 0, trade)
        assert not seen.admit(0, 0, after[-1])
        seen.forget()
    for trade in before[-KNOWN:]:
        assert not seen.admit(0, 0, trade)
    for trade in after:
        assert seen.admit(0, 0, trade)


def test_marks_take_back_only_what_came_after_them() -> None:
    seen = Seen(1)
    for trade in (5, 3, 9):
        assert seen.admit(0, 0, trade)
    seen.mark()
    assert seen.admit(0, 0, 4)
    assert seen.admit(0, 1, 4)
    seen.forget()
    seen.forget()
    assert [seen.admit(0, 0, trade) for trade in (5, 3, 9, 4)] == [False, False, False, True]
    assert seen.admit(0, 1, 4)


def test_ids_taken_back_are_not_in_the_place_of_the_oldest() -> None:
    seen = Seen(1)
    for trade in range(1, 8181):
        seen.mark()
        assert seen.admit(0, 0, trade)
        # So many that the set of the first of them need not be made anew any more.
        assert trade != 2100 or not seen.admit(0, 0, 5)
    seen.mark()
    for trade in range(10**6, 10**6 + 3990):
        assert seen.admit(0, 0, trade)
    seen.forget()
    assert seen.admit(0, 0, 10**9)
    for trade in range(10**6 + 3000, 10**6 + 3010):
        assert seen.admit(0, 0, trade)
        assert not seen.admit(0, 0, trade)
    for trade in range(8180 - KNOWN + 11, 8181):
        assert not seen.admit(0, 0, trade)
