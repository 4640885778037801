"""Books beside their oracles: what is equal, what only lasts for a moment, and what is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.book.rig import NS, ROWS

from tickwire.book import BookOracle, BookOutputs, BookReader
from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES

SAME_ID = (0, 0)
LASTING = (5 * NS, 3)


class Rig:
    """A book of one symbol and the quotes of its market."""

    def __init__(self, rule: tuple[int, int] | None) -> None:
        dictionaries = Dictionaries()
        self.ring, self.quotes, self.top = (
            Ring(TABLES[name], ROWS, dictionaries) for name in ("book", "quotes", "top")
        )
        self.oracle = BookOracle(self.quotes)
        self.oracle.bind(lambda _venue, _channel: rule)
        self.reader = BookReader(self.ring)
        self.reader.bind(
            BookOutputs(self.top, None), lambda *_: (True, False, 0), oracle=self.oracle
        )
        self.tops = Consumer(self.top)

    def book(
        self, at: float, seq: int | None, bid: float, ask: float, *, is_snapshot: bool = False,
        size: float = 1.0, symbol: str = "S",
    ) -> list[Any]:  # fmt: skip
        """Let the best prices be these: a message of the book."""
        levels = [("bid", bid, size), ("ask", ask, size)]
        if not is_snapshot:
            was = self.reader.levels(self.number(symbol), 1)
            gone = zip(("bid", "ask"), was, (bid, ask), strict=True)
            levels = [
                (side, float(old["price"][0]), 0.0)
                for side, old, now in gone
                if len(old) and old["price"][0] != now
            ] + levels
        for number, (side, price, n) in enumerate(levels):
            assert self.ring.stage(
                venue="v", symbol=symbol, channel="book", conn=1, ts_recv=round(at * NS),
                venue_seq=seq, side=side, price=price, size=n, is_snapshot=is_snapshot,
                last=number == len(levels) - 1,
            )  # fmt: skip
        self.ring.publish()
        self.reader.read()
        while self.tops.take() is not None:
            pass
        return self.found()

    def quote(
        self, at: float, seq: int | None, bid: float | None, ask: float | None, *,
        size: float = 1.0, venue: str = "v", symbol: str = "S",
    ) -> list[Any]:  # fmt: skip
        """Have a quote."""
        assert self.quotes.append(
            venue=venue, symbol=symbol, conn=1, ts_recv=round(at * NS), venue_seq=seq,
            bid_price=bid, bid_size=size, ask_price=ask, ask_size=size,
        )  # fmt: skip
        self.oracle.read()
        return self.found()

    def found(self) -> list[Any]:
        """Give what was found wrong."""
        return self.oracle.take_found()

    def number(self, symbol: str = "S") -> int:
        """Give the book's number."""
        of = self.ring.dictionaries
        return self.reader.find_book(
            of.venue.code("v"), of.of("channel").code("book"), of.symbol.code(symbol)
        )


def test_what_has_one_id_is_equal_whichever_comes_first() -> None:
    rig = Rig(SAME_ID)
    assert rig.book(1, 10, 99, 101, is_snapshot=True) == []
    assert rig.quote(1.1, 10, 99, 101) == []
    assert rig.quote(1.2, 11, 98, 101) == []
    assert rig.oracle.counts(rig.number()) == (1, 0)
    assert rig.book(1.3, 11, 98, 101) == []
    assert rig.quote(1.4, 12, 1, 2) == []  # an id that the book does not have
    assert rig.book(1.5, 13, 97, 101) == []
    assert rig.oracle.counts(rig.number()) == (2, 0)
    assert (rig.oracle.n_checked, rig.oracle.n_mismatched) == (2, 0)


@pytest.mark.parametrize("is_quote_first", [False, True])
@pytest.mark.parametrize("wrong", ["price", "size"])
def test_a_difference_of_one_id_is_found_once(wrong: str, is_quote_first: bool) -> None:
    rig = Rig(SAME_ID)
    rig.book(1, 10, 99, 101, is_snapshot=True)
    rig.quote(2, 10, 99, 101)
    bid, size = (98.5, 1.0) if wrong == "price" else (99.0, 2.0)
    steps = [lambda: rig.book(3, 12, 99, 101), lambda: rig.quote(3.5, 12, bid, 101, size=size)]
    first, second = reversed(steps) if is_quote_first else steps
    assert first() == []
    [(number, good_ns, ts_recv, book, oracle)] = second()
    assert (number, good_ns) == (rig.number(), 2 * NS)
    assert ts_recv == (3 * NS if is_quote_first else round(3.5 * NS))
    assert (book, oracle) == ((99, 1, 101, 1), (bid, size, 101, size))
    assert rig.quote(4, 12, 1, 2) == []  # until it begins again
    assert rig.book(5, 20, 90, 91, is_snapshot=True) == []
    assert len(rig.quote(6, 20, 90, 92)) == 1
    assert rig.oracle.counts(rig.number()) == (3, 2)


