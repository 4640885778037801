"""The books of a reader, and what it writes, against slow ones: row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.book.slow_book import Side, SlowBook

from tickwire.book import BookReader
from tickwire.ring import Consumer, Dictionaries, Ring
from tickwire.schema import TABLES

ROWS = 1024
NS = 1_000_000_000
Message = tuple[str, list[tuple[Side, float, float]], bool]


class Rig:
    """Rings, a reader, consumers of what it writes, and slow books."""

    def __init__(self, *, is_verified: bool = True, keeps: int = 0, depth: int = 0) -> None:
        self.dictionaries = Dictionaries()
        self.ring = Ring(TABLES["book"], ROWS, self.dictionaries)
        self.top = Ring(TABLES["top"], ROWS, self.dictionaries)
        self.depth = Ring(TABLES["depth"], ROWS, self.dictionaries) if depth else None
        self.reader = BookReader(self.ring, on_lag="block")
        self.reader.bind(
            self.top,
            self.depth,
            lambda _venue, _channel: (is_verified, False, keeps),
            depth=depth,
            interval_ns=NS,
        )
        self.keeps = keeps
        self.tops = Consumer(self.top)
        self.depths = None if self.depth is None else Consumer(self.depth)
        self.slow: dict[str, SlowBook] = {}
        self.expected: list[tuple[Any, ...]] = []
        self.last: dict[str, list[float | None]] = {}
        self.n_messages = 0

    def publish(self, message: Message) -> None:
        """Write a message's rows, apply it to its slow book, and note the row that `top` gets."""
        symbol, levels, is_snapshot = message
        self.n_messages += 1
        rows: list[tuple[Side | None, float | None, float | None]] = [*levels]
        rows = rows or [(None, None, None)]
        for number, (side, price, size) in enumerate(rows):
            assert self.ring.stage(
                venue="v", symbol=symbol, channel="book", conn=1, ts_recv=self.n_messages,
                ts_event=self.n_messages - 1, venue_seq=10 * self.n_messages, side=side,
                price=price, size=size, is_snapshot=is_snapshot, last=number == len(rows) - 1,
            )  # fmt: skip
        self.ring.publish()
        slow = self.slow.setdefault(symbol, SlowBook(self.keeps))
        slow.apply(levels, is_snapshot=is_snapshot)
        best: list[float | None] = []
        for side in ("bid", "ask"):
            best += slow.best(side)
        is_known = symbol in self.last or is_snapshot
        if is_known and self.last.get(symbol) != best:
            self.last[symbol] = best
            at = self.n_messages
            self.expected.append((symbol, at - 1, at, 10 * at, *best))

    def rows_of_top(self) -> list[tuple[Any, ...]]:
        """Take what is there of `top`."""
        found = []
        while (batch := self.tops.take()) is not None:
            names = ("symbol", "ts_event", "ts_recv", "venue_seq")
            columns = [batch[name] for name in names]
            columns[1:3] = [column.cast("int64") for column in columns[1:3]]
            prices = [
                batch[f"{side}_{what}"] for side in ("bid", "ask") for what in ("price", "size")
            ]
            found += zip(*(column.to_pylist() for column in (*columns, *prices)), strict=True)
        return found

    def number(self, symbol: str = "S") -> int:
        """Give a book's number."""
        of = self.dictionaries.of
        return self.reader.find_book(
            self.dictionaries.venue.code("v"), of("channel").code("book"),
            self.dictionaries.symbol.code(symbol),
        )  # fmt: skip

    def assert_books_equal(self) -> None:
        """Compare every book with the slow one."""
        for symbol, slow in self.slow.items():
            bids, asks = self.reader.levels(self.number(symbol))
            assert bids.tolist() == slow.sorted("bid")
            assert asks.tolist() == slow.sorted("ask")
            found = self.reader.describe(self.number(symbol))
            assert (found["orphans"], found["crossed"], found["truncated"]) == (
                slow.n_orphans, slow.n_crossed, slow.n_truncated,
            )  # fmt: skip


def random_messages(seed: int, n: int, symbols: str = "ABC") -> list[Message]:
    """Give messages, of each symbol a snapshot first."""
    rng = np.random.default_rng(seed)
    sides: list[Side] = ["bid", "ask"]
    begun: set[str] = set()
    messages: list[Message] = []
    for _ in range(n):
        symbol = symbols[int(rng.integers(len(symbols)))]
        is_snapshot = symbol not in begun or rng.random() < 0.02
        begun.add(symbol)
        levels = []
        for _ in range(int(rng.integers(0, 8)) + 20 * is_snapshot):
            is_ask = int(rng.integers(2))
            ticks = int(rng.exponential(12)) - 1
            levels.append(
                (sides[is_ask], 100 + (ticks if is_ask else -ticks) / 4, float(rng.integers(3)))
            )
        messages.append((symbol, levels, is_snapshot))
    return messages


