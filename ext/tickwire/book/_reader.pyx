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

from libc.math cimport NAN
from libc.stdint cimport INT64_MIN, int16_t, int32_t, int64_t, uint8_t

from tickwire.book._order_book cimport (
    TW_ASKS,
    TW_BIDS,
    tw_book_apply,
    tw_book_end,
    tw_level,
    tw_side_next,
    view_levels,
)
from tickwire.ring._memory cimport tw_compare_exchange, tw_load_acquire, tw_store_release
from tickwire.ring._ring cimport Ring
from tickwire.ring._tw_ring cimport tw_has_room, tw_has_room_for, tw_publish, tw_ring

from inspect import signature

cdef enum:
    NOGIL_ROWS = 4096       # applying more lets other threads run meanwhile

STATES = ("waiting", "live", "broken", "unverifiable")


cdef void* column(Ring ring, str name) except NULL:
    return ring.core.columns[<int> ring.table.index(name)].values


cdef OutputColumns outputs(Ring ring) except *:
    return OutputColumns(
        venue=<int16_t*> column(ring, "venue"),
        symbol=<int32_t*> column(ring, "symbol"),
        ts_event=<int64_t*> column(ring, "ts_event"),
        ts_recv=<int64_t*> column(ring, "ts_recv"),
        conn=<int32_t*> column(ring, "conn"),
        channel=<int16_t*> column(ring, "channel"),
        venue_seq=<int64_t*> column(ring, "venue_seq"),
    )


cdef int64_t begin_row(
    tw_ring* ring, OutputColumns* columns, const tw_kept_book* kept
) noexcept nogil:
    """Fill what every row has; gives its slot."""
    cdef int64_t slot = ring.head & ring.mask
    ring.recv_mono[slot] = kept.mono
    columns.venue[slot] = kept.venue
    columns.symbol[slot] = kept.symbol
    columns.ts_event[slot] = kept.ts_event
    columns.ts_recv[slot] = kept.ts_recv
    columns.conn[slot] = kept.conn
    columns.channel[slot] = kept.channel
    columns.venue_seq[slot] = kept.venue_seq
    return slot


