"""The compiled book against a slow one, after every message."""

import gc
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.book.slow_book import Side, SlowBook

from tickwire.book import OrderBook

PRICES = st.integers(-8, 40).map(lambda n: n / 4)  # negative ones, as of spreads, too
SIZES = st.sampled_from([0.0, 0.0, 0.5, 1.0, 2.0])
LEVELS = st.lists(st.tuples(st.sampled_from(["bid", "ask"]), PRICES, SIZES), max_size=12)
MESSAGES = st.lists(st.tuples(LEVELS, st.booleans() | st.just(False)), max_size=40)


def assert_equal(book: OrderBook, slow: SlowBook) -> None:
    """Compare everything that a book shows."""
    bids, asks = slow.sorted("bid"), slow.sorted("ask")
    assert book.top(5) == (bids[:5], asks[:5])
    assert (book.n_orphans, book.n_truncated) == (slow.n_orphans, slow.n_truncated)
    assert (book.is_crossed, book.n_crossed) == (slow.is_crossed, slow.n_crossed)
    assert book.n_levels == len(bids) + len(asks)
    best = [value for side in (bids, asks) for value in (side or [(np.nan, np.nan)])[0]]
    np.testing.assert_array_equal(book.best(), best)
    n = len(bids) // 2
    assert book.bids(n).tolist() == bids[:n]
    assert book.top(10**6) == (bids, asks)
    assert book.bids().tolist() == bids
    assert book.asks().tolist() == asks


@given(MESSAGES, st.sampled_from([0, 1, 3, 10]))
def test_every_message_gives_the_slow_book(messages: list[Any], depth: int) -> None:
    book, slow = OrderBook(depth), SlowBook(depth)
    for levels, is_snapshot in messages:
        book.apply(levels, is_snapshot=is_snapshot)
        slow.apply(levels, is_snapshot=is_snapshot)
        assert_equal(book, slow)


def random_message(rng: np.random.Generator, spread: float, n: int) -> list[Any]:
    """Give changes whose distance from the middle is distributed exponentially."""
    sides: list[Side] = ["bid", "ask"]
    changes = []
    for _ in range(n):
        is_ask = int(rng.integers(2))
        ticks = int(rng.exponential(spread)) + 1
        price = 100_000 + (ticks if is_ask else -ticks)
        changes.append((sides[is_ask], float(price), float(rng.integers(0, 3))))
    return changes


@pytest.mark.volume
@pytest.mark.parametrize(("spread", "depth"), [(5, 0), (60, 100), (900, 0), (900, 1000), (6000, 0)])
def test_large_books_stay_equal(spread: float, depth: int) -> None:
    """Free slots, layouts and truncation: sizes at which each of them happens."""
    rng = np.random.default_rng(int(spread) + depth)
    book, slow = OrderBook(depth), SlowBook(depth)
    snapshot = [
        (side, float(100_000 + sign * tick), 1.0)
        for side, sign in (("bid", -1), ("ask", 1))
        for tick in sorted({int(t) + 1 for t in rng.exponential(spread, 6000)})
    ]
    for each in (book, slow):
        each.apply(snapshot, is_snapshot=True)  # type: ignore[arg-type]
    for number in range(1000):
        message = random_message(rng, spread, 8)
        book.apply(message)
        slow.apply(message)
        if number % 100 == 0:
            assert_equal(book, slow)  # which packs the free slots away
        elif number % 10 == 0:
            bids, asks = slow.sorted("bid"), slow.sorted("ask")
            assert book.top(10**6) == (bids, asks)
            assert book.n_levels == len(bids) + len(asks)
    assert_equal(book, slow)


def test_levels_that_only_come_keep_the_book_sorted() -> None:
    """Thousands of inserts in one place use all free slots up, so the side is laid out anew."""
    book, slow = OrderBook(), SlowBook()
    start = [("bid", float(i), 1.0) for i in range(0, 20_000, 4)]
    for each in (book, slow):
        each.apply(start, is_snapshot=True)  # type: ignore[arg-type]
    for price in np.linspace(9000.01, 9003.9, 2000):
        book.apply([("bid", float(price), 2.0)])
        slow.apply([("bid", float(price), 2.0)])
    assert_equal(book, slow)
    assert book.n_bytes < 24 * book.n_levels


@pytest.mark.parametrize("n", [1, 7, 2000])
@pytest.mark.parametrize("order", ["best first", "worst first", "shuffled", "twice"])
def test_a_snapshot_may_have_any_order(n: int, order: str) -> None:
    prices = [float(i) for i in range(n, 0, -1)]
    if order == "worst first":
        prices.reverse()
    elif order == "shuffled":
        np.random.default_rng(1).shuffle(prices)
    elif order == "twice":
        prices += prices
    levels: list[tuple[Any, float, float]] = [("bid", p, i + 1.0) for i, p in enumerate(prices)]
    levels += [("ask", p + n, i + 1.0) for i, p in enumerate(prices)]
    book, slow = OrderBook(), SlowBook()
    book.apply([("bid", 0.5, 1.0), ("ask", 9e9, 1.0)])  # must go
    book.apply(levels, is_snapshot=True)
    slow.apply(levels, is_snapshot=True)
    assert_equal(book, slow)
    book.apply([("ask", 0.25, 1.0)])
    slow.apply([("ask", 0.25, 1.0)])
    assert_equal(book, slow)
    assert book.is_crossed


def test_an_empty_snapshot_clears_the_book() -> None:
    book = OrderBook()
    book.apply([("bid", 1.0, 1.0), ("ask", 2.0, 1.0)])
    book.apply([], is_snapshot=True)
    assert book.top(9) == ([], [])
    assert book.bids().tolist() == []
    assert np.isnan(book.best()).all()


