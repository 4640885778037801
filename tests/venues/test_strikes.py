"""Books of the real declarations, over a socket, whose messages are dropped, repeated and swapped.

Rules of this file
------------------
- What was published is compared with what was sent, message by message and without a clock:
  between two messages that were sent one behind the other nothing is missing; else a gap covers
  the hole.
- A hole that has no gap is right only where a rule cannot see it, and every state that was
  published is a true one all the same (Kraken's checksum).
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.sim.alike import ALIKE, one_of_each
from tests.venues.strikes import CASES, KINDS, Case, Sent, SlowBook, Striker, striking

import tickwire
from tickwire.feed import books as books_module
from tickwire.feed import changes, followed, housekeeping

SECOND = 1_000_000_000
LATE = 2  # by how many messages a swap makes one
MOST_S = 10  # for a repair, on a machine that does other things, too
SLOW = (*ALIKE, "deribit", "bitget-futures", "kraken-futures")  # chains that others have as well
ROWS = ("symbol", "conn", "is_snapshot", "side", "price", "size", "last", "ts_recv")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repair as often as it breaks, and wait for little."""
    monkeypatch.setattr(followed, "MOST_REPAIRS", ((60.0, 100_000),))
    monkeypatch.setattr(followed, "AGAIN_S", 0.3)
    monkeypatch.setattr(followed, "FIRST_SNAPSHOT_S", 0.3)
    monkeypatch.setattr(followed, "AFTER_CHANGE_S", 0.1)
    monkeypatch.setattr(followed, "LOOK_S", 0.005)
    monkeypatch.setattr(books_module, "LOOK_S", 0.005)
    monkeypatch.setattr(changes, "OVERLAP_S", 0.05)
    monkeypatch.setattr(housekeeping, "HOUSEKEEPING_S", 0.02)


class Taken:
    """The rows of a feed."""

    def __init__(self, feed: tickwire.FeedHandler) -> None:
        self.book: list[tuple[Any, ...]] = []
        self.trades: dict[str, list[str]] = defaultdict(list)
        self._gaps: dict[Any, dict[str, Any]] = {}
        self.n_gap_rows = 0
        self._tasks = [
            asyncio.ensure_future(self._take(feed.batches(table), take))
            for table, take in (
                ("book", self._take_book), ("trades", self._take_trades), ("gaps", self._take_gaps)
            )
        ]  # fmt: skip

    async def _take(self, consumer: Any, take: Callable[[Any], None]) -> None:
        async for batch in consumer:
            take(batch)

    @staticmethod
    def _columns(batch: pa.RecordBatch, *names: str) -> list[list[Any]]:
        found = [batch.column(name) for name in names]
        return [
            (each.cast("int64") if pa.types.is_timestamp(each.type) else each).to_pylist()
            for each in found
        ]

    def _take_book(self, batch: pa.RecordBatch) -> None:
        self.book += zip(*self._columns(batch, *ROWS), strict=True)

    def _take_trades(self, batch: pa.RecordBatch) -> None:
        for symbol, trade_id in zip(*self._columns(batch, "symbol", "trade_id"), strict=True):
            self.trades[symbol].append(trade_id)

    def _take_gaps(self, batch: pa.RecordBatch) -> None:
        names = batch.schema.names
        for values in zip(*self._columns(batch, *names), strict=True):
            row = dict(zip(names, values, strict=True))
            self._gaps[row["gap_id"]] = row

    @property
    def gaps(self) -> list[dict[str, Any]]:
        """The last row of each gap."""
        return [gap for gap in self._gaps.values() if gap["reason"] != "shutdown"]

    async def end(self) -> None:
        await asyncio.gather(*self._tasks)


@dataclass(slots=True)
class Hole:
    """Messages that were sent and not published; `is_late` where one that came late broke it."""

    symbol: str
    since: int
    until: int
    missing: list[Sent]
    is_late: bool = False


