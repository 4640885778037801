"""What a ring knows of streams: the first and the last row, marks, holes, states."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from tests.ring.market import ROWS, SYMBOLS, Market, of

from tickwire.ring import Dictionaries, Ring, Stream, Streams
from tickwire.schema import TABLES


def test_first_and_last_row_of_each_symbol() -> None:
    market = Market()
    market.adopt(7, 0)
    market.stage(7, "A")
    market.stage(7, "B", event=False)
    market.stage(7, "A")
    code = market.ring.dictionaries.symbol.code
    assert market.streams.get(0, code("A")) is None  # staged is not published
    market.ring.publish()
    assert of(market.streams.get(0, code("A"))) == Stream(2, 2, 7, 3, -2, 21, 1, -4, 7)
    assert of(market.streams.get(0, code("B"))) == Stream(1, 1, 7, 2, None, 14, 2, None, 14)
    assert market.streams.get(0, code("C")) is None
    assert market.streams.get(1, code("A")) is None


def test_a_mark_makes_the_next_row_the_first() -> None:
    market = Market()
    market.adopt(7, 0)
    code = market.ring.dictionaries.symbol.code("A")
    market.streams.mark(0, code)  # of a stream without rows: nothing happens
    market.stage(7, "A")
    market.ring.publish()
    market.streams.mark(0, code)  # counts what was published before it
    assert of(market.streams.get(0, code)) == Stream(1, 0, 7, 1, -4, 7, None, None, None)
    market.adopt(8, 0)
    market.stage(8, "B")
    market.ring.publish()
    assert of(market.streams.get(0, code)) == Stream(1, 0, 7, 1, -4, 7, None, None, None)
    market.stage(8, "A")
    market.stage(8, "A")
    market.ring.publish()
    assert of(market.streams.get(0, code)) == Stream(3, 2, 8, 4, -1, 28, 3, -2, 21)


def test_late_rows_of_an_ended_connection_move_the_mark() -> None:
    market = Market()
    market.adopt(7, 0)
    market.adopt(8, 0)
    market.stage(7, "A")
    market.ring.publish()
    code = market.ring.dictionaries.symbol.code("A")
    market.streams.mark(0, code, 7)
    for conn in (7, 7, 8, 8):
        market.stage(conn, "A")
    market.ring.publish()
    assert of(market.streams.get(0, code)) == Stream(5, 2, 8, 5, 0, 35, 4, -1, 28)
    market.streams.mark(0, code)  # by a mark without a connection every row counts
    market.stage(8, "A")
    market.ring.publish()
    assert of(market.streams.get(0, code)) == Stream(6, 1, 8, 6, 1, 42, 6, 1, 42)


def test_how_late_the_last_row_was_read_is_told_by_the_quickest() -> None:
    ring = Ring(TABLES["mids"], ROWS, Dictionaries())
    streams = Streams(ring)
    streams.adopt(0, 0)
    code = ring.dictionaries.symbol.code("A")
    late = []
    ms = 10**6
    for event, mono in ((100, 1005), (200, 1103), (300, 1260), (3_600_300, 3_601_210), (None, 5)):
        ts_event = None if event is None else event * ms
        ring.append(
            venue="v",
            symbol="A",
            ts_recv=1,
            ts_event=ts_event,
            recv_mono=mono * ms,
            conn=0,
            price=1,
        )
        stream = streams.get(0, code)
        assert stream is not None
        late.append(stream.late_ns // ms)
    # The first and the second are the quickest so far; in an hour clocks may differ by 0.4 s.
    assert late == [0, 0, 56, 0, 0]


def test_rows_that_happened_within_a_hole_are_counted_as_recovered() -> None:
    market = Market()
    market.adopt(0, 0)
    code = market.ring.dictionaries.symbol.code("A")
    market.streams.expect(0, code, 0, 100)  # of a stream without rows: nothing happens

    def put(event: int | None, mono: int) -> int:
        assert market.ring.append(
            venue="v", symbol="A", ts_recv=1, ts_event=event, recv_mono=mono, conn=0, price=1.0
        )
        stream = market.streams.get(0, code)
        assert stream is not None
        return stream.n_recovered

    assert put(100, 1_100) == 0  # 1,000 apart
    market.streams.expect(0, code, 100, 1_500)
    # After the hole, twice in it, before it, at its end, without a time.
    found = [put(event, 1_600) for event in (550, 100, 499, 99, 500, None)]
    assert found == [0, 1, 2, 2, 2, 2]
    market.streams.expect(0, code, 600, 1_700)
    assert put(650, 1_750) == 1


def test_states_are_the_streams_by_code() -> None:
    market = Market()
    assert market.streams.states(0).shape == (0,)
    market.adopt(1, 0)
    for i in range(100):
        market.stage(1, f"S{i % 20}", event=i % 20 != 3)
    market.ring.publish()
    states = market.streams.states(0)
    code = market.ring.dictionaries.symbol.code
    for i in range(20):
        stream = market.streams.get(0, code(f"S{i}"))
        state = states[code(f"S{i}")]
        assert stream is not None
        assert (state["n_rows"], state["last_recv"], state["first_mono"]) == (
            stream.n_rows,
            stream.last_recv_ns,
            stream.first_mono_ns,
        )
    assert states[code("S3")]["last_event"] == np.iinfo(np.int64).min
    market.stage(1, "S0")
    market.ring.publish()
    assert states[code("S0")]["n_rows"] == 5  # a copy


def test_a_ring_has_one_object_of_streams_at_a_time() -> None:
    market = Market()
    with pytest.raises(ValueError, match="mids has its streams already"):
        Streams(market.ring)
    ring = market.ring
    del market
    gc.collect()
    ring.append(venue="v", symbol="A", ts_recv=1, conn=1, price=1.0)
    streams = Streams(ring)
    streams.adopt(1, 0)
    assert streams.get(0, ring.dictionaries.symbol.code("A")) is None  # published before


def test_numbers_are_not_negative() -> None:
    market = Market()
    for conn, session in ((-1, 0), (0, -1)):
        with pytest.raises(ValueError, match="0 or more"):
            market.streams.adopt(conn, session)


def test_the_last_rows_of_symbols_are_found_by_their_codes() -> None:
    market = Market()
    market.adopt(3, 0)
    assert market.streams.last_rows(0, np.array([0, -1])).tolist() == [0, 0]
    for number in range(200):
        market.stage(3, SYMBOLS[number % 20])
    market.ring.publish()
    states = market.streams.states(0)
    codes = np.array([*range(len(states) + 2), -1])
    found = market.streams.last_rows(0, codes).tolist()
    assert found[-3:] == [0, 0, states["last_mono"].max()]
    assert found[:-3] == np.where(states["n_rows"] > 0, states["last_mono"], 0).tolist()
    assert (states["n_rows"] == 0).any()
    assert market.streams.last_rows(7, codes).tolist() == [0] * len(codes)


def test_sessions_take_memory_for_their_own_symbols() -> None:
    # As connections of one source: each asks for the next few symbols.
    market = Market()
    n_sessions, n_each = 100, 10
    symbols = [f"S{i}" for i in range(n_sessions * n_each)]
    codes = [market.ring.dictionaries.symbol.code(symbol) for symbol in symbols]
    for session in range(n_sessions):
        market.adopt(session, session)
        for symbol in symbols[session * n_each : (session + 1) * n_each]:
            assert market.stage(session, symbol)
        market.ring.publish()
        market.streams.sweep()
    n_streams = market.streams.table.n_streams
    assert len(symbols) <= n_streams <= 5 * len(symbols)
    # One below those of its session, and one above; what was there stays.
    for session, symbol in ((99, "S3"), (0, "S700"), (50, "S499"), (50, "S510")):
        assert market.stage(session, symbol)
    market.ring.publish()
    market.check()
    for session in (0, 50, 99):
        states = market.streams.states(session)
        last = market.streams.last_rows(session, np.array([-1, *codes], np.int64))
        assert last[0] == last.max()
        for code, symbol in zip(codes, symbols, strict=True):
            expected = market.reference.get(session, symbol)
            n_rows = int(states["n_rows"][code]) if code < len(states) else 0
            assert n_rows == (expected.n_rows if expected else 0)
            assert last[code + 1] == (expected.last_mono_ns if expected else 0)
    assert market.streams.table.n_streams > n_streams