@pytest.mark.parametrize("keeps", [0, 10])
@pytest.mark.parametrize("a_batch", [1, 7, 100])
def test_books_and_top_are_those_of_the_slow_books(keeps: int, a_batch: int) -> None:
    """Over many rounds of the ring, however many messages a batch has."""
    rig = Rig(keeps=keeps)
    found = []
    for number, message in enumerate(random_messages(keeps + a_batch, 1500)):
        rig.publish(message)
        if number % a_batch == 0:
            assert rig.reader.read()
            rig.assert_books_equal()
            found += rig.rows_of_top()
            assert found == rig.expected
    assert rig.ring.published > 3 * ROWS
    assert rig.reader.n_failures == 0


def test_a_full_output_holds_the_reader_and_loses_nothing() -> None:
    rig = Rig()
    found = []
    n_held = 0
    for message in random_messages(5, 6000, "A"):
        rig.publish(message)
        if not rig.reader.read():
            n_held += 1
            assert rig.reader.available > 0
            found += rig.rows_of_top()
            assert rig.reader.read()
    found += rig.rows_of_top()
    assert n_held > 0
    assert found == rig.expected
    rig.assert_books_equal()


@pytest.mark.parametrize("is_verified", [True, False])
def test_states_follow_snapshots_changes_and_breaks(is_verified: bool) -> None:
    rig = Rig(is_verified=is_verified)
    rig.publish(("S", [("bid", 1.0, 1.0)], False))
    rig.reader.read()
    assert rig.reader.state(rig.number()) == "waiting"
    assert rig.rows_of_top() == []
    rig.publish(("S", [("bid", 1.0, 1.0), ("ask", 2.0, 1.0)], True))
    rig.reader.read()
    assert rig.reader.state(rig.number()) == "live"
    rig.publish(("S", [("bid", 1.5, 1.0)], False))
    rig.reader.read()
    after = "live" if is_verified else "unverifiable"
    assert rig.reader.state(rig.number()) == after
    rig.rows_of_top()
    assert rig.reader.break_book(rig.number(), 99)
    assert not rig.reader.break_book(rig.number(), 100)
    assert rig.rows_of_top() == [("S", None, 99, None, None, None, None, None)]
    rig.publish(("S", [("bid", 1.6, 1.0)], False))
    rig.reader.read()
    assert rig.reader.state(rig.number()) == "broken"
    assert rig.rows_of_top() == []
    rig.publish(("S", [("bid", 1.0, 1.0)], True))
    rig.reader.read()
    states = [(before, state) for _, before, state, _ in rig.reader.take_changes()]
    expected = [("", "waiting"), ("waiting", "live"), ("live", "unverifiable")]
    expected = expected if not is_verified else expected[:2]
    assert states == [*expected, (after, "broken"), ("broken", "live")]
    assert rig.rows_of_top() == [("S", 4, 5, 50, 1.0, 1.0, None, None)]
    rig.assert_books_equal()


def test_a_suspended_book_goes_on_as_it_was() -> None:
    """What is only stale resumes without a snapshot, unless something was lost meanwhile."""
    rig = Rig()
    rig.publish(("S", [("bid", 1.0, 1.0)], True))
    rig.reader.read()
    number = rig.number()
    assert rig.reader.break_book(number, 50, is_suspended=True)
    rig.publish(("S", [("ask", 2.0, 1.0)], False))
    rig.reader.read()
    assert rig.reader.resume(number, 60)
    assert not rig.reader.resume(number, 60)
    assert rig.reader.state(number) == "live"
    rig.rows_of_top()
    rig.publish(("S", [], False))
    rig.reader.read()
    assert rig.rows_of_top() == [("S", 2, 3, 30, 1.0, 1.0, 2.0, 1.0)]
    rig.reader.break_book(number, 70, is_suspended=True)
    assert not rig.reader.break_book(number, 80)
    assert not rig.reader.resume(number, 90)
    assert rig.reader.state(number) == "broken"


def test_owed_rows_of_top_wait_for_room() -> None:
    rig = Rig()
    rig.publish(("A", [("bid", 1.0, 1.0)], True))
    while rig.reader.read():
        rig.publish(("A", [("bid", 1.0, float(rig.n_messages))], True))
    rig.reader.break_book(rig.number("A"), 10**6)
    found = rig.rows_of_top()
    assert None not in [row[4] for row in found]
    assert rig.reader.read()  # the snapshot that did not fit makes the book live again
    found = rig.rows_of_top()
    assert [row[4] for row in found] == [None, 1.0]
    assert found[0][2] == 10**6


