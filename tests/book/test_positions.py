"""Levels that are removed by their position: which prices their rows get."""

import random
import time

import pytest

from tickwire.book import BookPositions

BOOK = [
    *(("bid", price, 1.0) for price in (99.0, 98.0, 97.0, 96.0)),
    *(("ask", price, 2.0) for price in (101.0, 102.0, 103.0)),
]


def filled(most: int = 20) -> BookPositions:
    positions = BookPositions(most)
    assert positions.apply(0, BOOK, is_snapshot=True, time=5) == BOOK
    return positions


def test_positions_count_from_the_best_before_the_message() -> None:
    positions = filled()
    # In any order; the level that is set first does not move the others.
    rows = [("bid", 99.5, 7.0), ("bid", 2, -1), ("bid", 0, -1), ("ask", 1, -1)]
    assert positions.apply(0, rows, time=6) == [
        ("bid", 99.5, 7.0), ("bid", 97.0, 0.0), ("bid", 99.0, 0.0), ("ask", 102.0, 0.0),
    ]  # fmt: skip
    assert positions.apply(0, [("bid", 0, -1), ("bid", 1, -1)], time=6) == [
        ("bid", 99.5, 0.0), ("bid", 98.0, 0.0),
    ]  # fmt: skip


def test_a_level_that_is_removed_and_set_is_set() -> None:
    rows = [("bid", 98.0, 7.0), ("bid", 1, -1)]
    assert filled().apply(0, rows, time=6) == [("bid", 98.0, 7.0), ("bid", 98.0, 7.0)]


@pytest.mark.parametrize(
    "row",
    [
        ("bid", 4, -1),  # no level there
        ("bid", -1, -1),
        ("ask", 0.5, -1),
        ("bid", float("nan"), -1),
        ("bid", 101.0, 1.0),  # crosses
    ],
)
def test_what_does_not_fit_is_refused(row: tuple[str, float, float]) -> None:
    assert filled().apply(0, [row], time=6) is None


def test_more_levels_than_a_side_can_have_do_not_fit() -> None:
    positions = filled(4)
    assert positions.most == 4
    assert positions.apply(0, [("ask", 104.0, 1.0)], time=6) is not None
    assert positions.apply(0, [("ask", 105.0, 1.0)], time=6) is None


def test_far_more_levels_than_a_side_can_have_take_no_search_each() -> None:
    n = 30_000
    levels: list[tuple[str, float, float]] = [("bid", 1.0 + at, 1.0) for at in range(n)]
    levels += [("bid", 1.0 + n + at, 0.0) for at in range(n)]
    start = time.process_time()
    assert BookPositions(20).apply(0, levels, is_snapshot=True) is None
    assert time.process_time() - start < 0.5  # it was more than a second


def test_a_whole_book_has_no_positions() -> None:
    positions = filled()
    assert positions.apply(0, [*BOOK, ("bid", 0, -1)], is_snapshot=True, time=6) is None
    assert positions.apply(0, BOOK, is_snapshot=True, time=6) == BOOK


def test_times_that_fall_do_not_fit_and_a_snapshot_begins_again() -> None:
    positions = filled()
    assert positions.apply(0, [("bid", 90.0, 1.0)], time=4) is None
    assert positions.apply(0, BOOK, is_snapshot=True, time=3) == BOOK
    assert positions.apply(0, [("bid", 3, -1)], time=3) == [("bid", 96.0, 0.0)]
    assert positions.apply(0, [], time=1) == []


def test_symbols_have_books_of_their_own() -> None:
    positions = filled()
    assert positions.apply(70, [("bid", 0, -1)], time=1) is None
    assert positions.apply(70, [("bid", 5.0, 1.0)], is_snapshot=True, time=1) is not None
    assert positions.apply(70, [("bid", 0, -1)], time=1) == [("bid", 5.0, 0.0)]
    assert positions.apply(0, [("bid", 0, -1)], time=6) == [("bid", 99.0, 0.0)]


def test_a_book_without_a_level_is_refused_none_at_all() -> None:
    with pytest.raises(ValueError, match="most is 0"):
        BookPositions(0)


def test_rows_applied_in_their_order_make_the_book_of_a_slow_one() -> None:
    rng = random.Random(3)
    positions = BookPositions(12)
    slow: dict[float, float] = {}
    applied: dict[float, float] = {}
    for number in range(3000):
        if number % 500 == 0:
            slow = {float(price): 1.0 for price in rng.sample(range(100), 10)}
            rows = [("bid", price, size) for price, size in slow.items()]
            applied = dict(slow)
            assert positions.apply(0, rows, is_snapshot=True, time=number) == rows
            continue
        best_first = sorted(slow, reverse=True)
        gone = rng.sample(range(len(slow)), rng.randrange(0, len(slow)))
        for at in gone:
            del slow[best_first[at]]
        n_more = min(rng.randrange(0, 4), 12 - len(slow))
        more = {float(rng.randrange(100)): rng.random() + 0.1 for _ in range(n_more)}
        slow |= more
        rows = [("bid", float(at), -1.0) for at in gone] + [("bid", *each) for each in more.items()]
        rng.shuffle(rows)
        placed = positions.apply(0, rows, time=number)
        assert placed is not None
        for _, price, size in placed:
            if size:
                applied[price] = size
            else:
                del applied[price]
        assert applied == slow
