"""Plays a struck venue to a feed, and tells what became of every message that it sent.

Rules of this file
------------------
- What was published is compared with what was sent, message by message and without a clock:
  between two messages that were sent one behind the other nothing is missing; else a gap covers
  the hole.
- A hole that has no gap is harmless only where a rule cannot see it, and every state that was
  published is a true one all the same (Kraken's checksum), or where each message is a whole book.
  All else is silent.
- A gap in which nothing was struck is false.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
from tests.venues.strikes import KINDS, Case, Sent, SlowBook, Striker, striking

import tickwire
from tickwire.feed import housekeeping
from tickwire.feed.books import books as books_module
from tickwire.feed.books import followed
from tickwire.feed.streams import changes

SECOND = 1_000_000_000
LATE = 2  # by how many messages a swap makes one
MOST_S = 10  # for a repair, on a machine that does other things, too
ROWS = ("symbol", "conn", "is_snapshot", "side", "price", "size", "last", "ts_recv")


@contextmanager
def quick() -> Iterator[None]:
    """Repair as often as it breaks, and wait for little."""
    with ExitStack() as stack:
        for module, name, value in (
            (followed, "MOST_REPAIRS", ((60.0, 100_000),)),
            (followed, "AGAIN_S", 0.3),
            (followed, "FIRST_SNAPSHOT_S", 0.3),
            (followed, "AFTER_CHANGE_S", 0.1),
            (followed, "LOOK_S", 0.005),
            (books_module, "LOOK_S", 0.005),
            (changes, "OVERLAP_S", 0.05),
            (housekeeping, "HOUSEKEEPING_S", 0.02),
        ):
            stack.enter_context(patch.object(module, name, value))
        yield


@dataclass(slots=True)
class Outcome:
    """What became of a venue's messages.

    Parameters
    ----------
    n_messages
        Of books, sent.
    struck
        Strikes by kind.
    n_found
        Struck messages in gaps of their stream, with the right cause.
    silent
        What was published wrongly, or is missing, and is in no gap.
    false
        Gaps in which nothing was struck, or with another cause.
    """

    n_messages: int = 0
    struck: Counter[str] = field(default_factory=Counter)
    n_found: int = 0
    silent: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)

    @property
    def n_strikes(self) -> int:
        """How many messages were struck."""
        return sum(self.struck[kind] for kind in KINDS)

    @property
    def n_harmless(self) -> int:
        """How many of them changed nothing that was promised."""
        return self.n_strikes - self.n_found - len(self.silent)


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
        self.silent: list[str] = []
        self.n_unseen = 0
        self._is_lost = False  # until the next snapshot: what is published is no true state

    def add(self, conn: int, is_snapshot: bool, levels: list[Any], recv: int) -> None:
        state = self._book.apply(levels, is_snapshot=is_snapshot)
        if is_snapshot and self._case.rest_path:
            if self._new_recv:  # the book broke again before anything followed the one before
                self.holes.append(Hole(self.symbol, self._recv, self._new_recv, []))
                self._recv = self._new_recv
            self._new_recv = recv
            return
        key = frozenset(levels), state
        if self._case.each_is_whole:
            self._add_whole(conn, key)
            return
        if self._is_lost and not is_snapshot:
            return
        self._is_lost = False
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
            lately = [each.state for each in sent[max(self._at - LATE, 0) : self._at + 1]]
            if not self._case.depth or state not in lately:
                self.silent.append(f"{self.symbol}: a state that never was, at {recv}")
                self._is_lost = True
            self._recv = recv
            return
        if self._conn >= 0:
            before = [] if theirs_now == self._conn else self._sent[self._conn][self._at + 1 :]
            missing = before + sent[start:at]
            # One that was swapped with a change that has all of it is not missed, but comes late.
            swapped = sent[max(start - LATE, 0) : start]
            is_late = self._case.depth > 0 and any(each.struck == "swap" for each in swapped)
            if theirs_now == self._conn and not self._new_recv and self._was_later(at):
                missing = []
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

    def _was_later(self, at: int) -> bool:
        """Say whether the message published last was sent just before this one, as well.

        Behind a REST snapshot the first of several that are alike is found.
        """
        sent = self._sent[self._conn]
        if not self._case.rest_path or not self.holes or at - 1 <= self._at:
            return False
        before, found = sent[at - 1], sent[self._at]
        if (before.levels, before.state) != (found.levels, found.state):
            return False
        self.holes[-1].missing += sent[self._at : at - 1]
        return True

    def _on_hole(self, hole: Hole, is_snapshot: bool) -> None:
        if is_snapshot or self._new_recv:
            self.holes.append(hole)
            return
        if self._case.depth and all(each.struck for each in hole.missing):
            self.n_unseen += len(hole.missing)
        else:
            self.silent.append(f"{self.symbol}: a change was published over a hole: {hole}")

    def _add_whole(self, conn: int, key: tuple[Any, int]) -> None:
        """Follow messages that are whole books: each that was sent is there, but for the struck."""
        if conn not in self._theirs:
            self._theirs[conn] = min(each for each in self._sent if each > self._conn)
            self._conn, self._at = self._theirs[conn], -1
        sent = self._sent[self._conn]
        at = self._find(self._conn, self._at + 1, key)
        if at < 0:  # once more, or late
            at = self._find(self._conn, max(self._at - LATE, 0), key)
            if at < 0 or not sent[at].struck:
                self.silent.append(f"{self.symbol}: a book that was not sent, or was sent once")
            return
        missing = sent[self._at + 1 : at]
        if all(each.struck for each in missing):
            self.n_unseen += len(missing)
        else:
            self.silent.append(f"{self.symbol}: {len(missing)} messages are missing")
        self._at = at

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


def check_gaps(
    case: Case, gaps: list[dict[str, Any]], books: list[Following], outcome: Outcome
) -> None:
    """Compare gaps with holes: which struck messages lie in gaps, what is silent, what is false."""
    book_gaps = [gap for gap in gaps if gap["table_name"] == "book"]
    if not case.is_whole:  # else a loss is one of every stream of its connection
        outcome.false += [f"of another table: {gap}" for gap in gaps if gap not in book_gaps]
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
        unused -= {id(gap) for gap in around}
        struck = [each for each in hole.missing if each.struck in ("drop", "swap")]
        if not (struck or hole.is_late or not hole.missing):
            outcome.false.append(f"for nothing: {hole}")
        # A snapshot that was asked for in vain leaves nothing out.
        if hole.missing and not around:
            outcome.silent.append(f"in no gap: {hole}")
            continue
        outcome.n_found += len(struck)
        is_snapshot_lost = any(each.is_snapshot for each in hole.missing)
        n_lost = 1 if case.counts and len(struck) == 1 and not is_snapshot_lost else None
        outcome.false += [
            f"{wrong}: {gap}" for gap in around for wrong in _wrong(case, gap, n_lost)
        ]
        assert is_snapshot_lost or all(
            gap["ts_end"] - gap["ts_start"] < MOST_S * SECOND for gap in around
        ), around
    outcome.false += [f"around nothing: {gap}" for gap in book_gaps if id(gap) in unused]


def _wrong(case: Case, gap: dict[str, Any], n_lost: int | None) -> Iterator[str]:
    """Say what a gap has that is not so."""
    if gap["reason"] != "sequence":
        yield "another cause"
    if case.detail is not None and case.detail not in gap["detail"]:
        yield "another detail"
    if n_lost is not None and gap["lost"] != n_lost:
        yield "another number"


async def until(happened: Callable[[], bool], seconds: float = 250) -> None:
    async with asyncio.timeout(seconds):
        while not happened():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0.005)


async def scene(case: Case, n_strikes: int, rate: float) -> Outcome:
    """Strike a venue's messages that often, and tell what became of them."""
    with quick(), striking(case, rate) as (sim, striker):
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
    outcome = _judged(case, striker, taken)
    for symbol, view in kept.items():
        *_, stream = (each for (_, of), each in striker.streams.items() if of == symbol)
        assert view.state == "live"
        for side, levels in (("bid", view.bids), ("ask", view.asks)):
            wanted = stream.book.sorted(side)
            assert np.array_equal(levels["price"], [price for price, _ in wanted]), symbol
            assert np.array_equal(levels["size"], [size for _, size in wanted]), symbol
    return outcome


