"""Silences between rows: noted beyond their limit, learned below it."""

from __future__ import annotations

import numpy as np

from tickwire.ring import Dictionaries, Ring, Streams
from tickwire.ring._silences import SilenceLog
from tickwire.schema import TABLES

ROWS = 1024
MS = 10**6


class Timed:
    """Rows of symbols A and B on connections 0 and 1, both of session 3, at times in ms."""

    def __init__(self, *, by_recv: bool = False) -> None:
        self.ring = Ring(TABLES["mids"], ROWS, Dictionaries())
        self.streams = Streams(self.ring)
        self.streams.silences.by_recv = by_recv
        for conn in (0, 1):
            self.streams.adopt(conn, 3)
        self.codes = [self.ring.dictionaries.symbol.code(name) for name in "AB"]

    def rows(
        self, symbol: str, *times_ms: int, conn: int = 0, step_ms: int = 0, late_ms: int = 1
    ) -> None:
        for ms in times_ms:
            assert self.ring.append(
                venue="v", symbol=symbol, conn=conn, price=1.0, recv_mono=ms * MS,
                ts_event=(step_ms + ms - late_ms) * MS, ts_recv=(1000 + step_ms + ms) * MS,
            )  # fmt: skip

    def learn(self, limit_ms: int, of_all_ms: int = 10**6) -> None:
        limits = np.full(max(self.codes) + 1, limit_ms * MS, np.int64)
        self.streams.learn(3, limits, of_all_ms * MS)

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
    assert it.streams.longest(3) == (5, 30 * MS)
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