def test_ids_that_fall_are_of_another_time() -> None:
    rig = Rig(SAME_ID)
    rig.book(1, 500, 99, 101, is_snapshot=True)
    rig.quote(1, 499, 1, 2)
    assert rig.book(2, 7, 98, 101, is_snapshot=True) == []
    assert rig.quote(3, 7, 98, 101) == []
    assert rig.book(4, 499, 97, 101) == []  # the quote of 499 is forgotten
    assert rig.oracle.counts(rig.number()) == (1, 0)


def test_an_empty_side_is_equal_to_none() -> None:
    rig = Rig(SAME_ID)
    rig.book(1, 10, 99, 101, is_snapshot=True, size=0.0)
    assert rig.quote(1, 10, None, None, size=float("nan")) == []
    assert rig.oracle.counts(rig.number()) == (1, 0)


def test_a_quote_of_size_zero_has_no_such_side() -> None:
    rig = Rig(SAME_ID)
    rig.book(1, 10, 99, 101, is_snapshot=True, size=0.0)
    assert rig.quote(1, 10, 0.0, 0.0, size=0.0) == []
    assert rig.oracle.counts(rig.number()) == (1, 0)


def test_other_markets_and_broken_books_are_let_alone() -> None:
    rig = Rig(SAME_ID)
    rig.book(1, 10, 99, 101, is_snapshot=True)
    assert rig.quote(2, 10, 1, 2, venue="w") == []
    assert rig.quote(2, 10, 1, 2, symbol="T") == []
    rig.reader.break_book(rig.number(), 3 * NS, is_suspended=True)
    assert rig.quote(4, 10, 1, 2) == []
    rig.reader.resume(rig.number(), 5 * NS)
    rig.book(6, 11, 99, 102)
    assert rig.quote(7, 10, 1, 2) == []
    assert len(rig.quote(8, 11, 1, 2)) == 1
    assert rig.oracle.counts(rig.number()) == (1, 1)


def test_books_without_a_rule_are_not_watched() -> None:
    rig = Rig(None)
    rig.book(1, 10, 99, 101, is_snapshot=True)
    assert rig.quote(2, 10, 1, 2) == []
    assert rig.oracle.counts(rig.number()) is None


def test_moments_of_disagreement_are_none() -> None:
    """Each side's price was the book's a moment ago, or is it soon."""
    rig = Rig(LASTING)
    rig.book(0, None, 99, 101, is_snapshot=True)
    rng = np.random.default_rng(3)
    bid = 99.0
    for i in range(1, 400):
        later = bid + float(rng.integers(-2, 3))
        at = i / 2
        assert rig.quote(at, None, bid, bid + 2) == []  # late
        assert rig.quote(at, None, later, later + 2) == []  # early
        assert rig.book(at + 0.1, None, later, later + 2) == []
        bid = later
    checked, mismatched = rig.oracle.counts(rig.number()) or (0, 1)
    assert (checked > 700, mismatched) == (True, 0)


@pytest.mark.parametrize(("pace_s", "n_quotes"), [(0.1, 51), (4.0, 3)])
def test_a_disagreement_that_lasts_is_found(pace_s: float, n_quotes: int) -> None:
    """Over some seconds and some quotes, on one side: the other one is right."""
    rig = Rig(LASTING)
    rig.book(0, None, 99, 101, is_snapshot=True)
    rig.quote(1, None, 99, 101)
    n, found = 0, []
    while not found:
        n += 1
        rig.book(10 + n * pace_s, None, 99, 101 + n)
        found = rig.quote(10 + n * pace_s, None, 98 - n / 8, 101 + n)
    assert n == n_quotes
    [(_, good_ns, ts_recv, book, oracle)] = found
    assert good_ns == round((10 + pace_s - 5) * NS)  # what agreed then may have been old
    assert ts_recv == round((10 + n * pace_s) * NS)
    assert (book[0], oracle[0]) == (99, 98 - n / 8)
    assert (rig.oracle.n_mismatched, rig.quote(90, None, 1, 2)) == (1, [])


def test_quotes_from_before_the_prices_that_are_kept_are_not_compared() -> None:
    """As after backpressure, or in a replay at full speed: many rows of a book come at once."""
    rig = Rig(LASTING)
    rig.book(0, None, 99, 101, is_snapshot=True)
    n_kept, n = 256, 300
    for at in range(1, n + 1):
        rig.book(at, None, 99 + at, 101 + at)
    for at in range(1, n + 1):
        assert rig.quote(at, None, 99 + at, 101 + at) == []
    assert rig.oracle.counts(rig.number()) == (2 * n_kept, 0)


def test_an_oracle_says_what_it_lacks() -> None:
    ring = Ring(TABLES["quotes"], ROWS, Dictionaries())
    with pytest.raises(RuntimeError, match="bind it"):
        BookOracle(ring).read()


