"""Short silences are gaps once they are over: of a stream, of a whole link, and of nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from tests.ledger.test_streams import Scene, ns

FLOOR_S = 0.25


class Ids:
    """Ids that count up by one, or not."""

    def __init__(self, *, is_numbered: bool) -> None:
        self.is_numbered = is_numbered
        self.n_asked = 0
        self.again_ns = 0

    def offsets(self, symbol: int, /) -> tuple[int, ...]:
        self.n_asked += 1
        return (7,) if self.is_numbered else (self.n_asked,)

    def take_again(self, symbol: int, /) -> int:
        again_ns, self.again_ns = self.again_ns, 0
        return again_ns


class Busy(Scene):
    """Rows of A every 10 ms and of B every 100 ms, for ten seconds, looked at as a feed does."""

    every = (("A", 1), ("B", 10))

    def __init__(self, *, is_young: bool = False, **options: Any) -> None:
        super().__init__(silence_floor_s=FLOOR_S, **options)
        self.connect(0)
        if not is_young:
            self.go_on(0, 10)

    def go_on(
        self, from_s: float, to_s: float, *, muted: Iterable[str] = (), late_s: float = 0.0
    ) -> None:
        for tick in range(round(from_s * 100), round(to_s * 100)):
            self.at(tick / 100)
            for symbol, every in self.every:
                if tick % every == 0 and symbol not in muted:
                    self.row(symbol, 0, event_s=tick / 100 - late_s)
            if tick % 5 == 0:
                self.gaps.look()

    def gaps_of(self) -> list[tuple[object, ...]]:
        return [
            (symbol, reason, state, round(start, 2), round(end, 2))
            for symbol, reason, state, start, end in self.found()
            if state == "closed"
        ]

    def trade_gaps(self) -> list[tuple[object, ...]]:
        return [
            (symbol, reason, state, round(start, 2), round(end, 2))
            for symbol, reason, state, start, end in self.found("trades")
            if state == "closed"
        ]


class Young(Busy):
    """The same, two seconds after the start."""

    def __init__(self) -> None:
        Scene.__init__(self, silence_floor_s=FLOOR_S)
        self.connect(0)
        self.go_on(0, 2)


def test_a_second_of_silence_is_a_gap_in_the_first_seconds_too() -> None:
    scene = Young()
    scene.go_on(2, 3.5, muted="A")
    scene.go_on(3.5, 4)
    assert scene.gaps_of() == [("A", "stale", "closed", 1.99, 3.5)]


def test_a_shorter_silence_of_a_slow_stream_is_none_in_the_first_seconds() -> None:
    scene = Young()
    scene.go_on(2, 2.8, muted="B")
    scene.go_on(2.8, 12)
    assert scene.found() == []


def test_a_shorter_silence_of_a_lively_stream_is_one_when_more_is_known_and_hides_none() -> None:
    scene = Young()
    scene.go_on(2, 2.5, muted="A")
    scene.go_on(2.5, 4)
    assert scene.found() == []
    scene.go_on(4, 10)
    scene.go_on(10, 10.5, muted="A")
    scene.go_on(10.5, 11)
    assert scene.gaps_of() == [
        ("A", "stale", "closed", 1.99, 2.5),
        ("A", "stale", "closed", 9.99, 10.5),
    ]


def test_a_lively_stream_that_often_pauses_has_no_gap_in_its_first_seconds() -> None:
    scene = Young()
    for second in range(2, 10):
        scene.go_on(second, second + 0.4, muted="A")
        scene.go_on(second + 0.4, second + 1)
    assert scene.found() == []


class Stalled(Busy):
    """The same, of which the venue stalls when little has come."""

    def __init__(self) -> None:
        Scene.__init__(self, table="trades", silence_floor_s=FLOOR_S)
        self.connect(0)
        self.go_on(0, 0.3)
        self.go_on(2.7, 12)


def test_a_stall_at_the_very_start_is_a_gap_when_more_is_known_and_teaches_nothing() -> None:
    scene = Stalled()
    assert scene.trade_gaps() == [(each, "stale", "closed", 0.29, 2.7) for each in "AB"]
    scene.go_on(12, 13, muted="AB")
    scene.go_on(13, 14)
    assert ("A", "stale", "closed", 11.99, 13) in scene.trade_gaps()


def test_what_is_as_quiet_later_has_no_gap_at_the_start() -> None:
    scene = Busy.__new__(Busy)
    Scene.__init__(scene, table="trades", silence_floor_s=FLOOR_S)
    scene.connect(0)
    for burst in range(12):  # a row each 10 ms, and then nothing for 2 s
        scene.go_on(burst * 3, burst * 3 + 1)
    assert scene.trade_gaps() == []


class Timeless(Busy):
    """The same, of rows without a venue's time."""

    def row(self, *args: Any, **options: Any) -> None:
        super().row(*args, **options, has_event=False)

    def stall(self, from_s: float, to_s: float, *, loses: bool) -> None:
        """Bring nothing for a while; what was made meanwhile is late, or lost."""
        self.at(to_s)
        for tick in [] if loses else range(round(from_s * 100), round(to_s * 100)):
            for symbol, every in self.every:
                if tick % every == 0:
                    self.row(symbol, 0, event_s=tick / 100)
        self.go_on(to_s, to_s + 1)


