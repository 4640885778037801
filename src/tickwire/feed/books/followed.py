"""Books that begin in band: what broke is written down, and repaired as the venue declares.

Rules of this file
------------------
- `BookFollower` refuses what does not follow, in the decoder. Nothing here is called while a
  message is decoded but an event's `set`: what happened is found by `look`, with its times.
- A symbol that broke is repaired at once; one that waits for a snapshot that it never had, when
  that is late. What does not help is done again, later each time; and of all together there are no
  more than `MOST_REPAIRS`, since venues limit what a connection may ask for.
- Where a connection as a whole is counted, another one is subscribed first, and the broken one
  closed then (`changes`): the rows of its other streams go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from tickwire.book import BookChecksums, BookFollower
from tickwire.clock import Clock
from tickwire.config import Context
from tickwire.errors import BookBroken
from tickwire.feed.books.books import HOLE_NS, LOOK_S
from tickwire.ledger import StreamGaps
from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.ring import Dictionary
from tickwire.supervise import Backoff, Failures
from tickwire.venues import BookRule, Venue

if TYPE_CHECKING:
    from tickwire.feed.streams.changes import Changes
    from tickwire.feed.streams.legs import LegGroup

_log = get_logger("tickwire.feed")

FIRST_SNAPSHOT_S = 2.0  # how long a snapshot may take after the first change
AGAIN_S, LONGEST_AGAIN_S = 5.0, 300.0
AFTER_CHANGE_S = 0.5
# Repairs of a source in so many seconds.
MOST_REPAIRS = ((60.0, 60), (3600.0, 200))


class _Repair:
    """When a symbol is repaired next."""

    def __init__(self, due_s: float) -> None:
        self.due_s = due_s
        self.backoff = Backoff(AGAIN_S, LONGEST_AGAIN_S, at_once=0)
        self.after_change = Backoff(AFTER_CHANGE_S, LONGEST_AGAIN_S, at_once=0)


class FollowedBooks:
    """The books of one source that begin in band.

    Parameters
    ----------
    venue
        With a `book` rule that does not begin by REST.
    follower, checksums
        Those of the source's decoder.
    symbols
        The feed's dictionary of symbols.
    spliced
        The symbols that have such a book.
    gaps
        The source's.
    metrics
        Counts repairs.
    failures
        Where failures are reported.
    clock
        Monotonic, seconds.
    """

    def __init__(
        self,
        venue: Venue,
        follower: BookFollower,
        checksums: BookChecksums | None,
        symbols: Dictionary,
        spliced: Iterable[str],
        gaps: StreamGaps,
        metrics: Metrics,
        failures: Failures,
        *,
        clock: Clock = time.monotonic,
    ) -> None:
        if venue.book is None:
            raise ValueError(f"{venue.name} has no book rule")
        self.rule: BookRule = venue.book
        self._venue = venue
        self._follower = follower
        self._symbols = symbols
        self._spliced = frozenset(spliced)
        self._gaps = gaps
        self._metrics = metrics
        self._failures = failures
        self._clock = clock
        self._seen = (0, 0, 0)
        self._repairs: dict[str, _Repair] = {}  # of symbols that wait
        self._done_s: deque[float] = deque()  # when the last ones were done
        self._conns: dict[str, int] = {}
        self._doubts: dict[str, str] = {}  # why a book is wrong
        self._on_news: Callable[[], object] | None = None
        self._metrics.watch("withheld_book_messages", lambda: follower.n_withheld)
        if checksums is not None:
            self._metrics.watch("book_checksums", lambda: checksums.n_checked)
            self._metrics.watch("book_checksum_mismatches", lambda: checksums.n_mismatched)
            self._metrics.watch("unchecked_book_messages", lambda: checksums.n_unchecked)

    # What the legs tell.

    def on_connected(self, symbols: tuple[str, ...], conn: int) -> None:
        """Note that this connection brings these symbols, and no older one."""
        self.look()
        for symbol in symbols:
            if symbol in self._conns:
                self._follower.hand_over(self._symbols.code(symbol), conn)
            self._conns[symbol] = conn

    def on_left(self, symbols: tuple[str, ...], conn: int, other: int) -> None:
        """Note that a connection has ended, and another one brings these symbols."""
        if not self._follower.takes_turns:
            self.on_connected(symbols, other)
            return
        self.look()
        for symbol in symbols:
            self._follower.leave(self._symbols.code(symbol), conn)
            self._conns[symbol] = other

    def on_disconnected(self, symbols: tuple[str, ...]) -> None:
        """Forget these symbols' chains: a new connection begins with a snapshot."""
        self.look()
        for symbol in symbols:
            self._conns.pop(symbol, None)
            self._repairs.pop(symbol, None)
            self._follower.reset(self._symbols.code(symbol))

    def share(self, is_shared: bool) -> None:
        """Note whether several connections bring the same."""
        self._follower.is_shared = is_shared

    def acknowledged(self, symbol: str) -> None:
        """Note that a symbol has been asked for, and the venue says so."""
        self.look()
        code = self._symbols.code(symbol)
        # Its first message is the snapshot; nothing else would say so.
        if self.rule.begin.kind == "first_message" and self._follower.phase(code) == "waiting":
            self._follower.reset(code)

    def doubt(self, symbol: str, good_ns: int, detail: str) -> bool:
        """Break a book that an oracle has found to be wrong; False where it has none now.

        Parameters
        ----------
        symbol
            Whose.
        good_ns
            ts_recv up to which it is known to be right.
        detail
            For a person.
        """
        self._doubts[symbol] = detail
        is_broken = self._follower.doubt(self._symbols.code(symbol), good_ns)
        self.look()
        self._doubts.pop(symbol, None)
        return is_broken

    # What the feed asks.

    def listen(self, on_news: Callable[[], object] | None) -> None:
        """Have `on_news` called when a look may find something, from now on; once."""
        self._on_news = on_news
        self._follower.listen(on_news)

    @property
    def next_look_s(self) -> float | None:
        """When to look though nothing has happened, from now; None: not before something has."""
        if self._follower.n_ahead:
            return LOOK_S
        if not self._repairs:
            return None
        return max(min(each.due_s for each in self._repairs.values()) - self._clock(), LOOK_S)

    @property
    def held_bytes(self) -> int:
        """Bytes of changes that are held: none are."""
        return 0

    @property
    def is_releasing(self) -> bool:
        """Whether held changes wait for room in a ring: none are held."""
        return False

    @property
    def waiting(self) -> list[str]:
        """The symbols that wait for a snapshot."""
        if not self._follower.n_waiting:
            return []
        return [self._symbols.value(code) for code in self._follower.waiting()]

    @property
    def has_news(self) -> bool:
        """Whether a book began or a chain broke since the last look."""
        return self._state() != self._seen

    def _state(self) -> tuple[int, int, int]:
        follower = self._follower
        return follower.n_breaks, follower.n_begun, follower.n_waiting

    def look(self) -> list[str]:
        """Write down what has begun, broken and waits; give the symbols that wait."""
        if self._follower.n_ahead:
            self._follower.give_up_holes(HOLE_NS)
        if self.has_news:
            self._seen = self._state()
            for conn, n_missing, since_ns, until_ns in self._follower.take_broken_connections():
                text = f"{n_missing} messages of the connection are missing"
                _log.warning("messages are missing", venue=self._venue.name, conn=conn, n=n_missing)
                self._metrics.counter("connection_holes").add()
                self._gaps.missed(conn, since_ns, until_ns, text)
            for code, what, at_ns, lost, _conn in self._follower.take_news():
                symbol = self._symbols.value(code)
                if symbol not in self._spliced:
                    continue
                if what == "begun":
                    self._begun(symbol, at_ns)
                else:
                    self._broken(symbol, what, at_ns, lost)
        waiting = self.waiting
        for symbol in waiting:
            if symbol in self._spliced:
                self._gaps.books.waits(symbol)
                self._repairs.setdefault(symbol, _Repair(self._clock() + FIRST_SNAPSHOT_S))
        return waiting

    def _begun(self, symbol: str, ts_recv_ns: int) -> None:
        self._gaps.books.spliced(symbol, ts_recv_ns)
        self._repairs.pop(symbol, None)

    def _broken(self, symbol: str, cause: str, since_ns: int, n_missing: int | None) -> None:
        lost, detail = n_missing, None
        if cause == "checksum":
            is_sum = self.rule.chain.kind == "checksum"
            detail = "checksum does not match" if is_sum else "a change does not fit the book"
        elif cause == "oracle":
            detail = self._doubts.get(symbol)
        elif cause == "connection":
            # Which of the connection's streams they are of is not known.
            lost, detail = None, f"{n_missing or 'some'} messages of the connection are missing"
        self._gaps.books.broken(symbol, lost, since_ns, detail)  # which logs it
        self._failures.report(
            BookBroken(symbol, lost), Context.BOOK, part=self._venue.name, quiet=True
        )
        self._repairs.setdefault(symbol, _Repair(self._clock()))

    def due(self) -> list[str]:
        """Give the symbols to repair now; each is due again later, as long as it waits."""
        if not self._follower.n_waiting:
            return []
        now_s = self._clock()
        found = []
        for symbol in self.waiting:
            repair = self._repairs.get(symbol)
            if repair is not None and repair.due_s <= now_s and self._may_repair(now_s):
                repair.due_s = now_s + repair.backoff.next_delay_s()
                found.append(symbol)
                if self.rule.repair != "reconnect" or len(found) == 1:  # one for all
                    self._done_s.append(now_s)
        self._metrics.counter("book_repairs").add(len(found))
        return found

    def tried(self, symbols: Iterable[str]) -> None:
        """Note that another connection has come for these symbols, or none could be had.

        What waits still is due soon, later each time: the new one broke as well, or has brought no
        snapshot. One symbol that never gets any must not use up the repairs of all.
        """
        now_s = self._clock()
        for symbol in symbols:
            repair = self._repairs.get(symbol)
            if repair is not None:
                repair.due_s = min(repair.due_s, now_s + repair.after_change.next_delay_s())
        if self._on_news is not None:
            self._on_news()

    def _may_repair(self, now_s: float) -> bool:
        longest_s = max(window_s for window_s, _ in MOST_REPAIRS)
        while self._done_s and self._done_s[0] <= now_s - longest_s:
            self._done_s.popleft()
        return all(
            len(self._done_s) < most or self._done_s[-most] <= now_s - window_s
            for window_s, most in MOST_REPAIRS
        )

    def end(self) -> None:
        """Write down what is known, at the end of the feed."""
        self._follower.give_up_holes(0)
        self.look()