@pytest.mark.thorough  # a million rows
def test_a_book_with_more_levels_than_it_may_have_is_broken_and_top_says_so() -> None:
    rig = Rig()
    rig.publish(("A", [("bid", 0.5, 1.0)], True))
    found: list[tuple[Any, ...]] = []
    for number in range(1, (1 << 20) + 1):
        assert rig.ring.stage(
            venue="v", symbol="A", channel="book", conn=1, ts_recv=number, side="bid",
            price=float(number), size=1.0, is_snapshot=False, last=number % 256 == 0,
        )  # fmt: skip
        if number % 256 == 0:
            rig.ring.publish()
            assert rig.reader.read()
            found = rig.rows_of_top()
    number = rig.number("A")
    assert (rig.reader.state(number), rig.reader.n_failures) == ("broken", 1)
    assert rig.reader.describe(number)["has_failed"]
    assert found[-1][4:] == (None,) * 4
    assert not rig.reader.resume(number, 1 << 40, has_snapshot=True)
    rig.publish(("A", [("bid", 0.5, 1.0)], True))
    assert rig.reader.read()
    assert rig.reader.state(number) == "live"
    assert rig.rows_of_top()[-1][4:6] == (0.5, 1.0)


def test_depth_is_a_snapshot_at_each_interval() -> None:
    """At the first message past it, with that message's times; the last row says that it is."""
    rig = Rig(depth=3)
    assert rig.depths is not None
    expected = []
    due = 0
    for number, message in enumerate(random_messages(9, 400, "A")):
        rig.n_messages = number * NS // 7
        rig.publish(message)
        assert rig.reader.read()
        slow = rig.slow["A"]
        levels = [
            (side, at, *level)
            for side in ("bid", "ask")
            for at, level in enumerate(slow.sorted(side)[:3])  # type: ignore[arg-type]
        ]
        if rig.n_messages >= due and levels:
            due = (rig.n_messages // NS + 1) * NS
            expected += [(rig.n_messages, *level, level == levels[-1]) for level in levels]
        rig.rows_of_top()
    found = []
    while (batch := rig.depths.take()) is not None:
        columns = [batch["ts_recv"].cast("int64")]
        columns += [batch[name] for name in ("side", "level", "price", "size", "last")]
        found += zip(*(column.to_pylist() for column in columns), strict=True)
    assert len(expected) > 300
    assert found == expected


def test_a_snapshot_that_was_staged_before_a_break_does_not_mend_it() -> None:
    rig = Rig()
    rig.publish(("S", [("bid", 1.0, 1.0)], True))
    rig.reader.read()
    for now, after in ((True, "broken"), (False, "live")):
        rig.ring.stage(
            venue="v", symbol="S", channel="book", conn=1, ts_recv=2, ts_event=2, venue_seq=2,
            side="bid", price=2.0, size=1.0, is_snapshot=True, last=True,
        )  # fmt: skip
        rig.reader.break_book(rig.number(), 2, is_now=now)
        rig.ring.publish()
        rig.reader.read()
        assert rig.reader.state(rig.number()) == after
    rig.reader.break_book(rig.number(), 3, is_now=True)
    rig.publish(("S", [("bid", 3.0, 1.0)], True))
    rig.reader.read()
    assert rig.reader.state(rig.number()) == "live"


@pytest.mark.parametrize("maxsize", [1, 5, 6, 7])
def test_a_snapshot_of_more_rows_than_a_consumer_s_bound_passes_whole(maxsize: int) -> None:
    rig = Rig(depth=3)
    assert rig.depth is not None
    assert rig.depths is not None
    bounded = Consumer(rig.depth, on_lag="block", max_lag=maxsize)
    rig.depth.renew_limits()
    sizes, n_held = [], 0
    for number, message in enumerate(random_messages(9, 40, "A")):
        rig.n_messages = number * NS
        rig.publish(message)
        if not rig.reader.read():
            assert rig.reader.is_held_by_depth
            n_held += 1
            batch = bounded.take()
            assert batch is not None
            sizes.append(len(batch))
            assert rig.reader.read()
        assert not rig.reader.is_held_by_depth
        rig.rows_of_top()
    assert n_held > 30
    assert max(sizes) == 6  # never two snapshots, never a part of one


def test_a_reader_without_outputs_or_books_says_so() -> None:
    ring = Ring(TABLES["book"], ROWS, Dictionaries())
    with pytest.raises(RuntimeError, match="bind"):
        BookReader(ring).read()
    rig = Rig()
    assert rig.reader.read()
    assert rig.number() == -1
    with pytest.raises(IndexError, match="no book 0"):
        rig.reader.describe(0)