def _judged(case: Case, striker: Striker, taken: Taken) -> Outcome:
    outcome = Outcome()
    for stream in striker.streams.values():
        outcome.n_messages += len(stream.sent)
        outcome.struck.update(each.struck for each in stream.sent if each.struck)
    books = followed_books(case, striker, taken.book)
    begun: dict[str, int] = {}
    for symbol, *_, recv in taken.book:
        begun.setdefault(symbol, recv)
    # On a machine that does other things the first snapshot of all may take its time.
    gaps = [
        gap
        for gap in taken.gaps
        if gap["reason"] != "waiting_for_snapshot" or gap["ts_end"] > begun[gap["symbol"]]
    ]
    check_gaps(case, gaps, books, outcome)
    for book in books:
        outcome.silent += book.silent
    n_unseen = sum(book.n_unseen for book in books)
    n_lost = outcome.struck["drop"] + outcome.struck["swap"]
    if not case.each_is_whole:
        assert n_unseen <= max(5, outcome.n_strikes / 10)
        n_nowhere = n_lost - outcome.n_found - n_unseen - len(outcome.silent)
        outcome.silent += ["a struck message is nowhere"] * n_nowhere
    spared = [book for book in books if book.symbol == striker.spared]
    outcome.false += [f"of a book that was spared: {book.holes}" for book in spared if book.holes]
    for symbol, ids in taken.trades.items():
        sent = list(striker.trade_ids[symbol])
        begin = sent.index(ids[0])
        if ids != sent[begin : begin + len(ids)]:
            outcome.silent.append(f"trades of {symbol}")
    return outcome