async def repair_books(
    books: FollowedBooks, groups: Sequence[LegGroup], changes: Sequence[Changes]
) -> None:
    """Repair books as they break, until cancelled.

    Parameters
    ----------
    books
        Whose.
    groups
        The source's streams.
    changes
        What replaces the connections of each group.
    """
    news = asyncio.Event()
    try:
        while True:
            news.clear()
            books.listen(news.set)  # before the look: what it does not see calls
            books.look()
            _repair_due(books, groups, changes)
            await asyncio.sleep(LOOK_S)  # many may break at once
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(books.next_look_s):
                    await news.wait()
    finally:
        books.listen(None)


def _repair_due(
    books: FollowedBooks, groups: Sequence[LegGroup], changes: Sequence[Changes]
) -> None:
    due = books.due()
    for group, change in zip(groups, changes, strict=True) if due else ():
        symbols = [symbol for symbol in due if symbol in group.spliced]
        if symbols and books.rule.repair == "reconnect":
            _reconnect(books, group, change, symbols)
        elif symbols:
            _log.warning("books are asked for again", symbols=len(symbols), first=symbols[0])
            group.ask_again(group.book_subscriptions(symbols))


def _reconnect(books: FollowedBooks, group: LegGroup, changes: Changes, symbols: list[str]) -> None:
    for leg in group.legs:
        asked = changes.ask(leg, f"the book of {symbols[0]} broke")
        asked.add_done_callback(lambda _: books.tried(symbols))
    changes.look()  # at once: the books are in their gap until it has begun