cdef class BookReader(Attachment):
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

    def bind(
        self, Ring top not None, Ring depth_ring, settings, *, int64_t depth=0,
        int64_t interval_ns=1,
    ):
        """Say where the outputs go; once.

        Parameters
        ----------
        top, depth_ring
            Their rings; without `depth_ring` there are no snapshots.
        settings
            Called with the codes of venue and channel of a new book; gives whether what its changes
            miss is noticed, whether it begins without a snapshot, and how many levels it keeps.
        depth
            Levels of a snapshot, on each side.
        interval_ns
            From one snapshot of a book to the next.
        """
        self.top = top
        self.top_core = top.core
        self.depth_ring = depth_ring
        self.depth_core = NULL if depth_ring is None else depth_ring.core
        self.settings = settings
        self.depth = depth
        self.interval_ns = interval_ns
        side = self.ring.dictionaries.of("side")
        self.bid_code = <int16_t> side.code("bid")
        self.ask_code = <int16_t> side.code("ask")
        self.bind_rows()
        self.bind_outputs()

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

    cdef int bind_outputs(self) except -1:
        cdef int i
        self.top_rows = outputs(self.top)
        for i, name in enumerate(("bid_price", "bid_size", "ask_price", "ask_size")):
            self.top_values[i] = <double*> column(self.top, name)
        if self.depth_ring is None:
            return 0
        self.depth_rows = outputs(self.depth_ring)
        self.depth_side = <int16_t*> column(self.depth_ring, "side")
        self.depth_level = <int32_t*> column(self.depth_ring, "level")
        self.depth_price = <double*> column(self.depth_ring, "price")
        self.depth_size = <double*> column(self.depth_ring, "size")
        self.depth_last = <uint8_t*> column(self.depth_ring, "last")
        return 0

    def __dealloc__(self):
        tw_kept_free(&self.books)

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
        self.is_held_by_depth = False
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
        tw_publish(self.top_core)
        if self.depth_core != NULL:
            tw_publish(self.depth_core)
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
            if not self.has_room(kept, self.core.ts_recv[slot]):
                return row
            row = self.apply_message(kept, row, stop)
        self.settle()
        return row

    cdef tw_kept_book* find(self, int64_t slot) noexcept nogil:
        cdef int16_t venue = self.rows.venue[slot]
        cdef int16_t channel = self.rows.channel[slot]
        cdef int64_t number = tw_kept_find(&self.books, venue, channel, self.rows.symbol[slot])
        if number >= 0:
            return &self.books.at[number]
        number = tw_kept_add(&self.books, venue, channel, self.rows.symbol[slot])
        if number < 0:
            return NULL
        cdef tw_kept_book* kept = &self.books.at[number]
        with gil:
            is_verified, is_begun, depth = self.settings(venue, channel)
            kept.is_verified = is_verified
            kept.book.depth = depth
            kept.is_begun = is_begun
            self.changes.append((number, "", STATES[TW_BOOK_WAITING], self.core.ts_recv[slot]))
        return kept

    def add(self, int venue, int channel, int symbol):
        """Add a book that waits for its first row; nothing happens where it is there.

        Parameters
        ----------
        venue, channel, symbol
            Codes of the feed's dictionaries.
        """
        if self.find_book(venue, channel, symbol) >= 0:
            return
        cdef int64_t number = tw_kept_add(&self.books, <int16_t> venue, <int16_t> channel, symbol)
        if number < 0:
            raise MemoryError("no memory for a book")
        cdef tw_kept_book* kept = &self.books.at[number]
        is_verified, is_begun, depth = self.settings(venue, channel)
        kept.is_verified = is_verified
        kept.is_begun = is_begun
        kept.book.depth = depth
        self.changes.append((number, "", STATES[TW_BOOK_WAITING], None))

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
            if tw_kept_take_top(kept) or not kept.is_shown:
                self.write_top(kept)
            if self.depth_core != NULL and kept.ts_recv >= kept.depth_due:
                self.write_depth(kept)
        return row

    cdef void become(self, tw_kept_book* kept, uint8_t state) noexcept nogil:
        cdef int64_t number = kept - self.books.at
        with gil:
            self.changes.append((number, STATES[kept.state], STATES[state], kept.ts_recv))
        kept.state = state

    # Outputs.

    cdef bint has_room(self, tw_kept_book* kept, int64_t ts_recv) noexcept nogil:
        """Whether the outputs take what a message of a book may give."""
        if not tw_has_room(self.top_core):
            return False
        self.is_held_by_depth = (
            self.depth_core != NULL
            and ts_recv >= kept.depth_due
            and not tw_has_room_for(self.depth_core, 2 * self.depth)
        )
        return not self.is_held_by_depth

    cdef void write_top(self, tw_kept_book* kept) noexcept nogil:
        cdef int64_t slot = begin_row(self.top_core, &self.top_rows, kept)
        cdef int i
        for i in range(4):
            self.top_values[i][slot] = kept.top[i]
        self.top_core.head += 1
        kept.is_shown = True

    cdef bint settle(self) noexcept nogil:
        """Write the empty rows that `top` is owed; False where it is full."""
        cdef int64_t number, slot
        cdef int i
        cdef tw_kept_book* kept
        for number in range(self.books.n if self.n_owed else 0):
            kept = &self.books.at[number]
            if kept.state != TW_BOOK_BROKEN or not kept.is_shown:
                continue
            if not tw_has_room(self.top_core):
                return False
            slot = begin_row(self.top_core, &self.top_rows, kept)
            self.top_rows.ts_event[slot] = self.top_rows.venue_seq[slot] = INT64_MIN
            for i in range(4):
                self.top_values[i][slot] = kept.top[i] = NAN
            self.top_core.head += 1
            kept.is_shown = False
        if self.n_owed:
            tw_publish(self.top_core)
        self.n_owed = 0
        return True

    cdef void write_depth(self, tw_kept_book* kept) noexcept nogil:
        """Write the best levels of both sides, bids first; there is room for them."""
        cdef tw_ring* ring = self.depth_core
        cdef int64_t first = ring.head
        cdef int64_t slot, at
        cdef int32_t level_number
        cdef int side
        cdef const tw_level* level
        for side in range(2):
            at = level_number = 0
            while level_number < self.depth:
                level = tw_side_next(&kept.book.sides[side], &at)
                if level == NULL:
                    break
                slot = begin_row(ring, &self.depth_rows, kept)
                self.depth_side[slot] = self.ask_code if side == TW_ASKS else self.bid_code
                self.depth_level[slot] = level_number
                self.depth_price[slot] = level.price
                self.depth_size[slot] = level.size
                self.depth_last[slot] = False
                ring.head += 1
                level_number += 1
        if ring.head > first:
            self.depth_last[(ring.head - 1) & ring.mask] = True
        kept.depth_due = kept.ts_recv - kept.ts_recv % self.interval_ns + self.interval_ns

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

    # Looking at books.

    cdef tw_kept_book* at(self, int64_t number) except NULL:
        if not 0 <= number < self.books.n:
            raise IndexError(f"no book {number}: there are {self.books.n}")
        return &self.books.at[number]

    def __len__(self):
        return self.books.n

    def find_book(self, int venue, int channel, int symbol):
        """Give the number of a book by its codes, -1 where there is none.

        Parameters
        ----------
        venue, channel, symbol
            Codes of the feed's dictionaries.
        """
        return tw_kept_find(&self.books, <int16_t> venue, <int16_t> channel, symbol)

    def describe(self, int64_t number):
        """Give everything but the levels.

        Parameters
        ----------
        number
            The book's.

        Returns
        -------
        dict
            By name; times in ns, None where there is none.
        """
        cdef tw_kept_book* kept = self.at(number)
        return {
            "venue": kept.venue,
            "channel": kept.channel,
            "symbol": kept.symbol,
            "state": STATES[kept.state],
            "is_verified": bool(kept.is_verified),
            "ts_event": known(kept.ts_event),
            "ts_recv": known(kept.ts_recv),
            "snapshot_recv": known(kept.snapshot_recv),
            "venue_seq": known(kept.venue_seq),
            "conn": kept.conn,
            "n_bids": kept.book.sides[TW_BIDS].n_levels,
            "n_asks": kept.book.sides[TW_ASKS].n_levels,
            "messages": kept.book.n_messages,
            "orphans": kept.book.n_orphans,
            "crossed": kept.book.n_crossed,
            "truncated": kept.book.n_truncated,
            "is_crossed": kept.book.is_crossed,
            "has_failed": kept.book.has_failed,
        }

    def state(self, int64_t number):
        """Give the state of a book.

        Parameters
        ----------
        number
            The book's.
        """
        return STATES[self.at(number).state]

    def levels(self, int64_t number, n=None):
        """Look at the levels of a book, without a copy.

        Parameters
        ----------
        number
            The book's.
        n
            Of each side at most so many; default: all.

        Returns
        -------
        tuple of numpy.ndarray
            Bids and asks as `OrderBook.bids` gives them.
        """
        cdef tw_kept_book* kept = self.at(number)
        return (
            view_levels(&kept.book.sides[TW_BIDS], n),
            view_levels(&kept.book.sides[TW_ASKS], n),
        )


cdef object known(int64_t value):
    return None if value == INT64_MIN else value
