"""What every kind of followed book is asked: who waits, and one call for who listens."""

from __future__ import annotations

import pytest

from tickwire.book import BookFollower, BookSplice
from tickwire.book._news import BookNews


def waiting_books(kind: str) -> BookNews:
    """Give books of which the symbols 1 and 70 wait for a snapshot, and 2 is none of them."""
    if kind == "splice":
        splice = BookSplice("first_is_next")
        assert [splice.offer(symbol, 1, 1, 0) for symbol in (1, 70)] == ["hold", "hold"]
        splice.snapshot(2, 5)
        return splice
    follower = BookFollower("counted")
    assert [follower.offer(symbol, last=1) for symbol in (1, 70)] == ["refuse", "refuse"]
    follower.offer(2, last=5, is_snapshot=True)
    return follower


@pytest.mark.parametrize("kind", ["splice", "follower"])
def test_who_waits_is_the_same_question_to_both_kinds(kind: str) -> None:
    books = waiting_books(kind)
    assert isinstance(books, BookNews)
    assert (books.waiting(), books.n_waiting, books.n_breaks, books.n_ahead) == ([1, 70], 2, 0, 0)


def test_without_a_kind_no_symbol_waits() -> None:
    assert (BookNews().waiting(), BookNews().n_waiting) == ([], 0)
