"""Streams against a reference in plain Python, whatever rings do between two sweeps."""

from __future__ import annotations

import random

import pytest
from tests.ring.market import ROWS, SYMBOLS, Market

from tickwire.ring import Consumer, Dictionaries, Ring, Streams
from tickwire.schema import TABLES


def test_the_same_symbol_of_two_sessions_is_two_streams() -> None:
    market = Market()
    market.adopt(1, 0)
    market.adopt(2, 1)
    for conn in (1, 2, 2, 1, 3):  # 3 is not adopted
        market.stage(conn, "S0")
    market.ring.publish()
    market.check()
    code = market.ring.dictionaries.symbol.code("S0")
    assert [market.streams.get(each, code).n_rows for each in (0, 1)] == [2, 2]  # type: ignore[union-attr]


def test_sessions_that_share_a_connection_each_have_the_rows_of_their_venue() -> None:
    market = Market()
    code = market.ring.dictionaries.symbol.code("S0")
    for session, venue in enumerate(("v", "w", "v")):
        market.streams.adopt(1, session, venue=venue)
    market.stage(1, "S0")
    market.stage(1, "S0")
    market.ring.publish()
    found = [market.streams.get(session, code) for session in range(3)]
    assert [each and each.n_rows for each in found] == [2, None, 2]


def stage_book(ring: Ring, channel: str, n: int, conn: int = 1) -> None:
    for _ in range(n):
        assert ring.stage(
            venue="v", symbol="S0", ts_event=1, ts_recv=2, recv_mono=3, conn=conn,
            channel=channel, is_snapshot=True, last=True,
        )  # fmt: skip
    ring.publish()


def test_a_divided_session_has_the_rows_of_each_channel_apart() -> None:
    ring = Ring(TABLES["book"], ROWS, Dictionaries())
    streams = Streams(ring)
    streams.divide(0, {"book": 0, "book:fast": 4, "book:5": 2})
    streams.adopt(1, 0)
    streams.adopt(9, 1)  # not divided
    code = ring.dictionaries.symbol.code("S0")
    rng = random.Random(5)
    counts = {"book": 0, "book:fast": 0, "book:5": 0, "book:other": 0}
    for n_whole in range(1, 301):
        for _ in range(rng.randrange(4)):
            channel, n = rng.choice([*counts]), rng.choice((1, 2, 31, 32, 33, 64, 65, 100))
            stage_book(ring, channel, n)
            counts[channel] += n
        stage_book(ring, "book", 1, conn=9)
        others = counts["book:other"]
        found = [streams.get(number, code) for number in (0, 4, 2, 1)]
        assert [each.n_rows if each else 0 for each in found] == [
            counts["book"] + others,
            counts["book:fast"] + others,
            counts["book:5"] + others,
            n_whole,
        ]
    assert all(counts.values())
    assert ring.published > 4 * ROWS


def test_sessions_that_share_a_connection_may_be_divided() -> None:
    ring = Ring(TABLES["book"], ROWS, Dictionaries())
    streams = Streams(ring)
    streams.divide(0, {"book": 0, "book:fast": 2})
    for session in (0, 1):
        streams.adopt(1, session, venue="v")
    stage_book(ring, "book", 3)
    stage_book(ring, "book:fast", 5)
    code = ring.dictionaries.symbol.code("S0")
    found = [streams.get(number, code) for number in range(3)]
    assert [each and each.n_rows for each in found] == [3, 8, 5]


def test_rows_without_a_channel_cannot_be_divided() -> None:
    with pytest.raises(ValueError, match="rows of mids have no channel"):
        Market().streams.divide(0, {"mids": 0, "other": 1})


@pytest.mark.volume
@pytest.mark.parametrize("overflow", ["block", "drop_oldest"])
@pytest.mark.parametrize("with_consumer", [False, True])
@pytest.mark.parametrize("window_rows", [0, 128])
def test_no_row_is_written_over_before_it_was_swept(
    overflow: str, with_consumer: bool, window_rows: int
) -> None:
    rng = random.Random(repr((overflow, with_consumer, window_rows)))
    market = Market(overflow=overflow, window_rows=window_rows)
    consumer = Consumer(market.ring) if with_consumer else None
    conns = {session: session for session in range(5)}
    for conn, session in conns.items():
        market.adopt(conn, session)
    n_rewinds = 0
    for _ in range(400):
        for _ in range(rng.randrange(300)):
            conn = rng.choice(list(conns))
            if not market.stage(conn, rng.choice(SYMBOLS), event=rng.random() < 0.9):
                break
        market.ring.publish()
        if consumer is not None and rng.random() < 0.8:
            consumer.take()
        n_rewinds += market.ring.rewind()
        what = rng.randrange(40)
        if what == 0:
            market.check()
        elif what == 1:
            session, symbol = rng.randrange(5), rng.choice(SYMBOLS)
            market.streams.mark(session, market.ring.dictionaries.symbol.code(symbol))
            market.reference.mark(session, symbol)
        elif what == 2:  # a session goes on with another connection
            old = rng.choice(list(conns))
            fresh = max(market.sessions) + rng.choice([1, 64, 4096])
            conns[fresh] = conns.pop(old)
            market.adopt(fresh, conns[fresh])
    market.check()
    assert market.ring.published > 10 * ROWS
    assert (n_rewinds > 0) == (with_consumer and window_rows > 0)


def test_connections_of_many_sessions_stay_apart() -> None:
    market = Market()
    for session in range(300):  # the last one far from the others, where numbers would meet
        market.adopt(session * 64, session)
    for session in range(300):
        market.stage(session * 64, "S1")
    market.ring.publish()
    market.check()


def test_runs_of_any_length() -> None:
    """Many rows are compared at once where a run is long, over the ring's end too."""
    rng = random.Random(5)
    market = Market(overflow="drop_oldest")
    for conn in range(3):
        market.adopt(conn, conn)
    for _ in range(300):
        for _ in range(rng.randrange(1, 4)):
            conn, symbol = rng.randrange(3), rng.choice(SYMBOLS[:3])
            for _ in range(rng.choice((1, 2, 31, 32, 33, 64, 65, 100))):
                assert market.stage(conn, symbol)
        market.ring.publish()
        market.check()