class Following:
    """Follows one symbol: which of the messages sent each of those published was."""

    def __init__(self, case: Case, striker: Striker, symbol: str) -> None:
        self._case = case
        self._sent = {
            conn: stream.sent for (conn, each), stream in striker.streams.items() if each == symbol
        }
        self.symbol = symbol
        self._theirs: dict[int, int] = {}  # our connection to the simulator's
        self._book = SlowBook(case.depth)
        self._conn = -1
        self._at = -1
        self._recv = 0
        self._new_recv = 0  # of a REST snapshot: what follows may begin anywhere
        self.holes: list[Hole] = []
        self.n_unseen = 0

    def add(self, conn: int, is_snapshot: bool, levels: list[Any], recv: int) -> None:
        state = self._book.apply(levels, is_snapshot=is_snapshot)
        if is_snapshot and self._case.rest_path:
            if self._new_recv:  # the book broke again before anything followed the one before
                self.holes.append(Hole(self.symbol, self._recv, self._new_recv, []))
                self._recv = self._new_recv
            self._new_recv = recv
            return
        key = frozenset(levels), state
        if self._case.is_whole and self._conn >= 0 and not is_snapshot and self._goes_on(key):
            self._recv = recv
            return
        if conn not in self._theirs:
            assert is_snapshot or self._case.rest_path, "a connection begins with a snapshot"
            theirs = [each for each in self._sent if each not in self._theirs.values()]
            theirs = [each for each in theirs if each > self._conn]
            found = [each for each in theirs if self._find(each, 0, key) >= 0]
            assert found, f"{self.symbol}: nothing like it was sent"
            self._theirs[conn] = found[0]
        theirs_now = self._theirs[conn]
        sent = self._sent[theirs_now]
        start = self._at + 1 if theirs_now == self._conn else 0
        at = self._find(theirs_now, start, key)
        if at < 0:
            # Kraken's messages have no number. One that comes again changes nothing; one that comes
            # late brings back the state before, which its checksum is of. The next change tells.
            assert self._case.depth, f"{self.symbol}: no such state was sent"
            lately = [each.state for each in sent[max(self._at - LATE, 0) : self._at + 1]]
            assert state in lately, f"{self.symbol}: a state that never was"
            self._recv = recv
            return
        if self._conn >= 0:
            before = [] if theirs_now == self._conn else self._sent[self._conn][self._at + 1 :]
            missing = before + sent[start:at]
            # One that was swapped with a change that has all of it is not missed, but comes late.
            swapped = sent[max(start - LATE, 0) : start]
            is_late = self._case.depth > 0 and any(each.struck == "swap" for each in swapped)
            if missing or theirs_now != self._conn or (is_late and is_snapshot):
                until = self._new_recv or recv
                self._on_hole(Hole(self.symbol, self._recv, until, missing, is_late), is_snapshot)
        self._conn, self._at, self._recv, self._new_recv = theirs_now, at, recv, 0

    def _goes_on(self, key: tuple[Any, int]) -> bool:
        """Follow a change that is the next one of a connection, by whichever it came.

        While two bring the same, any of them may bring it.
        """
        now = self._sent[self._conn][self._at]
        for conn in [self._conn, *(each for each in self._sent if each != self._conn)]:
            sent = self._sent[conn]
            at = self._find(conn, self._at + 1 if conn == self._conn else 1, key)
            if at > 0 and sent[at - 1].state == now.state:
                self._conn, self._at = conn, at
                return True
        return False

    def _on_hole(self, hole: Hole, is_snapshot: bool) -> None:
        if is_snapshot or self._new_recv:
            self.holes.append(hole)
            return
        assert self._case.depth, f"{self.symbol}: a change was published over a hole"
        assert all(each.struck for each in hole.missing)
        self.n_unseen += len(hole.missing)

    def _find(self, conn: int, start: int, key: tuple[Any, int]) -> int:
        sent = self._sent[conn]
        for at in range(start, len(sent)):
            if (sent[at].levels, sent[at].state) == key:
                return at
        return -1


def followed_books(case: Case, striker: Striker, rows: list[tuple[Any, ...]]) -> list[Following]:
    """Give what became of every symbol."""
    found: dict[str, Following] = {}
    levels: list[Any] = []
    for symbol, conn, is_snapshot, side, price, size, is_last, recv in rows:
        if side is not None:
            levels.append((side, price, size))
        if is_last:
            if symbol not in found:
                found[symbol] = Following(case, striker, symbol)
            found[symbol].add(conn, is_snapshot, levels, recv)
            levels = []
    return list(found.values())


