"""Books that begin in band: what they wait for, and what is reported of them."""

import time

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


class Turns:
    """A live book that connection 1 has begun, of which 2 has brought a snapshot, too."""

    def __init__(self, chain: str = "per_connection") -> None:
        self.follower = BookFollower(chain)
        assert self.follower.takes_turns
        assert self.offer(1, is_snapshot=True) == "admit"
        assert self.offer(2, is_snapshot=True) == "refuse"

    def offer(self, conn: int, print_: int = 0, *, is_snapshot: bool = False) -> str:
        return self.follower.offer(
            0, conn=conn, text_hash=print_ or 1000 + conn, is_snapshot=is_snapshot
        )

    def copy(self, conn: int) -> None:
        assert self.follower.copy(0, conn, time.monotonic_ns())

    @property
    def breaks(self) -> int:
        return self.follower.n_breaks


@pytest.mark.parametrize("chain", ["per_connection", "checksum"])
def test_the_first_copy_of_a_change_counts_from_any_that_is_in_step(chain: str) -> None:
    turns = Turns(chain)
    assert turns.offer(2, 10) == "refuse"  # it may be ahead
    assert turns.offer(1, 10) == "admit"  # now it is not
    assert turns.offer(2, 11) == "admit"
    turns.copy(1)
    assert turns.offer(1, 12) == "admit"


def test_who_is_ahead_is_not_in_step_before_the_other_has_brought_its_last() -> None:
    turns = Turns()
    assert turns.offer(2, 10) == "refuse"
    assert turns.offer(2, 11) == "refuse"
    assert turns.offer(1, 10) == "admit"
    assert turns.offer(2, 12) == "refuse"
    assert turns.offer(1, 11) == "admit"
    assert turns.offer(1, 12) == "admit"
    assert turns.offer(2, 13) == "admit"


def test_a_hole_puts_one_out_of_step_until_it_brings_a_copy() -> None:
    turns = Turns()
    turns.copy(2)
    turns.follower.break_counted(1, 1, 0, 0)
    assert turns.breaks == 1  # of the connection; the book goes on
    assert turns.follower.phase(0) == "live"
    assert turns.offer(1, 20) == "refuse"
    assert turns.offer(2, 19) == "admit"
    turns.copy(1)
    assert turns.offer(1, 21) == "admit"
    turns.follower.break_counted(2, 1, 0, 0)
    assert turns.follower.phase(0) == "live"


def test_without_another_one_in_step_a_hole_breaks_the_book() -> None:
    turns = Turns()
    assert turns.offer(2, 10) == "refuse"
    turns.follower.break_counted(1, 3, 7, 9)
    assert turns.follower.phase(0) == "waiting"
    assert turns.follower.take_news()[-1] == (0, "connection", 7, 3, 1)
    assert not turns.follower.copy(0, 2, time.monotonic_ns())
    assert turns.offer(2, is_snapshot=True) == "admit"


@pytest.mark.parametrize("is_in_step", [True, False])
def test_the_end_of_one_leaves_a_book_to_who_is_in_step(is_in_step: bool) -> None:
    turns = Turns()
    if is_in_step:
        turns.copy(2)
    turns.follower.leave(0, 1)
    turns.follower.leave(9, 1)
    assert turns.follower.phase(0) == ("live" if is_in_step else "waiting")
    assert turns.offer(2, 10) == ("admit" if is_in_step else "refuse")


def test_a_quiet_connection_goes_on_unless_it_has_missed_a_change() -> None:
    quiet, missed, renewed = (Turns() for _ in range(3))
    renewed.follower.leave(0, 1)  # breaks
    assert renewed.offer(3, is_snapshot=True) == "admit"
    assert not renewed.follower.break_counted(3, 1, 0, 0)  # breaks again: 2 may be behind
    assert renewed.follower.phase(0) == "waiting"
    time.sleep(1.01)  # long enough to have brought something
    assert missed.follower.offer(0, conn=1, text_hash=10, ts_recv=5) == "admit"
    for turns, phase in ((quiet, "live"), (missed, "waiting")):
        turns.follower.leave(0, 1)
        assert turns.follower.phase(0) == phase
    assert quiet.offer(2, 11) == "admit"


def test_what_was_taken_before_the_present_snapshot_is_no_copy() -> None:
    turns = Turns()
    before_ns = time.monotonic_ns()
    turns.follower.leave(0, 1)
    assert turns.offer(2, is_snapshot=True) == "admit"
    assert not turns.follower.copy(0, 3, before_ns)
    assert turns.follower.copy(0, 3, time.monotonic_ns())


def test_many_connections_come_and_go() -> None:
    turns = Turns()
    for conn in range(3, 40):
        assert turns.offer(conn, is_snapshot=True) == "refuse"
        turns.copy(conn)
        turns.follower.leave(0, conn - 1 if conn > 3 else 1)
        assert turns.offer(conn, conn) == "admit"
    assert turns.breaks == 0


def test_what_is_unknown_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown beginning 'rest': one of in_band"):
        BookFollower("counted", "rest")
    with pytest.raises(ValueError, match="unknown chain 'hashed'"):
        BookFollower("hashed")