def test_rows_without_a_venue_s_time_that_were_only_late_are_no_gap_and_hide_none() -> None:
    scene = Timeless()
    scene.stall(10, 10.4, loses=False)
    scene.stall(11, 11.4, loses=False)
    assert scene.found() == []
    scene.stall(12.4, 12.8, loses=True)
    assert ("A", "stale", "closed", 12.39, 12.8) in scene.gaps_of()


def test_a_long_silence_without_a_venue_s_time_of_one_stream_is_not_taken_for_late_rows() -> None:
    scene = Timeless()
    scene.go_on(10, 40.01, muted="A")
    scene.go_on(40.01, 41)
    assert scene.gaps_of() == [("A", "stale", "closed", 9.99, 40.01)]


@pytest.mark.parametrize("loses", [True, False])
def test_rows_without_a_venue_s_time_are_told_from_late_ones_in_the_first_second_too(
    loses: bool,
) -> None:
    scene = Timeless(is_young=True)
    scene.go_on(0, 0.5)
    scene.stall(0.5, 2.01, loses=loses)
    scene.go_on(3.01, 12)
    gaps = [each for each in scene.gaps_of() if each[0] == "A"]
    assert gaps == ([("A", "stale", "closed", 0.49, 2.01)] if loses else [])


@pytest.mark.parametrize("skew_s", [30.0, -30.0])
def test_a_clock_of_the_venue_that_is_set_is_no_silence(skew_s: float) -> None:
    scene = Busy(table="trades")
    for from_s in (10, 16):  # off for 3 s, and right for 3 s
        scene.go_on(from_s, from_s + 3, late_s=-skew_s)
        scene.go_on(from_s + 3, from_s + 6)
    assert scene.trade_gaps() == []
    scene.at(22.5).gaps.disconnected(0, "disconnect", "")
    starts = {symbol: round(start, 2) for symbol, _, _, start, _ in scene.found("trades")}
    assert starts == {"A": 21.99, "B": 21.9}  # and no gap begins by the clock that was off


def test_a_clock_that_is_set_back_by_as_much_as_a_stream_is_silent_is_seen_in_others() -> None:
    scene = Busy(table="trades")
    scene.go_on(10, 13, late_s=-2)  # 2 s ahead
    scene.go_on(13, 15, muted="A")  # right again: A goes on where its clock had been
    scene.go_on(15, 25)
    assert scene.trade_gaps() == [("A", "stale", "closed", 12.99, 15)]
    scene.at(25.5).gaps.disconnected(0, "disconnect", "")
    starts = {symbol: round(start, 2) for symbol, _, _, start, _ in scene.found("trades")}
    assert starts == {"A": 24.99, "B": 24.9}


@pytest.mark.parametrize("right_again_s", [15.0, 20.0])
def test_a_clock_that_is_set_back_within_a_silence_of_all_shortens_no_gap(
    right_again_s: float,
) -> None:
    scene = Busy(table="trades")
    scene.go_on(14, right_again_s, late_s=2)  # silent since 10, by its clock since 12
    scene.go_on(right_again_s, 25)
    assert scene.trade_gaps() == [(each, "stale", "closed", 9.99, 14) for each in "AB"]