def test_clear_forgets_levels_and_errors() -> None:
    book = OrderBook()
    book.apply([("bid", 2.0, 1.0), ("ask", 1.0, 1.0)])
    assert book.is_crossed
    book.clear()
    assert (book.top(9), book.n_levels, book.is_crossed) == (([], []), 0, False)
    assert book.n_crossed == 1  # counts stay
    book.apply([("bid", 1.0, 3.0)])
    assert book.top(9) == ([(1.0, 3.0)], [])


def test_levels_without_price_or_size_change_nothing() -> None:
    book = OrderBook()
    book.apply([("bid", 1.0, 1.0)])
    book.apply([("bid", float("nan"), 1.0), ("bid", 1.0, float("nan")), ("ask", -2.5, 1.0)])
    assert book.top(9) == ([(1.0, 1.0)], [(-2.5, 1.0)])


def test_a_price_of_zero_is_one_level_whatever_its_sign() -> None:
    book = OrderBook()
    book.apply([("bid", 0.0, 1.0), ("bid", -0.0, 2.0), ("bid", -1.0, 3.0), ("bid", 1.0, 4.0)])
    assert book.top(9)[0] == [(1.0, 4.0), (0.0, 2.0), (-1.0, 3.0)]
    book.apply([("bid", -0.0, 1.0), ("bid", 5.0, 1.0)], is_snapshot=True)
    book.apply([("bid", 0.0, 0.0)])
    assert book.top(9)[0] == [(5.0, 1.0)]


def test_views_are_no_copies_and_outlive_the_book() -> None:
    """A side that grows moves to other memory: a view of the old one stays readable."""
    book = OrderBook()
    book.apply([("bid", float(i), 1.0) for i in range(50)])
    view = book.bids(3)
    assert view.tolist() == [(49.0, 1.0), (48.0, 1.0), (47.0, 1.0)]
    assert not view.flags.writeable
    book.apply([("bid", 48.0, 7.0)])
    assert view[1]["size"] == 7.0
    book.apply([("bid", 100.0 + i, 1.0) for i in range(5000)])
    del book
    gc.collect()
    assert view["price"].shape == (3,)
    assert np.isfinite(view["price"].copy()).all()


def test_memory_is_16_bytes_a_level_and_a_quarter() -> None:
    book = OrderBook()
    levels: list[tuple[Any, float, float]] = [("bid", -float(i), 1.0) for i in range(20_000)]
    book.apply(levels, is_snapshot=True)
    assert 16 * book.n_levels <= book.n_bytes <= 16 * 1.33 * book.n_levels


@pytest.mark.parametrize("book", [OrderBook(), OrderBook(3)])
def test_no_number_of_levels_is_a_view_s(book: OrderBook) -> None:
    """Of an empty side too, which has no memory yet."""
    for _ in range(2):
        for view in (book.bids, book.asks):
            with pytest.raises(ValueError, match="-1 levels: should be 0 or more"):
                view(-1)
            assert view(0).tolist() == []
            assert len(view(10**30)) == book.n_levels // 2
        book.apply([("bid", 1.0, 1.0), ("ask", 2.0, 1.0)])


def test_a_price_that_goes_on_rising_does_not_move_the_whole_side_each_time() -> None:
    """New best levels come where nothing is free behind the last one."""
    n = 200_000
    book = OrderBook()
    prices, ones = np.arange(n, dtype=np.float64), np.ones(n, np.uint8)
    began_s = time.process_time()
    book.apply_arrays(np.zeros(n, np.int8), prices, np.ones(n), ones)
    assert time.process_time() - began_s < 0.5
    assert book.bids()["price"].tolist() == prices[::-1].tolist()


@pytest.mark.parametrize("is_snapshot", [False, True])
def test_who_makes_up_levels_gets_no_more_memory(is_snapshot: bool) -> None:
    most = 1 << 20
    book = OrderBook()
    if is_snapshot:
        levels = [("bid", float(n), 1.0) for n in range(most + 5000)]
        with pytest.raises(MemoryError, match="too many"):
            book.apply(levels, is_snapshot=True)
    else:
        n = most + 5000
        ones = np.ones(n, np.uint8)
        book.apply_arrays(np.zeros(n, np.int8), np.arange(n, dtype=np.float64), np.ones(n), ones)
        with pytest.raises(MemoryError, match="too many"):
            book.apply([("bid", 0.5, 1.0)])
    assert book.n_levels == most
    assert book.n_bytes <= 48 * most
    book.apply([("bid", 1.0, 1.0)], is_snapshot=True)
    assert book.n_levels == 1


def test_arrays_and_messages_are_the_same() -> None:
    rng = np.random.default_rng(3)
    book, other, slow = OrderBook(10), OrderBook(10), SlowBook(10)
    messages = [random_message(rng, 20, int(rng.integers(1, 6))) for _ in range(300)]
    rows = [row for message in messages for row in message]
    last = [i == len(message) - 1 for message in messages for i in range(len(message))]
    book.apply_arrays(
        np.array([side == "ask" for side, _, _ in rows], np.int8),
        np.array([price for _, price, _ in rows]),
        np.array([size for _, _, size in rows]),
        np.array(last, np.uint8),
    )
    for message in messages:
        other.apply(message)
        slow.apply(message)
    assert_equal(book, slow)
    assert book.n_changes == other.n_changes == len(rows)


def test_arrays_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        OrderBook().apply_arrays(
            np.zeros(1, np.int8), np.zeros(2), np.zeros(2), np.zeros(2, np.uint8)
        )
