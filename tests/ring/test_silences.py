"""Silences between rows: noted beyond their limit, learned below it."""

from __future__ import annotations

import random

import numpy as np
import pytest

from tickwire.ring import Dictionaries, Ring, Streams
from tickwire.ring._silences import SilenceLog
from tickwire.schema import TABLES

ROWS = 1024
MS = 10**6
OTHERS = {"trades": {"channel": "trades", "size": 1.0, "side": "buy", "trade_id": "1"}}


class Timed:
    """Rows of symbols A and B on connections 0 and 1, both of session 3, at times in ms."""

    def __init__(self, *, by_recv: bool = False, table: str = "mids") -> None:
        self.others = OTHERS.get(table, {})
        self.ring = Ring(TABLES[table], ROWS, Dictionaries())
        self.streams = Streams(self.ring)
        self.streams.silences.by_recv = by_recv
        for conn in (0, 1):
            self.streams.adopt(conn, 3)
        self.codes = [self.ring.dictionaries.symbol.code(name) for name in "AB"]

    def rows(
        self,
        symbol: str,
        *times_ms: int,
        conn: int = 0,
        step_ms: int = 0,
        late_ms: int | None = 1,
    ) -> None:
        for ms in times_ms:
            event = None if late_ms is None else (step_ms + ms - late_ms) * MS
            assert self.ring.append(
                venue="v", symbol=symbol, conn=conn, price=1.0, recv_mono=ms * MS,
                ts_event=event, ts_recv=(1000 + step_ms + ms) * MS,
                **self.others,
            )  # fmt: skip

    def learn(self, limit_ms: int, of_all_ms: int = 10**6, alone_ms: int = 10**6) -> None:
        limits = np.full((2, max(self.codes) + 2), limit_ms * MS, np.int64)
        limits[0, -1] = of_all_ms * MS
        limits[1] = alone_ms * MS
        self.streams.learn(3, limits)

    def found(self) -> list[tuple[int | None, int, int]]:
        return [
            (each.code, each.from_mono_ns // MS, each.to_mono_ns // MS)
            for each in self.streams.take_silences(3)
        ]

    def longest_ms(self) -> list[int]:
        states = self.streams.states(3)
        return [int(states["longest"][code]) // MS for code in self.codes]


def test_silences_beyond_the_limit_are_noted_and_the_longest_of_the_others_is_kept() -> None:
    it = Timed()
    it.rows("A", 10, 20, 50)
    it.rows("B", 60)
    it.rows("A", 65)
    assert it.longest_ms() == [30, 0]
    assert it.streams.longest(3) == (5, 30 * MS, 30 * MS)
    assert it.found() == []
    it.learn(limit_ms=40, of_all_ms=25)
    assert it.longest_ms() == [0, 0]
    it.rows("A", 70, 130, 135)  # in one run, and across runs
    it.rows("B", 140)
    it.rows("A", 141, 150)
    a, b = it.codes
    assert it.found() == [(a, 70, 130), (None, 70, 130), (b, 60, 140)]
    assert it.found() == []
    assert it.longest_ms() == [9, 0]
    silence = it.streams.take_silences(3)
    assert silence == []


def test_a_silence_over_a_reconnect_is_noted_and_never_learned() -> None:
    it = Timed()
    it.rows("A", 10, 20)
    it.rows("A", 500, 505, conn=1)
    assert it.longest_ms() == [10, 0]
    it.learn(limit_ms=100)
    it.rows("A", 900, conn=1)
    [silence] = it.streams.take_silences(3)
    assert (silence.limit_ns, silence.from_recv_ns, silence.to_recv_ns) == (
        100 * MS, 1505 * MS, 1900 * MS,
    )  # fmt: skip
    assert (silence.from_event_ns, silence.to_event_ns) == (504 * MS, 899 * MS)


def test_a_replay_measures_silences_by_its_own_clock() -> None:
    for by_recv, found in ((True, [(0, 1020, 1520)]), (False, [])):
        it = Timed(by_recv=by_recv)
        it.rows("A", 10, 20)
        it.learn(limit_ms=100)
        it.rows("A", 30, step_ms=490)
        assert it.found() == found


def test_a_reader_that_stood_still_is_no_silence_and_nothing_to_learn() -> None:
    it = Timed()
    it.rows("A", 10, 20)
    it.learn(limit_ms=100)
    it.rows("A", 520, late_ms=495)  # 6 ms after the one before, by the venue's clock
    assert it.found() == []
    assert it.longest_ms() == [6, 0]


def test_too_many_silences_are_counted_and_those_of_other_sessions_are_left() -> None:
    it = Timed()
    it.streams.adopt(2, 4)
    it.rows("A", 0)
    it.learn(limit_ms=1)
    for n in range(1, 1501):
        it.rows("A", 2 * n)
        it.streams.sweep()
    assert (it.streams.silences.n_noted, it.streams.silences.n_dropped) == (1024, 476)
    assert it.streams.take_silences(4) == []
    assert len(it.found()) == 1024
    assert it.streams.silences.n_noted == 0


def test_a_log_of_silences_is_its_streams() -> None:
    it = Timed()
    it.rows("A", 10, 20)
    it.learn(limit_ms=5)
    it.rows("A", 100)
    it.streams.sweep()
    assert it.streams.silences.n_noted == 1
    assert SilenceLog(it.ring).take(3) == []
    [silence] = it.streams.silences.take(3)
    assert (silence.from_mono_ns, silence.to_mono_ns) == (20 * MS, 100 * MS)


def test_a_silence_among_rows_that_were_read_at_once_is_found_by_the_venue_s_clock() -> None:
    it = Timed(table="trades")
    it.rows("A", 10, 20)
    it.learn(limit_ms=100)
    # All of 30..1230 ms is read at 3 s: the loop stood still, and within it the venue was silent.
    for ms in (30, 40, 50, 1220, 1230):
        it.rows("A", 3000, late_ms=3000 - ms + 1)
    [silence] = it.streams.take_silences(3)
    assert (silence.from_event_ns, silence.to_event_ns) == (49 * MS, 1219 * MS)
    assert silence.silent_ns == 1170 * MS
    it.rows("A", 3010, late_ms=1780)  # caught up, and quick again
    assert it.found() == []


def test_rows_that_a_venue_repeats_after_an_outage_are_no_late_ones() -> None:
    it = Timed(table="trades")
    it.rows("A", 10, 20)
    it.streams.expect(3, it.codes[0], 15 * MS, 800 * MS)
    it.learn(limit_ms=1000)
    it.rows("A", 800, late_ms=700, conn=1)  # of 100 ms, in the outage
    it.rows("A", 810, 820, conn=1)
    assert it.longest_ms()[0] == 10  # and not what the outage took


def late_ms(it: Timed, symbol: str = "A") -> int:
    stream = it.streams.get(3, it.ring.dictionaries.symbol.code(symbol))
    assert stream is not None
    return round(stream.late_ns / MS)


def test_a_clock_that_is_set_back_while_a_stream_is_silent_makes_its_rows_no_late_ones() -> None:
    it = Timed(table="trades")
    for ms in range(1000, 2000, 100):  # the clock is 2 s ahead
        it.rows("A", ms, late_ms=-1999)
        it.rows("B", ms + 50, late_ms=-1999)
    it.streams.sweep()
    for ms in range(2000, 4100, 100):  # right again, while A is silent
        it.rows("B", ms + 50)
        it.streams.sweep()
    it.rows("A", 4200, 4210)
    assert late_ms(it) == 0
    it.rows("A", 4300, late_ms=41)
    assert late_ms(it) == 40


def test_rows_that_a_reader_reads_late_are_late_whichever_stream_is_the_first() -> None:
    it = Timed(table="trades")
    for ms in range(1000, 2000, 100):
        it.rows("A", ms)
        it.rows("B", ms + 50)
    for ms in range(2000, 4000, 100):  # nothing is read for 2 s
        it.rows("A", 4000, late_ms=4001 - ms)
        assert late_ms(it) == 4000 - ms
        it.rows("B", 4000, late_ms=4001 - ms - 50)
        assert late_ms(it, "B") == 4000 - ms - 50


def test_another_connection_s_rows_do_not_show_that_a_clock_was_set() -> None:
    it = Timed(table="trades")
    it.rows("A", 1000, 1100)
    it.rows("B", 1010, 1110, 3000, conn=1)
    it.rows("A", 3000, late_ms=1500)  # its connection was held up
    assert late_ms(it) == 1499


def test_one_row_of_the_future_makes_no_later_one_late() -> None:
    it = Timed(table="trades")
    it.rows("A", 1000, 1010)
    it.streams.sweep()
    it.rows("A", 1020, late_ms=-30_000)  # swept with the next one, as the first of them
    it.rows("A", 1030)
    it.streams.sweep()
    it.rows("A", 1040)
    assert late_ms(it) == 0


def test_a_row_without_a_time_says_nothing_of_the_venue_s_clock() -> None:
    it = Timed(table="trades")
    it.rows("A", 1000, 1010)
    it.streams.sweep()
    it.rows("A", 1020, late_ms=None)
    it.streams.sweep()
    it.rows("A", 1100, late_ms=61)
    assert late_ms(it) == 60


def test_where_a_row_s_time_is_not_when_it_happened_the_reader_s_clock_counts() -> None:
    it = Timed(table="mids")
    it.rows("A", 10, 20)
    it.learn(limit_ms=100)
    for ms in (30, 1220):
        it.rows("A", 3000, late_ms=3000 - ms + 1)
    assert it.found() == []


def test_what_all_companions_paused_is_left_out_of_a_silence_alone() -> None:
    it = Timed()
    for ms in range(0, 400, 10):
        it.rows("A", ms)
        it.rows("B", ms + 5)
    it.rows("A", 700)  # no stream had a row for 305 ms: 5 ms of A's silence are its own
    states = it.streams.states(3)
    assert int(states["longest"][it.codes[0]]) == 310 * MS
    assert int(states["longest_alone"][it.codes[0]]) == 10 * MS
    it.learn(limit_ms=930, alone_ms=250)
    for ms in range(705, 1200, 10):
        it.rows("B", ms)
    it.rows("A", 1400)  # 205 ms before it no stream had one
    [silence] = it.streams.take_silences(3)
    assert (silence.code, silence.is_alone, silence.limit_ns) == (it.codes[0], True, 250 * MS)
    assert (silence.silent_ns, silence.alone_ns) == (700 * MS, 495 * MS)


def test_pauses_before_a_stream_s_last_row_do_not_shorten_its_silence() -> None:
    it = Timed()
    it.rows("A", 0, 10)
    it.rows("B", 300, 305)
    it.rows("A", 306)
    it.streams.sweep()
    it.learn(limit_ms=10**5, alone_ms=100)
    it.rows("A", 310)
    it.streams.sweep()
    for ms in range(320, 600, 10):
        it.rows("B", ms)
    it.rows("A", 600)
    [silence] = it.streams.take_silences(3)
    assert silence.alone_ns == silence.silent_ns == 290 * MS


def test_a_session_has_the_other_sessions_of_its_ring_for_companions() -> None:
    it = Timed()
    it.streams.adopt(2, 4)
    it.rows("A", 0)
    for ms in range(0, 1000, 10):
        it.rows("B", ms, conn=2)
        if ms < 300 or ms >= 900:
            it.rows("A", ms + 5)
        if ms == 100:
            it.streams.sweep()
            it.learn(limit_ms=10**5, alone_ms=250)
    silences = {each.code: each for each in it.streams.take_silences(3)}
    assert set(silences) == {None}  # A has no companion in its own session
    assert silences[None].alone_ns == 610 * MS


def same_silences(rng: random.Random, at_once: Timed, one_by_one: Timed) -> None:
    """Compare what was found in the same rows; now and then both get new limits."""
    assert at_once.found() == one_by_one.found()
    assert at_once.longest_ms() == one_by_one.longest_ms()
    assert at_once.streams.longest(3) == one_by_one.streams.longest(3)
    if rng.random() < 0.3:
        limits = [rng.choice((10, 50, 1000)) for _ in range(3)]
        at_once.learn(*limits)
        one_by_one.learn(*limits)


@pytest.mark.parametrize("seed", range(8))
def test_rows_swept_at_once_have_the_silences_of_rows_swept_one_by_one(seed: int) -> None:
    rng = random.Random(seed)
    at_once, one_by_one = Timed(), Timed()
    now = 1000
    for _ in range(30):
        for _ in range(rng.randrange(1, 8)):
            now += rng.choice((0, 1, 5, 20, 60, 200))
            symbol, late_ms = rng.choice("AAAB"), rng.choice((1, 1, 1, 30, 150))
            n_rows = rng.choice((1, 2, 7, 8, 9, 10, 17, 40))
            for _ in range(n_rows):  # of one message
                one_by_one.rows(symbol, now, late_ms=late_ms)
                one_by_one.streams.sweep()
                at_once.rows(symbol, now, late_ms=late_ms)
        same_silences(rng, at_once, one_by_one)


@pytest.mark.parametrize("seed", range(12))
def test_rows_of_streams_that_alternate_are_noted_as_those_of_runs(seed: int) -> None:
    rng = random.Random(seed)
    alternating, runs = Timed(), Timed()
    for session in (7, 8):  # what sessions share is noted run by run
        runs.streams.adopt(9, session)
    now, symbol = 1000, "A"
    for _ in range(20):
        usual_ms = rng.choice((1, 1, 1, None))
        is_as_usual = rng.choice((1.0, 0.95))
        ahead_ms = rng.choice((0, 0, 0, 700))  # of the venue's clock
        for _ in range(rng.choice((3, 20, 60))):
            now += rng.choice((0, 0, 0, 1, 2, 15)) if rng.random() < 0.98 else 200
            late_ms = usual_ms if rng.random() < is_as_usual else rng.choice((None, 1, 30, 900))
            symbol, conn = "AB"[symbol == "A"], int(rng.random() < 0.02)
            late_ms = None if late_ms is None else late_ms - ahead_ms
            for each in (alternating, runs):
                each.rows(symbol, now, late_ms=late_ms, conn=conn)
            if rng.random() < 0.01:
                for each in (alternating, runs):
                    each.streams.sweep()
        same_silences(rng, alternating, runs)
        assert alternating.streams.states(3).tolist() == runs.streams.states(3).tolist()


@pytest.mark.parametrize("seed", range(8))
def test_rows_that_are_passed_over_at_once_have_the_silences_of_single_ones(seed: int) -> None:
    rng = random.Random(seed)
    at_once, one_by_one = Timed(), Timed()
    now = 1000
    for _ in range(20):
        usual_ms = rng.choice((1, 1, 1, None))
        for _ in range(rng.randrange(1, 4)):
            symbol, steps = rng.choice("AAAB"), rng.choice(((0, 1), (0, 1, 2, 5), (1, 40, 70)))
            is_as_usual = rng.choice((1.0, 0.97))
            for _ in range(rng.choice((15, 16, 17, 33, 100))):
                now += rng.choice(steps) if rng.random() < 0.98 else 200
                late_ms = usual_ms if rng.random() < is_as_usual else rng.choice((None, 1, 30))
                one_by_one.rows(symbol, now, late_ms=late_ms)
                one_by_one.streams.sweep()
                at_once.rows(symbol, now, late_ms=late_ms)
        same_silences(rng, at_once, one_by_one)
