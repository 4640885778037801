"""What ids show to be missing from gaps, on a clock of the test's own."""

from __future__ import annotations

import pytest

from tickwire.ledger import Gap, Hole, Holes, Missing, Place
from tickwire.ledger.holes import MOST_GAPS, MOST_SINCE, QUIET_NS
from tickwire.ledger.index import StreamState


class Delivered:
    """Ids by memory, as `decode.Seen` has them."""

    def __init__(self) -> None:
        self.ids: dict[int, list[int]] = {0: [], 1: []}
        self.now_ns = 10**9

    def newest(self, memory: int, symbol: int) -> tuple[int, int]:
        ids = self.ids[memory]
        return max(ids, default=0), len(ids)

    def ids_after(self, memory: int, symbol: int, trade: int) -> list[int]:
        return sorted(number for number in self.ids[memory] if number > trade)


class Scene:
    """A stream of two channels."""

    def __init__(self) -> None:
        self.delivered = Delivered()
        memories = {"trades": 0, "trades:agg": 1, "another": 2}
        self.holes = Holes(self.delivered, memories, lambda: self.delivered.now_ns)
        self.stream = StreamState("trades", "A", 0, 0, channels={"trades", "trades:agg"})
        self.n_gaps = 0

    def bring(self, trades: list[int], aggregates: list[int] | None = None) -> None:
        self.delivered.ids[0] += trades
        self.delivered.ids[1] += aggregates or []

    def gap(self, reason: str = "disconnect") -> Gap:
        self.holes.opened(self.stream)
        made = Gap(self.n_gaps, "trades", reason, Place("v", "A"), 1, 2)
        self.n_gaps += 1
        self.holes.closed(self.stream, made)
        return made

    def due(self) -> Hole:
        [hole] = self.holes.take_due()
        return hole


def test_what_lies_between_two_trades_is_missing() -> None:
    scene = Scene()
    scene.bring([1, 2, 3], [7])
    gap = scene.gap()
    assert scene.holes.take_due() == []
    scene.bring([6, 7])
    assert scene.holes.take_due() == []  # the other channel has had none
    scene.bring([], [8])
    hole = scene.due()
    assert hole.gaps == [gap]
    assert scene.holes.missing(hole, "trades") == Missing([(4, 5)])
    assert scene.holes.missing(hole, "trades:agg") == Missing()
    assert scene.holes.take_due() == []


def test_ids_can_lack_at_several_places() -> None:
    scene = Scene()
    scene.bring([1, 2, 3])
    scene.gap()
    scene.bring([10, 11, 14])  # what the ended connection had brought is published late
    missing = scene.holes.missing(scene.due(), "trades")
    assert missing is not None
    assert missing.ids == [(4, 9), (12, 13)]
    assert missing.n_ids == 8
    assert [missing.last(n) for n in (1, 2, 3, 8)] == [13, 12, 9, 4]
    with pytest.raises(ValueError, match="not missing"):
        missing.last(9)
    assert [number for number in range(20) if missing.has(number)] == [4, 5, 6, 7, 8, 9, 12, 13]
    assert [missing.after(number) for number in (0, 3, 4, 9, 12, 13)] == [4, 4, 5, 12, 13, None]


def test_a_stream_that_stays_quiet_has_a_hole_without_an_end() -> None:
    scene = Scene()
    scene.bring([1, 2, 3])
    scene.gap()
    scene.delivered.now_ns += QUIET_NS - 1
    assert scene.holes.take_due() == []
    scene.delivered.now_ns += 1
    hole = scene.due()
    missing = scene.holes.missing(hole, "trades")
    assert missing == Missing(open_from=4)
    assert missing is not None
    assert (missing.after(0), missing.after(9), missing.has(3), missing.has(4)) == (
        4, 10, False, True,
    )  # fmt: skip
    assert scene.holes.ids_since(hole, "trades") == set()
    scene.bring([6])
    assert scene.holes.ids_since(hole, "trades") == {6}


def test_gaps_without_a_trade_between_them_have_one_hole() -> None:
    scene = Scene()
    scene.bring([1, 2, 3])
    gaps = [scene.gap(), scene.gap()]
    scene.bring([9])
    hole = scene.due()
    assert hole.gaps == gaps
    assert scene.holes.missing(hole, "trades") == Missing([(4, 8)])


def test_a_hole_has_a_bound_of_gaps() -> None:
    scene = Scene()
    scene.bring([1])
    for _ in range(MOST_GAPS + 5):
        scene.gap()
    scene.bring([9])
    assert len(scene.due().gaps) == MOST_GAPS


@pytest.mark.parametrize("reason", ["paused", "never_connected"])
def test_a_pause_is_not_filled(reason: str) -> None:
    scene = Scene()
    scene.bring([1])
    scene.gap(reason)
    scene.bring([9])
    assert scene.holes.take_due() == []


def test_without_an_id_before_nothing_can_be_told() -> None:
    scene = Scene()
    scene.gap()
    scene.bring([9], [9])
    assert scene.holes.take_due() == []
    scene.bring([10])
    scene.delivered.ids[1].clear()
    scene.gap()
    scene.bring([12], [3])
    hole = scene.due()
    assert scene.holes.missing(hole, "trades") == Missing([(11, 11)])
    assert scene.holes.missing(hole, "trades:agg") is None


def test_the_ids_of_an_earlier_run_count() -> None:
    scene = Scene()
    scene.holes.opened(scene.stream, {"trades": 40, "no channel of it": 3})
    scene.holes.closed(scene.stream, Gap(0, "trades", "down", Place("v", "A"), 1, 2))
    scene.bring([43])
    hole = scene.due()
    assert hole.before == {"trades": (40, 0), "trades:agg": (0, 0)}
    assert scene.holes.missing(hole, "trades") == Missing([(41, 42)])


def test_more_ids_than_are_remembered_are_not_looked_through() -> None:
    scene = Scene()
    scene.bring([1])
    scene.gap()
    scene.bring(list(range(3, MOST_SINCE + 4)))
    assert scene.holes.missing(scene.due(), "trades") is None


def test_only_streams_with_such_a_channel_have_holes() -> None:
    scene = Scene()
    assert scene.holes.has(scene.stream)
    assert not scene.holes.has(StreamState("quotes", "A", 0, 0, channels={"quotes"}))
    assert not scene.holes.has(StreamState("trades", "A", 0, 0, channels={"trades:other"}))
    assert scene.holes.newest(scene.stream) == {}
    scene.bring([3, 5])
    assert scene.holes.newest(scene.stream) == {"trades": 5}


def test_ids_that_no_venue_counts_by_say_nothing_of_what_is_missing() -> None:
    scene = Scene()
    scene.bring([2**63])
    scene.gap()
    scene.bring([2**63 + 5])
    assert scene.holes.missing(scene.due(), "trades") is None


def test_at_the_end_all_holes_are_given() -> None:
    scene = Scene()
    scene.bring([1])
    gap = scene.gap()
    assert scene.holes.take_due() == []
    [hole] = scene.holes.take_due(is_last=True)
    assert hole.gaps == [gap]
    assert not scene.holes.found.is_set()


def test_of_ids_that_begin_again_it_is_not_known_what_is_missing() -> None:
    scene = Scene()
    scene.bring([1000])
    scene.gap()
    scene.bring([3])
    scene.delivered.now_ns += QUIET_NS
    assert scene.holes.missing(scene.due(), "trades") is None
