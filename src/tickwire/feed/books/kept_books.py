"""The books of a feed: applied from the rows of `book`, and what the tables say of them.

Rules of this file
------------------
- In the loop's thread. Rows are applied once in a turn of the loop, all that were published since;
  before a gap is taken note of, and before a program looks at a book, too.
- A gap breaks the books of its stream, and a snapshot that comes after it makes them live again. A
  stale stream has lost nothing that is known: its books are suspended until the gap ends.
- Where `top`, `depth` or `nbbo` is full, the reader waits, and `LagWatch` names the consumer that
  holds it; where the ring of `book` is full by that, it names this reader, `books`. The quotes that
  books are held against wait as well.
- Without `[books]` nothing of this file exists in a feed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from time import monotonic

from tickwire.book import BookChecksums, BookOracle, BookOutputs, BookReader, NbboOutput
from tickwire.config import BooksSettings
from tickwire.feed.books.book_rows import BookRows
from tickwire.feed.books.book_view import BookView, own_symbol, view_of
from tickwire.feed.plan.plans import SourcePlan
from tickwire.feed.plan.verifying import difference, shown_levels, verifies, watch_rule
from tickwire.feed.streams.lag import LagWatch
from tickwire.ledger import Ledger
from tickwire.ledger.gaps import Gap
from tickwire.ledger.reasons import DECODE_ERROR, SHUTDOWN, SINK, STALE
from tickwire.logs import get_logger
from tickwire.observe import Metrics
from tickwire.ring import Dictionaries, Ring

LAST_ROWS_S = 5.0  # how long the last rows may wait for room at the stop
FAILURES_LOG_S = 60.0  # between two lines about memory that there was none of
WRITTEN = ("top", "depth", "nbbo")
ORACLE = "oracle"  # of one that its oracle has shown to be wrong

# Nothing of the stream is missing: a sink has not got what the ring had.
_OTHERS = (SINK, SHUTDOWN)
OnWrong = Callable[[str, str, str, int, str], object]
Top = tuple[float, float, float, float]

_log = get_logger("tickwire.feed")


class KeptBooks:
    """Keeps the books of a feed, and writes `books`, `top`, `depth` and `nbbo`.

    Parameters
    ----------
    settings
        The section `[books]`.
    sources
        Of the feed, as planned.
    rings
        By table.
    dictionaries
        The feed's.
    ledger
        Tells of gaps, and has the feed's clock.
    metrics
        What is counted.
    lag
        Names who holds the books.
    checksums
        By venue: what verifies its books, where the venue has checksums.
    on_wrong
        Called with venue, symbol, channel, ts_recv up to which the book was right, and why it is
        not, where its oracle shows it to be wrong; breaks and repairs it.
    instruments
        Names of instruments by venue and symbol, for the table `nbbo`.
    replays
        Rows are a capture's, and so are the times of what is said before the first of them.
    """

    def __init__(
        self,
        settings: BooksSettings,
        sources: Sequence[SourcePlan],
        rings: dict[str, Ring],
        dictionaries: Dictionaries,
        ledger: Ledger,
        metrics: Metrics,
        lag: LagWatch,
        *,
        checksums: Mapping[str, BookChecksums] | None = None,
        on_wrong: OnWrong | None = None,
        instruments: Mapping[tuple[str, str], str] | None = None,
        replays: bool = False,
    ) -> None:
        self._settings = settings
        self._replays = replays
        self.venues = {source.venue.name: source.venue for source in sources}
        self._ring = rings["book"]
        self._dictionaries = dictionaries
        self._channels = dictionaries.of("channel")
        self._ledger = ledger
        self._reader = BookReader(rings["book"], on_lag="block")
        self._outputs = BookOutputs(
            rings["top"],
            rings.get("depth"),
            depth=settings.depth,
            interval_ns=round(settings.depth_interval_s * 1e9),
            nbbo=NbboOutput(rings["nbbo"], instruments or {}) if "nbbo" in rings else None,
        )
        self._written = [rings[name] for name in WRITTEN if name in rings]
        self._oracle: BookOracle | None = None
        if settings.verify and "quotes" in rings:
            self._oracle = BookOracle(rings["quotes"], on_lag="block")
            self._oracle.bind(self._watch_rule_of, self._shown_levels_of)
            lag.watch("quotes", "books", self._oracle)
            metrics.watch("book_oracle_checked", partial(getattr, self._oracle, "n_checked"))
            metrics.watch("book_oracle_mismatches", partial(getattr, self._oracle, "n_mismatched"))
        self._on_wrong = on_wrong
        self._wrong: set[int] = set()  # being reported as such
        self._reader.bind(self._outputs, self._settings_of, oracle=self._oracle)
        lag.watch("book", "books", self._reader)
        if "depth" in rings:
            lag.watch_writer("depth", lambda: self._outputs.held_by is rings["depth"])
        self._rows = BookRows(
            self._reader, self._oracle, checksums or {}, dictionaries, ledger, rings["books"]
        )
        self._open_gaps: set[int] = set()
        self._early: list[Gap] = []  # noted while rows from before them were not applied yet
        self._due_ns: int | None = None
        self._is_scheduled = self._is_armed = self._is_oracle_armed = False
        self._n_failures, self._failures_due_s = 0, 0.0
        self._has_room = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._add_configured(sources)
        for figure in ("orphans", "crossed", "truncated"):
            metrics.watch(f"book_{figure}", partial(getattr, self._reader, f"n_{figure}"))
        for state in ("waiting", "live", "broken", "unverifiable"):
            metrics.watch("books", partial(self._reader.count, state), state=state)
        self._n_breaks = metrics.counter("book_breaks")
        metrics.watch("book_memory_failures", lambda: self._reader.n_failures)
        self._unfollow = ledger.follow(self._on_gap)

    def _settings_of(self, venue: int, channel: int) -> tuple[bool, bool, int]:
        """Answer the reader, which has codes."""
        name = self._dictionaries.venue.value(venue)
        return verifies(self.venues[name], self._channels.value(channel))

    def _watch_rule_of(self, venue: int, channel: int) -> tuple[int, int, bool] | None:
        name = self._dictionaries.venue.value(venue)
        return watch_rule(self.venues[name], self._channels.value(channel))

    def _shown_levels_of(self, venue: int, channel: int) -> int:
        name = self._dictionaries.venue.value(venue)
        return shown_levels(self.venues[name], self._channels.value(channel))

    def _add_configured(self, sources: Iterable[SourcePlan]) -> None:
        for source in sources:
            asked = [each for connection in source.connections for each in connection.subscriptions]
            for each in asked:
                if each.table == "book" and each.symbol != "*":
                    self._reader.add(
                        self._dictionaries.venue.code(source.venue.name),
                        self._channels.code(each.channel),
                        self._dictionaries.symbol.code(each.symbol),
                    )

    # Life.

    def start(self) -> None:
        """Begin to apply rows; in the loop's thread."""
        self._loop = asyncio.get_running_loop()
        if not self._replays:
            self._rows.write_changes()
        self._arm()

    def _arm(self) -> None:
        """Have each ring call once: what it has not called since is armed still."""
        if not self._is_armed:
            self._is_armed = True
            self._ring.arm(self._on_rows)
        if self._oracle is not None and not self._is_oracle_armed:
            self._is_oracle_armed = True
            self._oracle.ring.arm(self._on_quotes)

    def _on_rows(self) -> None:
        self._is_armed = False
        self._schedule()

    def _on_quotes(self) -> None:
        self._is_oracle_armed = False
        self._schedule()

    def _schedule(self) -> None:
        if not self._is_scheduled and self._loop is not None:
            self._is_scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._is_scheduled = False
        if not self._reader.is_closed and self._read_all():
            self._arm()

    def _read_all(self) -> bool:
        """Read; where an output is full, the next row that its consumers take calls `_turn`."""
        while not self.read():
            held = self._outputs.held_by or self._outputs.top
            # Waiting comes first and another try second: room made in between is not told.
            if not held.wait_for_room(self._tell_room):
                return False
        return True

    def _tell_room(self) -> None:
        """Read on; called in a consumer's thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._on_room)

    def _on_room(self) -> None:
        if not self._has_room.is_set():
            self._has_room.set()  # for the end
        self._schedule()

    def read(self) -> bool:
        """Apply what has been published; False where an output is full."""
        has_all = self._reader.read()
        if has_all and self._early:
            early, self._early = self._early, []
            for gap in early:
                self._note(gap)
        if self._oracle is not None and has_all:  # else the book is not what its quotes show
            self._oracle.read()
            for found in self._oracle.take_found():
                self._report_wrong(*found)
        if self._reader.changes:
            self._rows.write_changes()
        if self._reader.n_failures != self._n_failures and monotonic() >= self._failures_due_s:
            self._n_failures = self._reader.n_failures
            self._failures_due_s = monotonic() + FAILURES_LOG_S
            _log.error("no memory for books: rows are not applied", failures=self._n_failures)
        return has_all

    def _report_wrong(
        self, number: int, good_ns: int, ts_recv: int, book: Top, oracle: Top
    ) -> None:
        """Have a book broken that its oracle has found wrong."""
        found = self._reader.describe(number)
        venue = self._dictionaries.venue.value(found["venue"])
        symbol = self._dictionaries.symbol.value(found["symbol"])
        text = difference(book, oracle)
        _log.error("a book is wrong", venue=venue, symbol=symbol, why=text)
        self._wrong.add(number)
        if self._on_wrong is not None:
            self._on_wrong(venue, symbol, self._rows.channel_of(number), good_ns, text)
        self._wrong.discard(number)

    async def end(self) -> None:
        """Apply the last rows and write the last state of each book."""
        if self._reader.is_closed:
            return
        self._unfollow()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_ROWS_S):
                while not self._read_all():
                    self._has_room.clear()
                    await self._has_room.wait()
        for ring in self._written:
            ring.forget_room(self._tell_room)
        if self._reader.available:
            _log.warning(
                "the last rows of books are not applied: top, depth or nbbo is full",
                rows=self._reader.available,
            )
        for number in range(len(self._reader)):
            self._rows.write(number, self._ledger.clock())
        self._ring.disarm(self._on_rows)
        self._reader.close()
        if self._oracle is not None:
            self._oracle.ring.disarm(self._on_quotes)
            self._oracle.close()

    def look(self) -> None:
        """Write a row of each book where it is time; a part of housekeeping."""
        now_ns = self._ledger.clock()
        if self._due_ns is None or now_ns < self._due_ns - self._interval_ns:
            self._due_ns = now_ns + self._interval_ns
        if now_ns >= self._due_ns:
            self._due_ns = now_ns + self._interval_ns
            self.read()
            for number in range(len(self._reader)):
                self._rows.write(number, now_ns)

    @property
    def _interval_ns(self) -> int:
        return round(self._settings.interval_s * 1e9)

    # Gaps.

    def _on_gap(self, gap: Gap) -> None:
        if gap.table != "book" or gap.consumer is not None or gap.reason in _OTHERS:
            return
        # Where an output is full, older rows come after the gap: it counts once more then, unless
        # the reader knows where in the ring it was.
        has_all = self._reader.is_closed or self.read()
        if not has_all and gap.reason != DECODE_ERROR:
            self._early.append(gap)
        self._note(gap)
        if self._reader.changes:
            self._rows.write_changes()
            self._schedule()  # where an output is full, what shows it waits for room

    def _note(self, gap: Gap) -> None:
        if gap.end_ns is None:
            self._open_gaps.add(gap.gap_id)
            self._break(gap, is_suspended=gap.reason == STALE)
        elif gap.gap_id in self._open_gaps:
            self._open_gaps.discard(gap.gap_id)
            for number in self._numbers_of(gap):
                has_snapshot = self._has_snapshot_since(number, gap.end_ns)
                if has_snapshot or gap.reason == STALE:
                    self._reader.resume(number, self._ledger.clock(), has_snapshot=has_snapshot)
        elif gap.reason != STALE:  # a silence that has ended is no loss
            self._break(gap, is_suspended=False)

    def _break(self, gap: Gap, *, is_suspended: bool) -> None:
        now_ns = self._ledger.clock()
        for number in self._numbers_of(gap):
            found = self._reader.describe(number)
            if gap.reason == DECODE_ERROR and found["is_verified"]:
                continue  # where it was a change, its chain will show it
            if gap.end_ns is not None and self._has_snapshot_since(number, gap.end_ns):
                continue
            reason = ORACLE if number in self._wrong else gap.reason
            known = self._rows.reasons.get(number)
            # Noted in the middle of a read, of which rows from before it are staged.
            is_now = gap.reason == DECODE_ERROR and gap.end_ns is None
            if self._reader.break_book(number, now_ns, is_suspended=is_suspended, is_now=is_now):
                self._rows.reasons[number] = reason
                self._n_breaks.add()
            elif known != reason:
                self._rows.reasons[number] = reason
                self._rows.write(number, now_ns)

    def _has_snapshot_since(self, number: int, ts_recv: int) -> bool:
        return (self._reader.describe(number)["snapshot_recv"] or 0) >= ts_recv

    def _numbers_of(self, gap: Gap) -> list[int]:
        """Give the books of a gap's stream: of its channels alone, where it knows them."""
        venue, symbol = gap.place.venue, gap.place.symbol
        if venue is not None and symbol is not None:
            found = self._rows.numbers.get((venue, symbol), [])
        else:
            found = [
                n for key, numbers in self._rows.numbers.items() if key[0] == venue for n in numbers
            ]
        if not gap.channels:
            return found
        return [number for number in found if self._rows.channel_of(number) in gap.channels]

    # Looking at books.

    def view(
        self, venue: str, symbol: str, channel: str | None = None, depth: int | None = None
    ) -> BookView:
        """Give a book as it is now.

        Parameters
        ----------
        venue, symbol
            As in the configuration, or the venue's own.
        channel
            Where a symbol has books of several; left out: that of `book`, or the first.
        depth
            Levels of each side at most; left out: all.

        Raises
        ------
        KeyError
            There is none.
        """
        if not self._reader.is_closed:
            self.read()
        symbol = own_symbol(self.venues.get(venue), symbol)
        number = self._rows.find(venue, symbol, channel)
        bids, asks = self._reader.levels(number, depth)
        return view_of(
            venue,
            symbol,
            self._rows.channel_of(number),
            self._reader.describe(number),
            self._rows.reasons.get(number),
            bids,
            asks,
        )

    @property
    def names(self) -> list[tuple[str, str]]:
        """Venue and symbol of each book."""
        return list(self._rows.numbers)