class DeepRig:
    """A book, and a channel that shows its best three levels as a whole."""

    def __init__(self) -> None:
        self.dictionaries = Dictionaries()
        names = ("book", "quotes", "top")
        self.ring, quotes, top = (Ring(TABLES[name], ROWS, self.dictionaries) for name in names)
        channels = self.dictionaries.of("channel")
        self.oracle = BookOracle(quotes)
        self.oracle.bind(
            lambda _venue, channel: SAME_ID if channels.value(channel) == "book" else None,
            lambda _venue, channel: int(channels.value(channel).partition(":")[2] or 0),
        )
        self.reader = BookReader(self.ring)
        self.reader.bind(BookOutputs(top, None), lambda *_: (True, False, 0), oracle=self.oracle)
        self.at = 0

    def send(
        self, seq: int | None, bids: list[tuple[float, float]], *, channel: str = "book",
        is_snapshot: bool = False,
    ) -> list[Any]:  # fmt: skip
        """Publish a message; gives what was found wrong."""
        self.at += 1
        for number, (price, size) in enumerate(bids):
            assert self.ring.stage(
                venue="v", symbol="S", channel=channel, conn=1, ts_recv=self.at, venue_seq=seq,
                side="bid", price=price, size=size, is_snapshot=is_snapshot,
                last=number == len(bids) - 1,
            )  # fmt: skip
        self.ring.publish()
        self.reader.read()
        return list(self.oracle.take_found())

    def show(self, seq: int | None, *bids: tuple[float, float], levels: int = 3) -> list[Any]:
        """Publish a whole book of a few levels."""
        return self.send(seq, list(bids), channel=f"book:{levels}", is_snapshot=True)

    def counts(self) -> Any:
        """Give how often the book was compared, and found wrong."""
        of = self.dictionaries
        codes = of.venue.code("v"), of.of("channel").code("book"), of.symbol.code("S")
        return self.oracle.counts(self.reader.find_book(*codes))


LEVELS = [(10.0, 1.0), (9.0, 2.0), (8.0, 3.0), (7.0, 4.0)]


@pytest.mark.parametrize("is_first", [False, True])
@pytest.mark.parametrize(
    ("shown", "is_equal"),
    [
        ([(10.0, 1.0), (9.0, 2.0), (8.0, 5.0)], True),
        ([(10.0, 1.0), (9.0, 2.5), (8.0, 5.0)], False),
        ([(10.0, 1.0), (9.0, 2.0), (8.5, 5.0)], False),
        ([(10.0, 1.0), (9.0, 2.0)], False),
        ([(10.0, 1.0), (8.0, 5.0), (9.0, 2.0)], True),  # as a side, not as a text
    ],
    ids=["equal", "size", "price", "missing", "order"],
)
def test_best_levels_of_one_id_are_equal_whichever_come_first(
    is_first: bool, shown: list[tuple[float, float]], is_equal: bool
) -> None:
    rig = DeepRig()
    rig.send(2, LEVELS, is_snapshot=True)
    assert rig.show(1, *LEVELS[:3]) == []
    steps = [lambda: rig.send(5, [(8.0, 5.0)]), lambda: rig.show(5, *shown)]
    if is_first:
        steps.reverse()
    assert steps[0]() == []
    assert bool(steps[1]()) != is_equal
    assert rig.counts() == (1, int(not is_equal))


def test_what_has_no_id_in_common_is_not_compared_and_levels_behind_are_not_looked_at() -> None:
    rig = DeepRig()
    rig.send(1, LEVELS, is_snapshot=True)
    assert rig.show(1, *LEVELS[:2], (8.0, 9.0)) == []  # only the best: no hash was made before
    assert rig.counts() == (1, 0)
    rig.send(3, [(7.0, 9.0)])  # behind those that are shown
    assert rig.show(3, *LEVELS[:3]) == []
    assert rig.counts() == (2, 0)
    assert rig.show(4, (1.0, 1.0)) == []
    assert rig.show(None, (1.0, 1.0)) == []
    assert rig.show(3, (1.0, 1.0), levels=2) == []  # the first channel counts
    assert rig.counts() == (2, 0)
    for seq in range(5, 400):  # further back than is kept
        rig.send(seq, [(9.0, float(seq))])
    assert rig.show(5, (1.0, 1.0)) == []
    [found] = rig.show(399, *LEVELS[:3])
    assert found[3][:2] == found[4][:2] == (10.0, 1.0)


def test_a_watch_of_disagreements_that_last_takes_no_levels() -> None:
    rig = DeepRig()
    rig.oracle.bind(lambda *_: LASTING, lambda *_: 3)
    rig.send(1, LEVELS, is_snapshot=True)
    assert rig.show(1, (1.0, 1.0)) == []
