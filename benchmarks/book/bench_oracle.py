"""Quotes beside the books of their markets: what each comparison costs. Informational."""

from __future__ import annotations

import pytest
from benchmarks.rounds import measure
from pytest_benchmark.fixture import BenchmarkFixture

from tickwire.book import BookOracle, BookOutputs, BookReader
from tickwire.ring import Dictionaries, Ring
from tickwire.schema import TABLES

pytestmark = pytest.mark.informational

N_QUOTES = 4_000
MS = 1_000_000
# How long, and over how many quotes a disagreement lasts before the book is called wrong.
RULES = {"none": None, "same id": (0, 0), "lasting": (50 * MS, 3)}


class Watched:
    """A book of one symbol that stands, and quotes that all show it as it is."""

    def __init__(self, rule: tuple[int, int] | None) -> None:
        dictionaries = Dictionaries()
        book, top, self.quotes = (
            Ring(TABLES[name], 1 << 13, dictionaries) for name in ("book", "top", "quotes")
        )
        self.oracle = BookOracle(self.quotes)
        self.oracle.bind(lambda _venue, _channel: rule)
        reader = BookReader(book)
        reader.bind(BookOutputs(top, None), lambda *_: (True, False, 0), oracle=self.oracle)
        for side, price in (("bid", 99.0), ("ask", 101.0)):
            book.stage(
                venue="v", symbol="S", channel="book", conn=1, ts_recv=1, venue_seq=1, side=side,
                price=price, size=1.0, is_snapshot=True, last=side == "ask",
            )  # fmt: skip
        book.publish()
        reader.read()
        self.n_quotes = 0

    def stage(self, bid: float) -> None:
        """Add a quote of the book's id, a millisecond after the last one."""
        self.n_quotes += 1
        self.quotes.stage(
            venue="v", symbol="S", conn=1, ts_recv=self.n_quotes * MS, venue_seq=1,
            bid_price=bid, bid_size=1.0, ask_price=101.0, ask_size=1.0,
        )  # fmt: skip

    def fill(self) -> None:
        """Publish a round's quotes, all equal to the book."""
        for _ in range(N_QUOTES):
            self.stage(99.0)
        self.quotes.publish()


@pytest.mark.parametrize("rule", RULES)
def test_quotes_of_a_book(benchmark: BenchmarkFixture, rule: str) -> None:
    """4,000 quotes in one batch: of a symbol that is not watched, or is, by each rule."""
    watched = Watched(RULES[rule])
    oracle = watched.oracle
    measure(benchmark, oracle.read, setup=watched.fill, n_messages=N_QUOTES, rounds=20)
    assert oracle.available == 0
    # What lasts is compared side by side.
    assert oracle.n_checked == watched.n_quotes * {"none": 0, "same id": 1, "lasting": 2}[rule]
    assert oracle.take_found() == []
    for _ in range(60):
        watched.stage(98.0)
    watched.quotes.publish()
    oracle.read()
    assert len(oracle.take_found()) == (rule != "none")
