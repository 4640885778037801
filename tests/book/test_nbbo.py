"""The best bid and ask over several venues, against a slow reference row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from benchmarks.all_on.reference import SlowNbbo, rows_of

from tickwire.book import BookOutputs, BookReader, NbboOutput
from tickwire.book._nbbo import UNNAMED
from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES

ROWS = 1 << 12
VENUES = ("a", "b", "c", "d")  # `d` is not verified
SYMBOLS = {venue: f"BTC{venue}" for venue in VENUES}


class Rig:
    """A reader of books of several venues, with `top` and `nbbo`."""

    def __init__(self, rows: int = ROWS) -> None:
        self.dictionaries = Dictionaries()
        self.ring = Ring(TABLES["book"], ROWS, self.dictionaries)
        self.top = Ring(TABLES["top"], ROWS, self.dictionaries)
        self.nbbo = Ring(TABLES["nbbo"], rows, self.dictionaries)
        self.instruments = {(venue, SYMBOLS[venue]): "BTC-USD" for venue in VENUES}
        self.instruments["a", "ETHa"] = self.instruments["b", "ETHb"] = "ETH-USD"
        self.reader = BookReader(self.ring, on_lag="block")
        self.output = NbboOutput(self.nbbo, self.instruments)
        self.reader.bind(BookOutputs(self.top, None, nbbo=self.output), self.settings)
        self.tops, self.best = Consumer(self.top), Consumer(self.nbbo)
        self.now = 0

    def settings(self, venue: int, channel: int) -> tuple[bool, bool, int]:
        del channel
        return self.dictionaries.venue.value(venue) != "d", False, 0

    def add(self, venue: str, symbol: str | None = None, channel: str = "book") -> None:
        of = self.dictionaries
        symbol = SYMBOLS[venue] if symbol is None else symbol
        self.reader.add(
            of.venue.code(venue), of.of("channel").code(channel), of.symbol.code(symbol)
        )

    def publish(
        self, venue: str, levels: list[tuple[str, float, float]], *, is_snapshot: bool = False,
        symbol: str | None = None, channel: str = "book",
    ) -> None:  # fmt: skip
        self.now += 7
        given: list[tuple[Any, ...]] = levels or [(None, None, None)]
        for number, (side, price, size) in enumerate(given):
            assert self.ring.stage(
                venue=venue, symbol=symbol or SYMBOLS[venue], channel=channel, conn=1,
                ts_recv=self.now, ts_event=self.now - 1, venue_seq=self.now, side=side,
                price=price, size=size, is_snapshot=is_snapshot, last=number == len(given) - 1,
            )  # fmt: skip
        self.ring.publish()

    def number(self, venue: str) -> int:
        of = self.dictionaries
        return self.reader.find_book(
            of.venue.code(venue), of.of("channel").code("book"), of.symbol.code(SYMBOLS[venue])
        )

    def rows(self) -> list[dict[str, Any]]:
        return rows_of(self.best.take())


@pytest.mark.parametrize("seed", range(3))
def test_every_row_is_that_of_a_slow_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rig = Rig()
    for venue in VENUES:
        rig.add(venue)
    rig.add("b", "ETHb")
    rig.add("a", "ETHa")
    slow = SlowNbbo(rig.instruments, [*list(rig.instruments)[:4], ("b", "ETHb"), ("a", "ETHa")])
    found, expected = [], []
    begun: set[tuple[str, str]] = set()
    for _ in range(1000):
        venue = VENUES[int(rng.integers(4))]
        symbol = f"ETH{venue}" if venue in "ab" and rng.random() < 0.2 else SYMBOLS[venue]
        levels = [
            ("ask" if is_ask else "bid", 100 + (1 if is_ask else -1) * float(ticks), float(size))
            for is_ask, ticks, size in zip(
                rng.integers(0, 2, 2), rng.integers(-1, 9, 2), rng.integers(0, 4, 2), strict=True
            )
        ]
        is_snapshot = (venue, symbol) not in begun or rng.random() < 0.1
        begun.add((venue, symbol))
        rig.publish(venue, levels, is_snapshot=is_snapshot, symbol=symbol)
        assert rig.reader.read()
        is_verified = rig.reader.state(rig.number(venue)) != "unverifiable"
        before = len(expected)
        for row in rows_of(rig.tops.take()):
            expected += slow.take(row, is_verified=is_verified)
        if len(expected) == before and not is_verified:  # its state alone has changed
            expected += slow.leave_out("d", SYMBOLS["d"], rig.now - 1, rig.now)
        if rng.random() < 0.02:
            rig.now += 1
            rig.reader.break_book(rig.number(venue), rig.now)
            for row in rows_of(rig.tops.take()):
                expected += slow.take(row)
        found += rig.rows()
        assert found[before:] == expected[before:]
    assert len(found) > 150
    assert sum(row["crossed"] for row in found) > 20
    assert {row["left_out"] for row in found} > {None, "d", "b, d"}
    assert {row["instrument"] for row in found} == {"BTC-USD", "ETH-USD"}


def test_a_side_has_its_price_size_venue_and_time() -> None:
    rig = Rig()
    for venue in "ab":
        rig.add(venue)
    rig.publish("a", [("bid", 10.0, 1.0), ("ask", 12.0, 1.0)], is_snapshot=True)
    rig.publish("b", [("bid", 10.0, 1.0), ("ask", 11.0, 1.0)], is_snapshot=True)
    rig.publish("b", [("bid", 10.0, 2.0)])
    rig.publish("a", [("bid", 11.5, 1.0)])
    rig.publish("a", [("bid", 9.0, 1.0)])  # not a best one
    assert rig.reader.read()
    rows = rig.rows()
    keys = ("bid_price", "bid_size", "bid_venue", "bid_ts", "ask_price", "ask_venue", "ask_ts")
    assert [tuple(row[key] for key in keys) for row in rows] == [
        (10.0, 1.0, "a", 7, 12.0, "a", 7),
        (10.0, 1.0, "a", 7, 11.0, "b", 14),  # of equal ones the first that is configured
        (10.0, 2.0, "b", 21, 11.0, "b", 14),  # the larger one
        (11.5, 1.0, "a", 28, 11.0, "b", 14),
    ]
    keys = ("ts_event", "ts_recv", "spread", "crossed", "age_ns", "left_out", "venue", "conn")
    assert [tuple(row[key] for key in keys) for row in rows] == [
        (6, 7, 2.0, False, 0, "b", None, None),
        (13, 14, 1.0, False, 7, None, None, None),
        (20, 21, 1.0, False, 7, None, None, None),
        (27, 28, -0.5, True, 14, None, None, None),
    ]


def test_of_a_symbol_s_channels_the_first_counts_and_others_belong_to_nothing() -> None:
    rig = Rig()
    rig.add("a")
    rig.publish("a", [("bid", 10.0, 1.0)], is_snapshot=True)
    rig.publish("a", [("bid", 11.0, 1.0)], is_snapshot=True, channel="book:20")
    rig.publish("a", [("bid", 12.0, 1.0)], is_snapshot=True, symbol="other")
    assert rig.reader.read()
    assert [row["bid_price"] for row in rig.rows()] == [10.0]
    assert repr(rig.output) == "<NbboOutput: 1 instruments, 1 books>"


def test_a_snapshot_that_changes_no_best_price_makes_a_book_count_again() -> None:
    """What is not verified counts until its next change, each time."""
    rig = Rig()
    rig.add("d")
    levels = [("bid", 10.0, 1.0), ("ask", 11.0, 1.0)]
    for is_snapshot in (True, False, True, True, False):
        rig.publish("d", levels, is_snapshot=is_snapshot)
    assert rig.reader.read()
    assert len(rows_of(rig.tops.take())) == 1
    keys = ("ts_recv", "bid_price", "bid_ts", "left_out")
    assert [tuple(row[key] for key in keys) for row in rig.rows()] == [
        (7, 10.0, 7, None), (14, None, None, "d"), (21, 10.0, 7, None), (35, None, None, "d"),
    ]  # fmt: skip


def test_a_stale_book_counts_again_before_its_next_message() -> None:
    rig = Rig()
    rig.add("a")
    rig.publish("a", [("bid", 10.0, 1.0)], is_snapshot=True)
    assert rig.reader.read()
    for ts_recv in (50, 70):
        assert rig.reader.break_book(rig.number("a"), ts_recv, is_suspended=True)
        assert rig.reader.resume(rig.number("a"), ts_recv + 10)
    keys = ("ts_recv", "bid_price", "left_out")
    assert [tuple(row[key] for key in keys) for row in rig.rows()] == [
        (7, 10.0, None), (50, None, "a"), (60, 10.0, None), (70, None, "a"), (80, 10.0, None),
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "venue"), [("BTC-USD", "b"), ("BTC-USD-PERP", "a")])
def test_sizes_of_perpetual_contracts_are_not_compared(name: str, venue: str) -> None:
    """100 contracts of one venue may be less than a coin at another."""
    rig = Rig()
    instruments = {(each, SYMBOLS[each]): name for each in "ab"}
    nbbo = Ring(TABLES["nbbo"], ROWS, rig.dictionaries)
    rig.reader.bind(BookOutputs(rig.top, None, nbbo=NbboOutput(nbbo, instruments)), rig.settings)
    rig.best = Consumer(nbbo)
    slow = SlowNbbo(instruments, list(instruments))
    for each, size in (("a", 1.0), ("b", 100.0)):
        rig.add(each)
        rig.publish(each, [("bid", 10.0, size)], is_snapshot=True)
    assert rig.reader.read()
    rows = rig.rows()
    assert rows[-1]["bid_venue"] == venue
    tops = rows_of(rig.tops.take())
    assert [row for top in tops for row in slow.take(top)][-1] == rows[-1]


def test_where_it_is_full_the_books_wait() -> None:
    rig = Rig(rows=1024)
    n_sent = 3000
    for number in range(n_sent):
        rig.publish("a", [("bid", 10.0 + number, 1.0)], is_snapshot=number == 0)
    found = []
    while not rig.reader.read():
        assert rig.reader.outputs.held_by is rig.nbbo
        found += rig.rows()
    found += rig.rows()
    assert rig.reader.outputs.held_by is None
    assert [row["bid_price"] for row in found] == [10.0 + number for number in range(n_sent)]
    assert len(rows_of(rig.tops.take())) == n_sent


def test_an_owed_row_waits_for_room() -> None:
    rig = Rig(rows=1024)
    rig.publish("a", [("bid", 10.0, 1.0)], is_snapshot=True)
    while rig.reader.read():
        rig.publish("a", [("bid", 10.0, 1.0 + rig.now)])
    rig.rows()
    rig.publish("a", [("bid", 10.0, 1.0)])
    number = rig.number("a")
    while rig.reader.read():
        rig.publish("a", [("bid", 10.0, 1.0 + rig.now)])
    assert rig.reader.break_book(number, rig.now + 1)
    assert rig.rows()[-1]["left_out"] is None
    assert rig.reader.read()
    rows = rig.rows()
    assert (rows[0]["left_out"], rows[0]["bid_price"]) == ("a", None)


def test_more_names_than_there_are_codes_are_said_to_be_so() -> None:
    rig = Rig()
    dictionary = rig.dictionaries.of("left_out")
    while len(dictionary) < dictionary.max_values:
        dictionary.code(str(len(dictionary)))
    rig.add("a")
    rig.add("b")
    rig.publish("a", [("bid", 10.0, 1.0)], is_snapshot=True)
    rig.publish("b", [("bid", 11.0, 1.0)], is_snapshot=True)
    assert rig.reader.read()
    assert [row["left_out"] for row in rig.rows()] == [UNNAMED, None]
