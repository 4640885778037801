"""Books kept from the rows of the table `book`, as a consumer of its ring.

Rules of this file
------------------
- In the thread of the ring's writer: it writes the rings `top` and `depth`.
- Whole messages are applied, or none of one: where an output cannot take what a message may
  give, the reader stops before it, and its gate holds the ring back.
- What breaks a book is not seen in rows: `suspend` and `break_books` say it, after all rows that
  were published before. A snapshot makes a book live again.
- A break that is reported after its book's snapshot has come is taken back by `resume`.
- A state that changes is noted in `changes`; `top` has a row without prices where a book that it
  has shown cannot be trusted any more.
"""

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t

from tickwire.book._book_views cimport BookViews
from tickwire.book._columns cimport column
from tickwire.book._kept_book cimport (
    TW_BOOK_BROKEN,
    TW_BOOK_LIVE,
    TW_BOOK_UNVERIFIABLE,
    TW_BOOK_WAITING,
    tw_kept_add,
    tw_kept_book,
    tw_kept_find,
)
from tickwire.book._order_book cimport TW_ASKS, TW_BIDS, tw_book_apply, tw_book_end
from tickwire.book._oracle cimport BookOracle
from tickwire.book._outputs cimport BookOutputs
from tickwire.ring._memory cimport tw_compare_exchange, tw_load_acquire, tw_store_release
from tickwire.ring._ring cimport Ring

from inspect import signature

from tickwire.book._book_views import STATES

cdef enum:
    NOGIL_ROWS = 4096       # applying more lets other threads run meanwhile


