"""A hole of one of two connections is a gap only where the other one had it too."""

from __future__ import annotations

import pytest

from tickwire.ledger.leg_holes import LegHole, LegHoles

S = 10**9


def hole(conn: int, at_s: float, session: int = 0) -> LegHole:
    at_ns = round(at_s * S)
    return LegHole(session, conn, at_ns, at_ns + S // 100, "", at_ns)


@pytest.fixture
def holes() -> LegHoles:
    made = LegHoles()
    made.completed(0, 1, 10 * S)
    made.completed(0, 2, 12 * S)
    return made


def test_what_another_connection_has_brought_is_no_gap(holes: LegHoles) -> None:
    holes.wait(hole(1, 20))
    assert holes.take(21 * S) == []  # the other one may be behind
    assert holes.take(23 * S) == []
    assert holes.take(100 * S, is_last=True) == []


def test_where_both_have_holes_both_are_gaps(holes: LegHoles) -> None:
    first, second = hole(1, 20), hole(2, 21.5)
    holes.wait(first)
    holes.wait(second)
    assert holes.take(22 * S + S // 2) == [first]
    assert holes.take(24 * S) == [second]


def test_a_hole_much_later_is_another_one(holes: LegHoles) -> None:
    holes.wait(hole(1, 20))
    holes.wait(hole(2, 30))
    assert holes.take(40 * S) == []


def test_who_was_not_subscribed_has_brought_nothing(holes: LegHoles) -> None:
    assert not holes.has_others(hole(1, 11))
    assert holes.has_others(hole(1, 12))
    assert not holes.has_others(hole(1, 12, session=1))


@pytest.mark.parametrize(("left_s", "is_gap"), [(20.05, True), (20.2, False)])
def test_who_ends_soon_after_may_not_have_come_so_far(
    holes: LegHoles, left_s: float, is_gap: bool
) -> None:
    one = hole(1, 20)
    holes.wait(one)
    holes.left(0, 2, round(left_s * S))
    assert holes.take(23 * S) == ([one] if is_gap else [])


def test_connections_that_ended_long_ago_are_forgotten(holes: LegHoles) -> None:
    for conn in range(10, 500):
        holes.completed(0, conn, conn * 10 * S)
        holes.left(0, conn, (conn * 10 + 5) * S)
    assert len(holes._others) < 20


def test_many_holes_take_little_time(holes: LegHoles) -> None:
    compared = 0

    class Counting(LegHole):
        def meets(self, other: LegHole) -> bool:
            nonlocal compared
            compared += 1
            return super().meets(other)

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return self is other

        __hash__ = None  # type: ignore[assignment]

    n_gaps = 0
    for tick in range(3000):
        at_ns = 20 * S + tick * S // 100
        for conn in (1, 2):
            holes.wait(Counting(0, conn, at_ns + conn, at_ns + 100, "", at_ns))
        if tick % 25 == 0:
            n_gaps += len(holes.take(at_ns))
    n_gaps += len(holes.take(60 * S, is_last=True))
    assert n_gaps == 6000
    assert compared <= 6000
    assert not holes._known