def check_gaps(case: Case, gaps: list[dict[str, Any]], books: list[Following]) -> Counter[str]:
    """Compare gaps with holes; give how many messages of each kind of strike lay in holes."""
    in_holes: Counter[str] = Counter()
    book_gaps = [gap for gap in gaps if gap["table_name"] == "book"]
    assert case.is_whole or len(book_gaps) == len(gaps), gaps
    unused = {id(gap) for gap in book_gaps}
    for hole in (hole for book in books for hole in book.holes):
        around = [
            gap
            for gap in book_gaps
            if gap["symbol"] == hole.symbol
            # What came before on the connection, of any stream, was whole.
            and gap["ts_start"] <= (hole.until if case.is_whole else hole.since)
            and hole.until <= gap["ts_end"]
        ]
        struck = [each for each in hole.missing if each.struck in ("drop", "swap")]
        in_holes.update(each.struck for each in struck)
        assert struck or hole.is_late or not hole.missing, f"for nothing: {hole}"
        if not around:
            # A snapshot that was asked for in vain leaves nothing out.
            assert not hole.missing, (hole, [g for g in book_gaps if g["symbol"] == hole.symbol])
        unused -= {id(gap) for gap in around}
        for gap in around:
            assert gap["reason"] == "sequence", gap
            assert case.detail is None or case.detail in gap["detail"], gap
            is_snapshot_lost = any(each.is_snapshot for each in hole.missing)
            assert is_snapshot_lost or gap["ts_end"] - gap["ts_start"] < MOST_S * SECOND, gap
            if case.venue == "bybit" and len(struck) == 1 and not is_snapshot_lost:
                assert gap["lost"] == 1, gap
    assert not unused, [gap for gap in book_gaps if id(gap) in unused]
    return in_holes


async def until(happened: Callable[[], bool], seconds: float = 250) -> None:
    async with asyncio.timeout(seconds):
        while not happened():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0.005)


async def scene(case: Case, n_strikes: int, rate: float) -> None:
    with striking(case, rate) as (sim, striker):
        async with sim:
            venue = case.declaration
            sources = [
                tickwire.Source(
                    venue=venue, channels=[case.trades, case.channel], symbols=list(symbols),
                    url=sim.ws_url, rest_url=sim.rest_url, silence_floor_s=0, stale_after_s=60,
                )
                for symbols in case.symbols
            ]  # fmt: skip
            feed = tickwire.FeedHandler(sources, books=tickwire.BooksSettings(), state_dir=None)
            async with feed:
                taken = Taken(feed)
                await feed.ready()
                await until(lambda: len(taken.book) > 1000)
                striker.most = n_strikes
                await until(lambda: striker.n_struck == n_strikes)
                # What follows tells the last losses.
                await until(lambda: striker.n_after() > 6)
                await asyncio.sleep(0.2)
                await until(lambda: all(gap["state"] == "closed" for gap in taken.gaps))
                sim.pause()
                await asyncio.sleep(0.3)
                kept = {
                    symbol: feed.book(case.venue, symbol).copy()
                    for symbols in case.symbols
                    for symbol in symbols
                }
            await taken.end()
    books = followed_books(case, striker, taken.book)
    in_holes = check_gaps(case, taken.gaps, books)
    struck = Counter(each.struck for s in striker.streams.values() for each in s.sent)
    n_unseen = sum(book.n_unseen for book in books)
    assert sum(struck[kind] for kind in KINDS) == n_strikes
    assert sum(in_holes.values()) + n_unseen == struck["drop"] + struck["swap"]
    assert n_unseen <= max(5, n_strikes / 10)
    assert not any(book.holes for book in books if book.symbol == striker.spared)
    for symbol, ids in taken.trades.items():
        sent = list(striker.trade_ids[symbol])
        begin = sent.index(ids[0])
        assert ids == sent[begin : begin + len(ids)]
    for symbol, view in kept.items():
        *_, stream = (each for (_, of), each in striker.streams.items() if of == symbol)
        assert view.state == "live"
        for side, levels in (("bid", view.bids), ("ask", view.asks)):
            wanted = stream.book.sorted(side)
            assert np.array_equal(levels["price"], [price for price, _ in wanted]), symbol
            assert np.array_equal(levels["size"], [size for _, size in wanted]), symbol


@pytest.mark.parametrize(
    "name", one_of_each(CASES, {*ALIKE, "deribit", "bitget-futures", "kraken-futures"})
)
def test_what_happens_to_messages_is_in_gaps(name: str) -> None:
    asyncio.run(scene(CASES[name], 20, 1000))


@pytest.mark.thorough
@pytest.mark.parametrize("name", CASES)
def test_what_is_untouched_has_no_gap(name: str) -> None:
    asyncio.run(scene(CASES[name], 0, 2000))


@pytest.mark.thorough
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", CASES)
def test_a_thousand_are_in_gaps(name: str) -> None:
    asyncio.run(scene(CASES[name], 1000, 3000))