@pytest.mark.parametrize("rows", [1, 3, 20, 40])
def test_a_clock_that_is_set_back_within_a_silence_and_forward_right_behind_it_hides_nothing(
    rows: int,
) -> None:
    scene = Busy(table="trades")
    forward_s = 14 + rows / 100
    scene.go_on(14, forward_s, late_s=2)
    scene.go_on(forward_s, 17, late_s=-30)
    gaps = [(start, end) for symbol, *_, start, end in scene.trade_gaps() if symbol == "A"]
    assert gaps[0][0] == 9.99
    assert gaps[-1][1] >= 14
    for (_, end), (start, _) in pairwise(gaps):  # between them are the rows of the clock set back
        assert start - end <= forward_s - 14
    assert sum(end - start for start, end in gaps) <= forward_s - 9.99 + 0.011


def test_a_disconnect_right_behind_a_clock_that_was_set_twice_hides_nothing() -> None:
    scene = Busy(table="trades")
    scene.go_on(14, 14.01, late_s=2)  # looked at, and it waits
    scene.go_on(14.01, 14.04, late_s=-30)
    scene.at(14.1).gaps.disconnected(0, "disconnect", "")
    gaps = [(start, end) for symbol, *_, start, end in scene.trade_gaps() if symbol == "A"]
    assert gaps == [(9.99, 14.0)]


@pytest.mark.parametrize("rows", [1, 3, 20, 40])
@pytest.mark.parametrize("disconnect", [True, False])
def test_rows_that_a_clock_set_back_has_dated_leave_no_hole(rows: int, *, disconnect: bool) -> None:
    scene = Busy(table="trades")
    forward_s = 14 + rows / 100
    scene.go_on(14, forward_s, late_s=2)
    if disconnect:
        scene.go_on(forward_s, forward_s + 0.03, late_s=-30)
        scene.at(forward_s + 0.1).gaps.disconnected(0, "disconnect", "")
    else:
        scene.go_on(forward_s, 17, late_s=-30)
    gaps = [(start, end) for symbol, *_, start, end in scene.trade_gaps() if symbol == "A"]
    assert gaps == [(9.99, 14.0)]


def test_late_rows_that_are_read_at_once_between_two_silences_are_in_no_gap() -> None:
    scene = Busy(table="trades")
    for tick in range(1200, 1350):  # all read at once, and then nothing again
        scene.at(13.5).row("A", 0, event_s=tick / 100)
    scene.go_on(15.5, 18)
    gaps = [(start, end) for symbol, *_, start, end in scene.trade_gaps() if symbol == "A"]
    assert gaps == [(9.99, 12.0), (13.49, 15.5)]


def test_rows_that_are_late_after_a_silence_shorten_it_still() -> None:
    scene = Busy(table="trades")
    for tick in range(1200, 1350):  # all read at once
        scene.at(13.5).row("A", 0, event_s=tick / 100)
    scene.go_on(13.5, 16)
    assert ("A", "stale", "closed", 9.99, 12) in scene.trade_gaps()


@pytest.mark.parametrize("skew_s", [30.0, -30.0])
def test_a_clock_that_is_set_while_a_stream_is_silent_moves_no_gap(skew_s: float) -> None:
    scene = Busy(table="trades")
    scene.go_on(10, 11, muted="AB")
    scene.go_on(11, 12)
    scene.go_on(12, 13, muted="AB")
    scene.go_on(13, 16, late_s=-skew_s)
    assert scene.trade_gaps() == [
        (symbol, "stale", "closed", start, end)
        for start, end in ((9.99, 11), (11.99, 13))
        for symbol in "AB"
    ]


@pytest.mark.parametrize("skew_s", [2.0, 30.0])
def test_a_clock_that_is_set_back_while_one_stream_is_silent_moves_no_later_gap(
    skew_s: float,
) -> None:
    # A's own rows show no step back: its first one after the silence is later than its last before.
    scene = Busy(table="trades")
    scene.go_on(10, 13, late_s=-skew_s)
    until = 13 + skew_s
    scene.go_on(13, until, muted="A")
    scene.go_on(until, until + 3)
    assert scene.trade_gaps() == [("A", "stale", "closed", 12.99, until)]
    scene.go_on(until + 3, until + 4, muted="AB")
    scene.go_on(until + 4, until + 5)
    start, end = round(until + 2.99, 2), until + 4
    assert scene.trade_gaps()[1:] == [(symbol, "stale", "closed", start, end) for symbol in "AB"]


