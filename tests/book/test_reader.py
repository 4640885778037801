"""The books of a reader, and what it writes, against slow ones: row by row."""

from __future__ import annotations

from typing import Any

import pytest
from tests.book.rig import ROWS, Rig, random_messages

from tickwire.book import BookReader
from tickwire.ring import Dictionaries, Ring
from tickwire.schema import TABLES


@pytest.mark.parametrize("keeps", [0, 10])
@pytest.mark.parametrize("a_batch", [1, 7, 100])
def test_books_and_top_are_those_of_the_slow_books(keeps: int, a_batch: int) -> None:
    """Over many rounds of the ring, however many messages a batch has."""
    rig = Rig(keeps=keeps)
    found = []
    for number, message in enumerate(random_messages(keeps + a_batch, 1500)):
        rig.publish(message)
        if number % a_batch == 0:
            assert rig.reader.read()
            rig.assert_books_equal()
            found += rig.rows_of_top()
            assert found == rig.expected
    assert rig.ring.published > 3 * ROWS
    assert rig.reader.n_failures == 0


def test_a_full_output_holds_the_reader_and_loses_nothing() -> None:
    rig = Rig()
    found = []
    n_held = 0
    for message in random_messages(5, 6000, "A"):
        rig.publish(message)
        if not rig.reader.read():
            n_held += 1
            assert rig.reader.available > 0
            found += rig.rows_of_top()
            assert rig.reader.read()
    found += rig.rows_of_top()
    assert n_held > 0
    assert found == rig.expected
    rig.assert_books_equal()


@pytest.mark.parametrize("is_verified", [True, False])
def test_states_follow_snapshots_changes_and_breaks(is_verified: bool) -> None:
    rig = Rig(is_verified=is_verified)
    rig.publish(("S", [("bid", 1.0, 1.0)], False))
    rig.reader.read()
    assert rig.reader.state(rig.number()) == "waiting"
    assert rig.rows_of_top() == []
    rig.publish(("S", [("bid", 1.0, 1.0), ("ask", 2.0, 1.0)], True))
    rig.reader.read()
    assert rig.reader.state(rig.number()) == "live"
    rig.publish(("S", [("bid", 1.5, 1.0)], False))
    rig.reader.read()
    after = "live" if is_verified else "unverifiable"
    assert rig.reader.state(rig.number()) == after
    rig.rows_of_top()
    assert rig.reader.break_book(rig.number(), 99)
    assert not rig.reader.break_book(rig.number(), 100)
    assert rig.rows_of_top() == [("S", None, 99, None, None, None, None, None)]
    rig.publish(("S", [("bid", 1.6, 1.0)], False))
    rig.reader.read()
    assert rig.reader.state(rig.number()) == "broken"
    assert rig.rows_of_top() == []
    rig.publish(("S", [("bid", 1.0, 1.0)], True))
    rig.reader.read()
    states = [(before, state) for _, before, state, _ in rig.reader.take_changes()]
    expected = [("", "waiting"), ("waiting", "live"), ("live", "unverifiable")]
    expected = expected if not is_verified else expected[:2]
    assert states == [*expected, (after, "broken"), ("broken", "live")]
    assert rig.rows_of_top() == [("S", 4, 5, 50, 1.0, 1.0, None, None)]
    rig.assert_books_equal()


def test_a_suspended_book_goes_on_as_it_was() -> None:
    """What is only stale resumes without a snapshot, unless something was lost meanwhile."""
    rig = Rig()
    rig.publish(("S", [("bid", 1.0, 1.0)], True))
    rig.reader.read()
    number = rig.number()
    assert rig.reader.break_book(number, 50, is_suspended=True)
    rig.publish(("S", [("ask", 2.0, 1.0)], False))
    rig.reader.read()
    assert rig.reader.resume(number, 60)
    assert not rig.reader.resume(number, 60)
    assert rig.reader.state(number) == "live"
    assert rig.rows_of_top()[1:] == [
        ("S", None, 50, None, None, None, None, None),
        ("S", 1, 60, 20, 1.0, 1.0, 2.0, 1.0),  # at once: the next message may be long in coming
    ]
    rig.publish(("S", [], False))
    rig.reader.read()
    assert rig.rows_of_top() == []
    rig.reader.break_book(number, 70, is_suspended=True)
    assert not rig.reader.break_book(number, 80)
    assert not rig.reader.resume(number, 90)
    assert rig.reader.state(number) == "broken"


def test_a_book_that_is_resumed_waits_for_room() -> None:
    rig = Rig()
    for symbol in "AS":
        rig.publish((symbol, [("bid", 1.0, 1.0)], True))
    rig.reader.read()
    number = rig.number()
    assert rig.reader.break_book(number, 50, is_suspended=True)
    n_sent = 1
    while rig.reader.read():
        n_sent += 1
        rig.publish(("A", [("bid", 1.0, float(n_sent))], False))
    assert rig.reader.resume(number, 1 << 40)
    assert not rig.reader.read()
    assert all(row[0] == "A" for row in rig.rows_of_top()[3:])
    assert rig.reader.read()
    rows = rig.rows_of_top()
    assert [row[4:6] for row in rows if row[0] == "S"] == [(1.0, 1.0)]
    assert [row[4:6] for row in rows if row[0] == "A"] == [(1.0, float(n_sent))]


@pytest.mark.thorough  # a million rows
def test_a_book_with_more_levels_than_it_may_have_is_broken_and_top_says_so() -> None:
    rig = Rig()
    rig.publish(("A", [("bid", 0.5, 1.0)], True))
    found: list[tuple[Any, ...]] = []
    for number in range(1, (1 << 20) + 1):
        assert rig.ring.stage(
            venue="v", symbol="A", channel="book", conn=1, ts_recv=number, side="bid",
            price=float(number), size=1.0, is_snapshot=False, last=number % 256 == 0,
        )  # fmt: skip
        if number % 256 == 0:
            rig.ring.publish()
            assert rig.reader.read()
            found = rig.rows_of_top()
    number = rig.number("A")
    assert (rig.reader.state(number), rig.reader.n_failures) == ("broken", 1)
    assert rig.reader.describe(number)["has_failed"]
    assert found[-1][4:] == (None,) * 4
    assert not rig.reader.resume(number, 1 << 40, has_snapshot=True)
    rig.publish(("A", [("bid", 0.5, 1.0)], True))
    assert rig.reader.read()
    assert rig.reader.state(number) == "live"
    assert rig.rows_of_top()[-1][4:6] == (0.5, 1.0)


def test_a_snapshot_that_was_staged_before_a_break_does_not_mend_it() -> None:
    rig = Rig()
    rig.publish(("S", [("bid", 1.0, 1.0)], True))
    rig.reader.read()
    for now, after in ((True, "broken"), (False, "live")):
        rig.ring.stage(
            venue="v", symbol="S", channel="book", conn=1, ts_recv=2, ts_event=2, venue_seq=2,
            side="bid", price=2.0, size=1.0, is_snapshot=True, last=True,
        )  # fmt: skip
        rig.reader.break_book(rig.number(), 2, is_now=now)
        rig.ring.publish()
        rig.reader.read()
        assert rig.reader.state(rig.number()) == after
    rig.reader.break_book(rig.number(), 3, is_now=True)
    rig.publish(("S", [("bid", 3.0, 1.0)], True))
    rig.reader.read()
    assert rig.reader.state(rig.number()) == "live"


def test_a_reader_without_outputs_says_so() -> None:
    ring = Ring(TABLES["book"], ROWS, Dictionaries())
    with pytest.raises(RuntimeError, match="bind"):
        BookReader(ring).read()
