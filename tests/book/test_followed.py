"""News of followed books: one call for who listens, and the order of events."""

from tickwire.book import BookFollower


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


def test_many_symbols_have_their_own_chains() -> None:
    follower = BookFollower("counted")
    for symbol in range(1000):
        assert follower.offer(symbol, last=symbol, is_snapshot=True) == "admit"
    assert all(follower.offer(symbol, last=symbol + 1) == "admit" for symbol in range(1000))
    assert follower.offer(-1, last=1) == "refuse"


def test_who_listens_is_called_once_until_it_listens_again() -> None:
    follower = BookFollower("counted")
    calls: list[int] = []
    follower.listen(lambda: calls.append(follower.n_begun))
    follower.offer(0, last=1, is_snapshot=True)
    follower.offer(0, last=9)
    assert len(calls) == 1
    follower.listen(lambda: calls.append(follower.n_begun))
    follower.offer(0, last=20, is_snapshot=True)
    assert len(calls) == 2
    follower.listen(None)
    follower.offer(0, last=30)
    assert len(calls) == 2


def test_connections_with_holes_are_given_once() -> None:
    follower = BookFollower("per_connection")
    follower.offer(0, is_snapshot=True, conn=4)
    follower.break_counted(4, 2, 10, 20)
    follower.break_counted(5, 1, 11, 21)
    assert follower.take_broken_connections() == [(4, 2, 10, 20), (5, 1, 11, 21)]
    assert follower.take_broken_connections() == []
    assert (follower.phase(0), follower.n_breaks) == ("waiting", 3)
