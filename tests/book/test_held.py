"""Held deltas are bounded: the oldest of a symbol goes first, and is counted."""

from tickwire.book import BookSplice


def holding(hold_bytes: int) -> BookSplice:
    return BookSplice("first_is_next", hold_bytes)


def test_past_the_bound_the_oldest_of_the_symbol_goes() -> None:
    splice = holding(30)
    for i in range(1, 6):
        splice.offer(0, i, i, i - 1, payload=b"x" * 10)
    assert (splice.held.n_bytes, splice.held.n_dropped, splice.held.count(0)) == (30, 2, 3)
    assert not splice.fits(0, 1)  # what it would reach is gone
    assert splice.fits(0, 2)
    splice.snapshot(0, 2)
    assert splice.release() == [3, 4, 5]
    assert splice.held.n_bytes == 0
    assert splice.held.most_bytes == 30


def test_a_symbol_takes_no_room_from_another() -> None:
    splice = holding(30)
    for i in range(1, 4):
        splice.offer(0, i, i, i - 1, payload=b"x" * 10)
    splice.offer(1, 1, 1, 0, payload=b"x" * 10)
    assert (splice.held.count(0), splice.held.count(1), splice.held.n_dropped) == (3, 0, 1)
    assert splice.phase(1) == "waiting"
    splice.reset(0)
    splice.offer(1, 2, 2, 1, payload=b"x" * 10)
    assert not splice.fits(1, 0)
    assert splice.fits(1, 1)


def test_what_is_larger_than_the_bound_is_never_held() -> None:
    splice = holding(5)
    splice.offer(0, 1, 1, 0, payload=b"x" * 5)
    splice.offer(0, 2, 2, 1, payload=b"x" * 6)
    assert (splice.held.n_bytes, splice.held.n_dropped) == (0, 2)
    splice.reset()
    assert splice.held.n_bytes == 0
