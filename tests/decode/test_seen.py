"""The memory of trade ids against a plain list."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from tests.decode.delivered import KNOWN, Delivered

from tickwire.decode._seen import Seen


def check(seen: Seen, delivered: Delivered, trade: int, symbol: int = 0) -> bool:
    is_new = bool(seen.admit(0, symbol, trade))
    delivered.check(trade, is_new=is_new)
    return is_new


def test_ids_that_count_up_are_new_and_then_known() -> None:
    seen, delivered = Seen(1), Delivered()
    for trade in range(1, 3000):
        assert check(seen, delivered, trade)
    for trade in range(1, 3000):
        assert not check(seen, delivered, trade)


@pytest.mark.parametrize("trade", [0, 1, 2**63, 2**64 - 1, 0x9E3779B97F4A7C15])
def test_every_number_can_be_an_id(trade: int) -> None:
    seen = Seen(1)
    assert seen.admit(0, 0, trade)
    assert not seen.admit(0, 0, trade)
    assert seen.admit(0, 0, trade ^ 5)
    assert not seen.admit(0, 0, trade)


def test_id_0_is_no_greatest_id() -> None:
    seen = Seen(1)
    assert seen.admit(0, 0, 0)
    assert seen.newest(0, 0) == (0, 1)
    offsets = seen.offsets(0)
    for trade in range(1, 20):
        assert seen.admit(0, 0, trade)
    assert seen.newest(0, 0) == (19, 20)
    assert seen.offsets(0) == offsets
    assert seen.ids_after(0, 0, 17) == [18, 19]
    seen.mark()
    assert not seen.admit(0, 0, 0)
    assert seen.admit(0, 1, 0)
    seen.forget()
    assert seen.newest(0, 1) == (0, 0)
    assert seen.admit(0, 1, 0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("bits", [12, 14, 50])
def test_random_ids_against_a_list(seed: int, bits: int) -> None:
    rng = Random(seed * 100 + bits)
    seen, delivered = Seen(1), Delivered()
    ids: list[int] = []
    for _ in range(2500):
        trade = rng.getrandbits(bits)
        if ids and rng.random() < 0.3:
            trade = rng.choice(ids[-50:])
        ids.append(trade)
        check(seen, delivered, trade)


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


@pytest.mark.parametrize("is_sequence", [True, False])
def test_the_oldest_that_must_be_known_is_known_at_every_step(is_sequence: bool) -> None:
    rng = Random(2)
    seen = Seen(1)
    ids = [number if is_sequence else rng.getrandbits(50) for number in range(1, 17_000)]
    for n, trade in enumerate(ids):
        if n >= KNOWN:
            assert not seen.admit(0, 0, ids[n - KNOWN])
        assert seen.admit(0, 0, trade)


@pytest.mark.parametrize("n_before", [0, 250, 4090, 8180, 12_280])
@pytest.mark.parametrize("seed", range(3))
def test_mixed_ids_and_messages_taken_back(n_before: int, seed: int) -> None:
    rng = Random(n_before + seed)
    seen, delivered = Seen(1), Delivered()
    ids = list(range(1, n_before + 1)) if seed == 0 else rng.sample(range(2**40), n_before)
    for trade in ids:
        seen.mark()
        assert check(seen, delivered, trade)
    ids.append(0)
    for _ in range(60):
        greatest = max(ids)
        offered = [
            rng.choice(
                (
                    greatest + number,
                    rng.getrandbits(40),
                    rng.getrandbits(8),
                    ids[-min(len(ids), rng.choice((1, 2, KNOWN, KNOWN + 1)))],
                    rng.choice(ids),
                )
            )
            for number in range(rng.choice((1, 3, 20, 200)))
        ]
        for _ in range(rng.randrange(3)):
            seen.mark()
            for trade in offered:
                seen.admit(0, 0, trade)
            seen.forget()
        for trade in offered:
            if check(seen, delivered, trade):
                ids.append(trade)


@pytest.mark.parametrize("is_sequence", [True, False])
def test_neighbours_of_a_symbol_keep_their_own_ids(is_sequence: bool) -> None:
    rng = Random(3)
    seen = Seen(1)
    symbols = (0, 1, 7, 8, 63, 64, 130)
    delivered = {symbol: Delivered() for symbol in symbols}
    ids: dict[int, list[int]] = {symbol: [] for symbol in symbols}
    for number in range(1, 40_000):
        symbol = rng.choice(symbols[:3]) if rng.random() < 0.9 else rng.choice(symbols)
        trade = number if is_sequence else rng.getrandbits(50)
        assert check(seen, delivered[symbol], trade, symbol)
        ids[symbol].append(trade)
    for symbol in symbols:
        for trade in ids[symbol][-KNOWN:]:
            assert not check(seen, delivered[symbol], trade, symbol)


def test_a_message_that_is_taken_back_may_have_brought_thousands_of_symbols() -> None:
    seen = Seen(1)
    for symbol in range(10):
        seen.mark()
        assert all(seen.admit(0, symbol, trade) for trade in range(1, 13))
    for _ in range(2):
        seen.mark()
        for trade in (13, 5000, 20, 4000):
            assert all(seen.admit(0, symbol, trade + symbol) for symbol in range(5000))
        seen.forget()
    for symbol in range(10):
        assert not any(seen.admit(0, symbol, trade) for trade in range(1, 13))
    for trade in (13, 5000, 20, 4000):
        assert all(seen.admit(0, symbol, trade + symbol) for symbol in range(5000))
        assert not any(seen.admit(0, symbol, trade + symbol) for symbol in range(5000))


def test_duplicates_are_counted_and_taken_back_with_their_message() -> None:
    seen = Seen(1)
    for trade in (5, 3, 0, 5, 0):
        seen.mark()
        seen.admit(0, 0, trade)
    assert seen.n_duplicates == 2
    seen.mark()
    assert [seen.admit(0, 0, trade) for trade in (3, 9, 9)] == [False, True, False]
    assert seen.n_duplicates == 4
    for _ in range(2):
        seen.forget()
        assert seen.n_duplicates == 2


@pytest.mark.parametrize("trade", [0, 1, 500, 2**63, 2**64 - 1])
def test_trades_of_one_id_are_told_apart(trade: int) -> None:
    seen = Seen(1)
    for other in (300, 100, 900):
        assert seen.admit(0, 0, other, 1)
    for print_ in (1, 2, 3):
        assert seen.admit(0, 0, trade, print_)
    assert not any(seen.admit(0, 0, trade, print_) for print_ in (1, 2, 3))
    assert (seen.n_duplicates, seen.n_conflicts) == (3, 2)


def test_a_price_that_differs_in_its_last_bits_is_another_trade() -> None:
    seen = Seen(1)
    price = 845827551.404119287
    for _ in range(20):
        n_new = seen.remember(
            0,
            np.zeros(1, np.int32),
            np.array([0, 1], np.int32),
            np.frombuffer(b"7", np.uint8),
            np.ones(1, np.int64),
            np.array([price]),
        )
        assert n_new == 1
        price = np.nextafter(price, 0.0)


def test_the_key_of_another_trade_is_never_the_greatest_id() -> None:
    seen = Seen(1)
    for trade in range(1, 200):
        assert seen.admit(0, 0, trade, 1)
        assert seen.admit(0, 0, trade, 2)
        assert not seen.admit(0, 0, trade, 2)
        assert not seen.admit(0, 0, trade, 1)
    assert (seen.n_duplicates, seen.n_conflicts) == (2 * 199, 199)


def test_what_is_known_of_the_oldest_id_is_its_trade() -> None:
    seen = Seen(1)
    for trade in range(1, KNOWN + 1):
        assert seen.admit(0, 0, trade, trade)
    assert not seen.admit(0, 0, 1, 1)
    assert seen.admit(0, 0, 1, 2)
    assert not seen.admit(0, 0, 2, 2)


@pytest.mark.parametrize("seed", range(4))
def test_any_trades_of_any_ids_and_messages_taken_back(seed: int) -> None:
    rng = Random(seed)
    seen = Seen(1)
    delivered: set[tuple[int, int]] = set()
    ids: set[int] = set()
    n_duplicates = n_conflicts = 0
    for _ in range(400):
        trades = [
            (rng.choice((rng.randrange(300), rng.getrandbits(64))), rng.randrange(3))
            for _ in range(rng.choice((1, 3, 12)))
        ]
        if rng.random() < 0.4:
            seen.mark()
            for trade in trades:
                seen.admit(0, 0, *trade)
            seen.forget()
        assert (seen.n_duplicates, seen.n_conflicts) == (n_duplicates, n_conflicts)
        for trade in trades:
            is_new = trade not in delivered
            assert seen.admit(0, 0, *trade) == is_new
            n_duplicates += not is_new
            n_conflicts += is_new and trade[0] in ids
            delivered.add(trade)
            ids.add(trade[0])
    assert len(delivered) < KNOWN


def test_ids_after_one_are_those_that_are_remembered() -> None:
    seen = Seen(2)
    assert seen.newest(0, 3) == (0, 0)
    assert seen.ids_after(0, 3, 0) == []
    for trade in (5, 3, 9, 8, 20, 21, 22, 30, 29):
        assert seen.admit(0, 3, trade)
    assert seen.newest(0, 3) == (30, 9)
    assert seen.ids_after(0, 3, 0) == [3, 5, 8, 9, 20, 21, 22, 29, 30]
    assert seen.ids_after(0, 3, 20) == [21, 22, 29, 30]
    assert seen.ids_after(0, 3, 30) == []
    assert seen.ids_after(1, 3, 0) == []
    for trade in range(100, 10_000):
        assert seen.admit(0, 3, trade)
    assert seen.newest(0, 3) == (9_999, 9_909)
    assert seen.ids_after(0, 3, 0) == list(range(10_000 - KNOWN, 10_000))


def remember(seen: Seen, ids: list[str], codes: list[int], times: list[int] | None = None) -> int:
    texts = "".join(ids).encode()
    offsets = np.cumsum([0, *(len(each.encode()) for each in ids)], dtype=np.int32)
    when = np.array(times or [1] * len(ids), np.int64)
    prices = np.ones(len(ids))
    data = np.frombuffer(texts, np.uint8)
    return seen.remember(0, np.array(codes, np.int32), offsets, data, when, prices)


def test_trades_of_an_earlier_run_are_known_and_not_counted() -> None:
    seen = Seen(1)
    assert remember(seen, ["5", "7", "6", "7", "0"], [0, 0, 1, 0, -1]) == 3
    assert seen.newest(0, 0) == (7, 2)
    assert seen.newest(0, 1) == (6, 1)
    assert (seen.n_duplicates, seen.n_conflicts) == (0, 0)
    assert seen.take_again(0) == 0
    # Of another time, so another trade of that id: remembered as such, and not counted either.
    assert remember(seen, ["7"], [0], [2]) == 1
    assert seen.n_conflicts == 0
    assert remember(seen, [], []) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"memory": 1},
        {"memory": -1},
        {"offsets": np.array([0], np.int32)},
        {"offsets": np.array([0, 9], np.int32)},
        {"offsets": np.array([1, 0], np.int32)},
        {"times": np.zeros(2, np.int64)},
    ],
)
def test_columns_that_do_not_fit_are_refused(change: dict[str, Any]) -> None:
    given: dict[str, Any] = {
        "memory": 0,
        "symbols": np.zeros(1, np.int32),
        "offsets": np.array([0, 1], np.int32),
        "texts": np.frombuffer(b"5", np.uint8),
        "times": np.zeros(1, np.int64),
        "prices": np.ones(1),
    }
    with pytest.raises(ValueError, match=r"columns of as many|ends before"):
        Seen(1).remember(**{**given, **change})
