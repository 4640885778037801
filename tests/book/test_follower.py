"""Books that begin in band: what they wait for, and what is reported of them."""

import pytest

from tickwire.book import BookFollower


def test_a_symbol_waits_for_its_snapshot() -> None:
    follower = BookFollower("counted")
    assert follower.phase(3) == "unseen"
    assert follower.offer(3, last=1) == "refuse"
    assert (follower.phase(3), follower.waiting(), follower.n_waiting) == ("waiting", [3], 1)
    assert follower.offer(3, last=5, is_snapshot=True, ts_recv=9) == "admit"
    assert (follower.phase(3), follower.n_waiting, follower.n_begun) == ("live", 0, 1)
    assert follower.take_news() == [(3, "begun", 9, None, 0)]
    assert follower.take_news() == []


def test_of_several_breaks_the_first_says_since_when() -> None:
    follower = BookFollower("counted")
    follower.offer(0, last=1, is_snapshot=True, ts_recv=1)
    follower.offer(0, last=3, ts_recv=2)
    follower.offer(0, last=10, is_snapshot=True, ts_recv=3)
    follower.offer(0, last=14, ts_recv=4)
    assert follower.take_news() == [
        (0, "begun", 3, None, 0),
        (0, "numbers", 1, 4, 0),
    ]


def test_a_reset_symbol_begins_again() -> None:
    follower = BookFollower("linked")
    follower.offer(0, last=1, is_snapshot=True)
    follower.reset(0)
    follower.reset(99)
    assert follower.phase(0) == "unseen"
    assert follower.offer(0, last=2, prev=1) == "refuse"


def test_what_is_left_to_another_connection() -> None:
    numbered, unnumbered = BookFollower("counted"), BookFollower("checksum")
    for follower in (numbered, unnumbered):
        follower.offer(0, last=1, is_snapshot=True, conn=7)
        follower.hand_over(0, 8)
        follower.hand_over(5, 8)
    assert numbered.offer(0, last=2, conn=8) == "admit"
    assert unnumbered.phase(0) == "waiting"
    assert unnumbered.take_news()[-1][1] == "connection"


def test_many_symbols_have_their_own_chains() -> None:
    follower = BookFollower("counted")
    for symbol in range(1000):
        assert follower.offer(symbol, last=symbol, is_snapshot=True) == "admit"
    assert all(follower.offer(symbol, last=symbol + 1) == "admit" for symbol in range(1000))
    assert follower.offer(-1, last=1) == "refuse"


def test_what_is_unknown_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown beginning 'rest': one of in_band"):
        BookFollower("counted", "rest")
    with pytest.raises(ValueError, match="unknown chain 'hashed'"):
        BookFollower("hashed")