@pytest.mark.parametrize("old_s", [0.6, 2.0])
@pytest.mark.parametrize("pause_s", [0.3, 1.0])
def test_old_rows_among_those_that_were_read_late_are_no_silence(
    old_s: float, pause_s: float
) -> None:
    scene = Busy(table="trades")
    for second in range(10, 20, 2):
        for tick in range(round(100 * pause_s)):  # a loop that stood still reads all at once
            scene.at(second + pause_s)
            for symbol in "AB":
                is_old = symbol == "B" and tick == 5
                scene.row(symbol, 0, event_s=second + tick / 100 - is_old * old_s)
        scene.gaps.look()
        scene.go_on(second + pause_s, second + 2)
    assert scene.trade_gaps() == []


def test_a_short_silence_of_a_busy_stream_is_a_gap_and_a_usual_one_is_not() -> None:
    scene = Busy()
    assert scene.found() == []
    scene.go_on(10, 10.2, muted="A")
    scene.go_on(10.2, 11)
    assert scene.found() == []
    scene.go_on(11, 12, muted="A")
    scene.go_on(12, 13)
    assert scene.gaps_of() == [("A", "stale", "closed", 10.99, 12)]
    last = scene.last()
    assert last["detail"] == "silent for 1.010 s, more than 0.630 s"
    assert last["ts_event_end"] - last["ts_event_start"] == ns(1.01)


def test_a_silence_that_lasts_until_the_stop_is_a_gap() -> None:
    scene = Busy()
    scene.go_on(10, 11, muted="A")
    scene.gaps.stopped(0)
    assert scene.gaps_of() == [("A", "stale", "closed", 9.99, 10.99)]


def test_a_stop_at_any_moment_of_a_lively_stream_is_no_gap() -> None:
    scene = Busy()
    scene.go_on(10, 10.2, muted="A")
    scene.gaps.stopped(0)
    assert scene.found() == []


def test_a_link_that_falls_silent_is_a_gap_of_each_stream_as_long_as_that() -> None:
    scene = Busy()
    scene.go_on(10, 10.95, muted="AB")
    scene.go_on(10.95, 12)
    # B is quiet for 100 ms at times: the silence of both says when it was.
    assert scene.gaps_of() == [
        ("A", "stale", "closed", 9.99, 10.95),
        ("B", "stale", "closed", 9.99, 10.95),
    ]


def test_a_program_that_stood_still_has_missed_nothing() -> None:
    scene = Busy()
    scene.at(12).row("A", 0, event_s=10.0)  # the venue sent it 10 ms after the one before
    scene.go_on(12, 13, late_s=1.99)
    assert scene.found() == []


def test_what_another_gap_says_is_not_said_again() -> None:
    scene = Busy()
    scene.at(10).gaps.disconnected(0, "disconnect", "")
    scene.at(11).gaps.connected(0, 1)
    scene.row("A", 1)
    scene.gaps.look()
    assert [each[:3] for each in scene.found()] == [
        ("A", "disconnect", "open"),
        ("B", "disconnect", "open"),
        ("A", "disconnect", "closed"),
    ]


def test_after_an_acknowledgement_the_rest_of_the_silence_counts() -> None:
    scene = Busy()
    scene.at(10).gaps.lost(0, "mids-A", "resubscribing", "")
    scene.at(10.5).gaps.acknowledged(0, "mids-A")
    scene.go_on(11, 12)
    assert [each[1:] for each in scene.gaps_of() if each[0] == "A"] == [
        ("resubscribing", "closed", 9.99, 10.5),
        ("stale", "closed", 10.5, 11),
    ]


def test_without_a_venue_s_time_a_silence_while_nothing_was_read_is_no_gap() -> None:
    for is_held in (True, False):
        scene = Scene(silence_floor_s=FLOOR_S)
        scene.connect(0)
        for tick in range(1300):
            if not 1000 <= tick < 1100:
                scene.at(tick / 100).row("A", 0, event_s=None, has_event=False)
            if is_held and tick == 1050:
                scene.gaps.hold(0)
            scene.gaps.look()
        assert bool(scene.found()) is not is_held


