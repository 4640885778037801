"""Ids that are left out after a gap belong to that gap, and are had once."""

from __future__ import annotations

import pytest
from tests.ledger.test_holes import Delivered
from tests.ledger.test_streams import Scene

from tickwire.ledger import Holes


class Counted(Scene):
    """Trades of A whose ids count by one, every 10 ms, and a connection that ended at 10 s."""

    def __init__(self) -> None:
        self.delivered = Delivered()
        self.number = 0
        self.missed = Holes(self.delivered, {"": 0}, lambda: self.mono())
        super().__init__(
            table="trades",
            symbols=("A",),
            silence_floor_s=0.25,
            numbers=self.delivered,
            counted={"": 0},
            holes=self.missed,
        )
        self.connect(0)
        self.go_on(0, 10)
        self.at(10).gaps.disconnected(0, "disconnect", "")
        self.at(10.02).gaps.connected(0, 1)
        self.gaps.acknowledged(0, "mids-A")

    def go_on(self, from_s: float, to_s: float, conn: int = 0) -> None:
        for tick in range(round(from_s * 100), round(to_s * 100)):
            self.at(tick / 100)
            self.number += 1
            self.row("A", conn, event_s=tick / 100)
            self.delivered.ids[0].append(self.number)
            if tick % 5 == 0:
                self.gaps.look()

    def reasons(self) -> list[str]:
        return [reason for _, reason, state, *_ in self.found("trades") if state == "closed"]


@pytest.mark.parametrize("first_s", [10.03, 10.04, 12.0])
def test_a_look_between_an_acknowledgement_and_the_first_row_finds_nothing_more(
    first_s: float,
) -> None:
    scene = Counted()
    for tick in range(1003, round(first_s * 100)):  # nothing comes yet
        scene.at(tick / 100).gaps.look()
    scene.number += 50
    scene.go_on(first_s, first_s + 0.5, conn=1)
    assert "sequence" not in scene.reasons()
    [hole] = scene.missed.take_due()
    missing = scene.missed.missing(hole, "")
    assert missing is not None
    assert missing.n_ids == 50
    # The silence after the acknowledgement is of the same hole.
    assert [each.reason for each in hole.gaps] == ["disconnect", "stale"][: len(hole.gaps)]
    assert len(hole.gaps) == 1 + (first_s > 10.03)


def test_a_silence_after_a_gap_that_was_filled_meanwhile_says_so() -> None:
    scene = Counted()
    [hole] = scene.missed.take_due(is_last=True)
    scene.gaps.filled(hole, 50)
    scene.number += 50
    scene.go_on(12, 12.5, conn=1)
    assert scene.missed.take_due(is_last=True) == []
    assert scene.last()["reason"] == "stale"
    assert scene.last()["recovered"] == 0


def test_ids_left_out_later_are_a_gap_of_their_own() -> None:
    scene = Counted()
    scene.go_on(10.03, 11, conn=1)
    scene.missed.take_due(is_last=True)
    scene.number += 7
    scene.go_on(11, 12, conn=1)
    assert scene.reasons()[-1] == "sequence"
    [hole] = scene.missed.take_due(is_last=True)
    assert hole.gaps[0].reason == "sequence"


def test_the_end_of_another_connection_does_not_hurry_ids_that_may_still_come() -> None:
    scene = Counted()
    scene.gaps.add(1, "trades", "B", "mids-B", spliced=False)
    scene.gaps.connected(1, 2)
    scene.go_on(10.03, 11, conn=1)
    scene.number += 1  # brought a moment later, by the other one of two
    scene.go_on(11, 11.01, conn=1)
    scene.at(11.01).gaps.disconnected(1, "disconnect", "")
    scene.at(11.02).row("A", 1, event_s=11.02)
    scene.delivered.ids[0].insert(-1, scene.number - 1)
    scene.go_on(11.03, 12, conn=1)
    assert "sequence" not in scene.reasons()