cdef class BookReader(BookViews):
    """Keep the books of a feed; `bind` comes first.

    Parameters
    ----------
    ring
        Of the table `book`.
    on_lag, commits, max_lag
        As of `Consumer`.
    """

    __signature__ = signature(lambda ring, *, on_lag=None, commits=False, max_lag=0: None)

    def __cinit__(self, Ring ring not None, *, on_lag=None, bint commits=False, int64_t max_lag=0):
        self.changes = []

    def bind(self, BookOutputs outputs not None, settings, *, BookOracle oracle=None):
        """Say where the outputs go; once.

        Parameters
        ----------
        outputs
            Writes them.
        settings
            Called with the codes of venue and channel of a new book; gives whether what its changes
            miss is noticed, whether it begins without a snapshot, and how many levels it keeps.
        oracle
            Notes what books become, and watches those that it has a rule for.
        """
        self.outputs = outputs
        self.oracle = oracle
        self.settings = settings
        side = self.ring.dictionaries.of("side")
        self.bid_code = <int16_t> side.code("bid")
        self.ask_code = <int16_t> side.code("ask")
        self.bind_rows()

    cdef int bind_rows(self) except -1:
        cdef Ring ring = self.ring
        self.rows.venue = <const int16_t*> column(ring, "venue")
        self.rows.symbol = <const int32_t*> column(ring, "symbol")
        self.rows.ts_event = <const int64_t*> column(ring, "ts_event")
        self.rows.conn = <const int32_t*> column(ring, "conn")
        self.rows.channel = <const int16_t*> column(ring, "channel")
        self.rows.side = <const int16_t*> column(ring, "side")
        self.rows.price = <const double*> column(ring, "price")
        self.rows.size = <const double*> column(ring, "size")
        self.rows.is_snapshot = <const uint8_t*> column(ring, "is_snapshot")
        self.rows.last = <const uint8_t*> column(ring, "last")
        self.rows.venue_seq = <const int64_t*> column(ring, "venue_seq")
        return 0

    def __repr__(self):
        return f"<BookReader: {self.books.n} books>"

    # Rows.

    def read(self):
        """Apply what was published since the last call.

        Returns
        -------
        bool
            Whether that is all; False where an output is full.
        """
        if self.settings is None:
            raise RuntimeError("the reader has no outputs: bind them")
        cdef int64_t limit = self.enter(None)
        cdef int64_t at, first, stop, row
        while True:
            at = tw_load_acquire(&self.gate.value)
            first = at >> 1
            stop = self.next_stop(first, limit)
            if stop <= first:
                return self.settle()
            if tw_compare_exchange(&self.gate.value, at, at | 1):
                break
        self.busy = True
        if stop - first > NOGIL_ROWS:
            with nogil:
                row = self.run(first, stop)
        else:
            row = self.run(first, stop)
        self.busy = False
        tw_store_release(&self.gate.value, row << 1)
        self.outputs.publish()
        self.tell_room()
        return row == stop and not self.n_owed

    cdef int64_t run(self, int64_t row, int64_t stop) noexcept nogil:
        """Apply rows from position `row` on; gives the first that has not been."""
        cdef tw_kept_book* kept
        cdef int64_t slot
        if not self.settle():
            return row
        while row < stop:
            slot = row & self.core.mask
            kept = self.find(slot)
            if kept == NULL:
                self.n_failures += 1
                row += 1
                continue
            if not self.outputs.has_room(kept, self.core.ts_recv[slot]):
                return row
            row = self.apply_message(kept, row, stop)
        self.settle()
        return row

    cdef tw_kept_book* find(self, int64_t slot) noexcept nogil:
        cdef int16_t venue = self.rows.venue[slot]
        cdef int16_t channel = self.rows.channel[slot]
        cdef int32_t symbol = self.rows.symbol[slot]
        cdef int64_t number = tw_kept_find(&self.books, venue, channel, symbol)
        if number < 0:
            with gil:
                number = self.begin(venue, channel, symbol, self.core.ts_recv[slot])
        return NULL if number < 0 else &self.books.at[number]

    cdef int64_t begin(self, int16_t venue, int16_t channel, int32_t symbol, object ts_recv):
        """Set a new book up; gives its number, -1 without memory."""
        cdef int64_t number = tw_kept_add(&self.books, venue, channel, symbol)
        if number < 0:
            return number
        cdef tw_kept_book* kept = &self.books.at[number]
        kept.is_verified, kept.is_begun, kept.book.depth = self.settings(venue, channel)
        if self.oracle is not None:
            kept.watch = self.oracle.watch(number, venue, channel, symbol)
            kept.shown_levels = self.oracle.shown_levels(venue, channel)
        if self.outputs.nbbo is not None:
            kept.offer = self.outputs.nbbo.add(venue, symbol)
        self.changes.append((number, "", STATES[TW_BOOK_WAITING], ts_recv))
        return number

    def add(self, int venue, int channel, int symbol):
        """Add a book that waits for its first row; nothing happens where it is there.

        Parameters
        ----------
        venue, channel, symbol
            Codes of the feed's dictionaries.
        """
        if self.find_book(venue, channel, symbol) < 0 and self.begin(
            <int16_t> venue, <int16_t> channel, symbol, None
        ) < 0:
            raise MemoryError("no memory for a book")

    cdef int64_t apply_message(
        self, tw_kept_book* kept, int64_t row, int64_t stop
    ) noexcept nogil:
        """Apply a message from its first row on; gives the row behind its last.

        Shape    the rows of one message, of one book.
        Units    positions of the ring.
        Returns  the next position. Never raises.
        Threads  the reader's.
        Memory   as `tw_book_apply`.
        Source   docs/books.md.
        """
        cdef const BookColumns* rows = &self.rows
        cdef int64_t slot = row & self.core.mask
        cdef bint is_snapshot = rows.is_snapshot[slot] == 1
        cdef bint is_before_break = row < kept.broken_at
        cdef uint8_t state = kept.state
        cdef int16_t code
        kept.ts_event = rows.ts_event[slot]
        kept.ts_recv = self.core.ts_recv[slot]
        kept.mono = self.core.recv_mono[slot]
        kept.conn = rows.conn[slot]
        kept.venue_seq = rows.venue_seq[slot]
        while True:
            slot = row & self.core.mask
            code = rows.side[slot]
            tw_book_apply(
                &kept.book,
                TW_BIDS if code == self.bid_code else TW_ASKS if code == self.ask_code else -1,
                rows.price[slot],
                rows.size[slot],
                is_snapshot,
            )
            row += 1
            if rows.last[slot] == 1 or row == stop:
                break
        tw_book_end(&kept.book)
        if is_snapshot:
            # Each snapshot is right by itself; what only changes show is not.
            if not is_before_break:
                kept.snapshot_recv = kept.ts_recv
                kept.is_suspended = False
                if kept.state != TW_BOOK_LIVE:
                    self.become(kept, TW_BOOK_LIVE)
        elif kept.state == TW_BOOK_WAITING and kept.is_begun:
            self.become(kept, TW_BOOK_LIVE if kept.is_verified else TW_BOOK_UNVERIFIABLE)
        elif kept.state == TW_BOOK_LIVE and not kept.is_verified:
            self.become(kept, TW_BOOK_UNVERIFIABLE)
        if kept.book.has_failed and kept.state != TW_BOOK_BROKEN:
            self.n_failures += 1
            self.n_owed += 1
            self.become(kept, TW_BOOK_BROKEN)
        if kept.state == TW_BOOK_LIVE or kept.state == TW_BOOK_UNVERIFIABLE:
            self.outputs.show(kept)
            if kept.watch:
                self.oracle.note(kept, is_snapshot or state != kept.state)
            elif kept.shown_levels:
                self.oracle.note_levels(kept)
        return row

    cdef void become(self, tw_kept_book* kept, uint8_t state) noexcept nogil:
        cdef int64_t number = kept - self.books.at
        with gil:
            self.changes.append((number, STATES[kept.state], STATES[state], kept.ts_recv))
        kept.state = state

    cdef bint settle(self) noexcept nogil:
        """Write the rows of books that broke or were resumed; False where an output is full."""
        cdef int64_t number
        cdef tw_kept_book* kept
        cdef bint is_trusted
        if not self.n_owed:
            return True
        for number in range(self.books.n):
            kept = &self.books.at[number]
            is_trusted = kept.state == TW_BOOK_LIVE or kept.state == TW_BOOK_UNVERIFIABLE
            if is_trusted and not kept.is_shown:
                if not self.outputs.has_room(kept, kept.ts_recv):
                    return False
                self.outputs.show(kept)
            if kept.state == TW_BOOK_BROKEN and kept.is_shown and not self.outputs.show_none(kept):
                return False
        self.outputs.publish()
        self.n_owed = 0
        return True

    # What rows do not show.

    def break_book(
        self, int64_t number, int64_t ts_recv, *, bint is_suspended=False, bint is_now=False
    ):
        """Note that rows of a book are missing, or may be.

        Parameters
        ----------
        number
            The book's.
        ts_recv
            When that was noticed, ns since the epoch.
        is_suspended
            Nothing is known to be missing: `resume` makes the book as it was.
        is_now
            It has just happened: rows that are staged, or wait to be applied, came before it, so
            a snapshot among them does not make the book live.

        Returns
        -------
        bool
            Whether its state has changed.
        """
        cdef tw_kept_book* kept = self.at(number)
        if is_now:
            kept.broken_at = self.core.head
        if kept.state == TW_BOOK_WAITING:
            return False
        kept.is_suspended = is_suspended and (kept.is_suspended or kept.state != TW_BOOK_BROKEN)
        if kept.state == TW_BOOK_BROKEN:
            return False
        kept.ts_recv = max(ts_recv, kept.ts_recv)
        self.become(kept, TW_BOOK_BROKEN)
        if kept.watch:
            self.oracle.turn(kept, False)
        self.n_owed += 1
        self.settle()
        return True

    def resume(self, int64_t number, int64_t ts_recv, *, bint has_snapshot=False):
        """Note that nothing of a suspended book was missing, or that it has its snapshot.

        Parameters
        ----------
        number
            The book's.
        ts_recv
            When that was noticed, ns since the epoch.
        has_snapshot
            What broke it was noticed after its snapshot had come.

        Returns
        -------
        bool
            Whether its state has changed.
        """
        cdef tw_kept_book* kept = self.at(number)
        if kept.state != TW_BOOK_BROKEN or kept.book.has_failed:
            return False
        if not kept.is_suspended and not has_snapshot:
            return False
        kept.is_suspended = False
        kept.ts_recv = max(ts_recv, kept.ts_recv)
        self.become(kept, TW_BOOK_LIVE if kept.is_verified else TW_BOOK_UNVERIFIABLE)
        if kept.watch:
            self.oracle.turn(kept, True)
        self.n_owed += 1  # the next message may be long in coming
        self.settle()
        return True

    def take_changes(self):
        """Give the changes of state since the last call, and forget them.

        Returns
        -------
        list of tuple
            Number of the book, the state before (empty: it is new), the state, and ts_recv (None:
            before any row).
        """
        changes = self.changes
        self.changes = []
        return changes