@pytest.mark.parametrize("is_numbered", [True, False])
def test_ids_that_count_up_prove_that_nothing_is_missing(is_numbered: bool) -> None:
    scene = Busy(table="trades", trades=Ids(is_numbered=is_numbered))
    scene.go_on(10, 11, muted="A")
    scene.go_on(11, 12)
    assert bool(scene.found("trades")) is not is_numbered


def test_a_stream_that_stalls_again_and_again_is_declared_each_time() -> None:
    scene = Busy()
    for second in range(10, 190, 3):
        scene.go_on(second, second + 1, muted="A")
        scene.go_on(second + 1, second + 3)
    assert len(scene.found()) == 60


def test_a_stream_that_is_mostly_silent_is_like_that() -> None:
    scene = Busy()
    for second in range(10, 270, 10):
        scene.go_on(second, second + 9, muted="A")
        scene.go_on(second + 9, second + 10)
    # 17 of nine seconds are more than half of five minutes.
    assert len(scene.found()) == 17


def test_a_stream_that_slows_down_is_learned_by_what_is_within_its_limit() -> None:
    scene = Busy()
    second = 10.0
    for pause_s in (0.2, 0.5, 1.2, 3.0):
        for _ in range(3):
            scene.go_on(second, second + pause_s, muted="A")
            scene.go_on(second + pause_s, second + pause_s + 1.1)
            second += pause_s + 1.1
    assert scene.found() == []


def test_a_silence_that_a_disconnect_follows_at_once_is_a_gap_too() -> None:
    scene = Busy()
    scene.at(11).row("A", 0)
    scene.at(11.01).gaps.disconnected(0, "disconnect", "")
    assert scene.gaps_of() == [(each, "stale", "closed", 9.99, 11) for each in "AB"]


def test_a_silence_begins_when_the_row_before_it_could_have_been_read() -> None:
    # Rows that the venue sends between that and the late read are missing, too.
    scene = Busy(table="trades")
    scene.at(10.008).row("A", 0, event_s=10)
    scene.go_on(11, 12)
    starts = [round(row[3], 3) for row in scene.found("trades") if row[0] == "A"]
    assert starts == [10]


class Loaded(Busy):
    """A machine so busy that nothing is read for 0.35 s at times, by any clock."""

    every = (("A", 1), ("B", 1))

    def __init__(self) -> None:
        Scene.__init__(self, table="trades", silence_floor_s=FLOOR_S)
        self.connect(0)
        for second in range(20):
            self.go_on(second, second + 0.65)
            self.go_on(second + 0.65, second + 1, muted="AB")
        self.go_on(20, 21)
        assert self.found("trades") == []

    def closed(self) -> list[tuple[object, ...]]:
        return [
            (symbol, reason, round(start, 2), round(end, 2))
            for symbol, reason, state, start, end in self.found("trades")
            if state == "closed"
        ]


def test_one_stream_that_falls_silent_on_a_busy_machine_is_found_by_what_the_others_do() -> None:
    scene = Loaded()
    # Less than three times what the machine's pauses were.
    scene.go_on(21, 21.9, muted="A")
    scene.go_on(21.9, 23)
    assert scene.closed() == [("A", "stale", 20.99, 21.9)]
    assert scene.last()["detail"].startswith("silent alone for 0.910 s, more than 0.")


def test_a_pause_of_a_busy_machine_is_still_no_gap() -> None:
    scene = Loaded()
    scene.go_on(21, 21.9, muted="AB")
    scene.go_on(21.9, 23)
    assert scene.closed() == []


def test_companions_that_are_livelier_than_they_were_make_no_gap() -> None:
    scene = Loaded()
    for second in range(21, 31):  # what both were quiet for, A is now alone
        scene.go_on(second, second + 0.67)
        scene.go_on(second + 0.67, second + 1, muted="A")
    assert scene.closed() == []


def test_a_silence_while_the_loop_stood_still_is_a_gap_as_long_as_it_was() -> None:
    scene = Busy(table="trades")
    scene.go_on(10, 11)
    scene.at(14)  # stopped for three seconds, of which the venue was silent for one
    for tick in [*range(1100, 1150), *range(1250, 1400)]:
        scene.row("A", 0, event_s=tick / 100)
    scene.gaps.look()
    scene.go_on(14, 15)
    [(symbol, reason, state, start, end)] = [
        each for each in scene.found("trades") if each[0] == "A"
    ]
    assert (symbol, reason, state) == ("A", "stale", "closed")
    assert start == pytest.approx(11.49, abs=1e-6)
    assert end == pytest.approx(12.501, abs=1e-6)


@pytest.mark.parametrize("late_s", [0.01, 0.03, 0.2])
def test_an_acknowledgement_that_no_row_follows_soon_has_ended_nothing(late_s: float) -> None:
    scene = Busy(table="trades")
    scene.at(10).gaps.disconnected(0, "disconnect", "")
    scene.at(10.03).gaps.connected(0, 1)
    for key in ("mids-A", "mids-B"):
        scene.gaps.acknowledged(0, key)
    for tick in range(round((10.03 + late_s) * 100), 1100):
        scene.at(tick / 100).row("A", 1, event_s=tick / 100)
        scene.gaps.look()
    found = [each[1:] for each in scene.found("trades") if each[0] == "A" and each[2] == "closed"]
    assert found[0] == ("disconnect", "closed", pytest.approx(9.99), pytest.approx(10.03))
    assert found[1:] == (
        []
        if late_s == 0.01
        else [("stale", "closed", pytest.approx(10.03), pytest.approx(10.03 + late_s, abs=0.01))]
    )


class TwoBooks(Scene):
    """Two books of A on one connection, of which rows come every 10 ms, for ten seconds."""

    def __init__(self) -> None:
        super().__init__(symbols=(), silence_floor_s=FLOOR_S)
        self.gaps.divide(1, "book", {"book:5": 1, "book:20": 2})
        for channel in ("book:5", "book:20"):
            self.gaps.add(1, "book", "A", channel, spliced=False, channel=channel)
        self.gaps.connected(1, 7)
        for channel in ("book:5", "book:20"):
            self.gaps.acknowledged(1, channel)
        self.go_on(0, 10)

    def go_on(self, from_s: float, to_s: float, *, muted: str = "") -> None:
        for tick in range(round(from_s * 100), round(to_s * 100)):
            self.at(tick / 100)
            for channel in {"book:5", "book:20"} - {muted}:
                self.row("A", 7, table="book", channel=channel, event_s=tick / 100)
            if tick % 5 == 0:
                self.gaps.look()


@pytest.mark.parametrize("muted", ["book:5", "book:20"])
def test_rows_of_one_channel_neither_hide_another_one_s_silence_nor_end_its_gap(muted: str) -> None:
    scene = TwoBooks()
    scene.go_on(10, 11, muted=muted)
    scene.go_on(11, 12)
    assert scene.found("book") == [("A", "stale", "closed", 9.99, 11)]
    assert scene.last()["detail"].startswith(f"{muted}: silent for 1.010 s")
    scene.gaps.lost(1, muted, "resubscribing", "")
    scene.go_on(12, 13, muted=muted)
    assert scene.last()["state"] == "open"
    scene.go_on(13, 13.1)
    assert scene.last()["state"] == "closed"
    assert scene.found("book")[-1][-2:] == (11.99, 13)


def test_nothing_is_learned_anew_while_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Busy()
    n_asked = 0
    index = scene.gaps._index
    states = index.states

    def counted(*part: object) -> object:
        nonlocal n_asked
        n_asked += 1
        return states(*part)  # type: ignore[arg-type] # as it was called

    monkeypatch.setattr(index, "states", counted)
    scene.go_on(10, 12, muted="AB")
    n_settled = n_asked  # what came before the silence
    scene.go_on(12, 16, muted="AB")
    assert n_asked == n_settled
    scene.go_on(16, 18)
    assert n_asked > n_settled


def test_a_usual_silence_of_the_first_seconds_counts_before_the_next_row() -> None:
    scene = Busy.__new__(Busy)
    Scene.__init__(scene, table="trades", silence_floor_s=FLOOR_S)
    scene.connect(0)
    was_s = 0.0
    # A silence of 1.2 s is found to be a usual one, by one of 0.4 s, and then one of 2.5 s follows.
    for until_s, muted in ((0.5, ""), (1.7, "AB"), (2.5, ""), (2.9, "AB"), (3.5, ""), (6, "AB")):
        scene.go_on(was_s, until_s, muted=muted)
        was_s = until_s
    scene.go_on(6, 8)
    assert scene.trade_gaps() == []
