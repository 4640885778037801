"""Kept books beside their oracles: quotes of the same markets, from the ring of `quotes`.

Rules of this file
------------------
- In the thread of the books' reader, which notes each message that it has applied; the quotes are
  read as any consumer does, after the books, in the same turn.
- What shows that a book is wrong is `book_watch.h`'s to say. A book that was found wrong is let
  alone until it begins again.
- Only books that are not known to be broken are watched.
"""

from libc.math cimport NAN
from libc.stdint cimport int16_t, int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free, realloc

from tickwire.book._columns cimport column
from tickwire.book._kept_book cimport tw_kept_book
from tickwire.ring._memory cimport tw_compare_exchange, tw_load_acquire, tw_store_release
from tickwire.ring._ring cimport Ring

from inspect import signature

cdef extern from "tickwire/book/grown.h" nogil:
    void* tw_grown(void* slots, int64_t n, int64_t size, size_t slot_bytes)

PRICES = ("bid_price", "bid_size", "ask_price", "ask_size")


cdef inline int64_t id_of(const tw_watch* watch, const tw_kept_book* kept) noexcept nogil:
    return kept.ts_event if watch.is_by_time else kept.venue_seq


cdef class BookOracle(Attachment):
    """Watch books by the quotes of their markets; `bind` comes first.

    Parameters
    ----------
    ring
        Of the table `quotes`.
    on_lag, commits, max_lag
        As of `Consumer`.
    """

    __signature__ = signature(lambda ring, *, on_lag=None, commits=False, max_lag=0: None)

    def __cinit__(self, Ring ring not None, *, on_lag=None, bint commits=False, int64_t max_lag=0):
        self.found = []
        self.watch_of = {}

    def __dealloc__(self):
        cdef int64_t number
        for number in range(self.n_watches):
            free(self.watches[number])
        free(self.watches)
        free(self.first_of)

    def bind(self, rule_of, levels_of=None):
        """Say which books are watched, and how.

        Parameters
        ----------
        rule_of
            Called with the codes of venue and channel of a new book; gives None where it is not
            watched; else for how long, in ns, and over how many quotes a disagreement must last
            (0 and 0: what has the same id must be equal); and True where times of events are taken
            for ids, and quotes are not compared.
        levels_of
            Likewise; gives how many levels of each side the messages of a channel have that are
            whole books, and are compared with a watched book's where they have the same id; else 0.
        """
        cdef Ring ring = self.ring
        cdef int i
        self.rule_of = rule_of
        self.levels_of = levels_of
        self.rows.venue = <const int16_t*> column(ring, "venue")
        self.rows.symbol = <const int32_t*> column(ring, "symbol")
        self.rows.venue_seq = <const int64_t*> column(ring, "venue_seq")
        for i, name in enumerate(PRICES):
            self.rows.values[i] = <const double*> column(ring, name)

    cdef int32_t watch(self, int64_t number, int16_t venue, int16_t channel, int32_t symbol):
        rule = None if self.rule_of is None else self.rule_of(venue, channel)
        if rule is None:
            return 0
        cdef int64_t n = max(<int64_t> symbol + 1, 2 * self.n_symbols)
        cdef int32_t* firsts
        cdef tw_watch** larger
        if symbol >= self.n_symbols:
            firsts = <int32_t*> tw_grown(self.first_of, self.n_symbols, n, sizeof(int32_t))
            if firsts == NULL:
                return 0
            self.first_of = firsts
            self.n_symbols = n
        larger = <tw_watch**> realloc(
            self.watches, <size_t> (self.n_watches + 1) * sizeof(tw_watch*)
        )
        if larger == NULL:
            return 0
        self.watches = larger
        cdef tw_watch* watch = <tw_watch*> calloc(1, sizeof(tw_watch))
        if watch == NULL:
            return 0
        watch.lasting_ns, watch.least_quotes = rule[:2]
        watch.is_by_time = len(rule) > 2 and rule[2]
        watch.number = number
        watch.venue = venue
        watch.symbol = symbol
        watch.next = self.first_of[symbol]
        self.watches[self.n_watches] = watch
        self.watch_of[number] = self.n_watches
        self.n_watches += 1
        self.first_of[symbol] = <int32_t> self.n_watches
        return <int32_t> self.n_watches

    cdef void note(self, const tw_kept_book* kept, bint begins) noexcept nogil:
        cdef tw_watch* watch = self.watches[kept.watch - 1]
        cdef uint64_t levels = 0
        if begins:
            tw_watch_begin(watch, kept.ts_recv)
        if watch.n_levels:
            levels = tw_hash_levels(&kept.book, watch.n_levels)
        if not tw_watch_book(watch, id_of(watch, kept), kept.ts_recv, kept.top, levels):
            self.note_wrong(watch, kept.ts_recv)

    cdef int32_t shown_levels(self, int16_t venue, int16_t channel) except -1:
        return 0 if self.levels_of is None else self.levels_of(venue, channel)

    cdef void note_levels(self, const tw_kept_book* kept) noexcept nogil:
        cdef int32_t number = 0
        cdef tw_watch* watch
        cdef uint64_t levels
        if kept.symbol < self.n_symbols:
            number = self.first_of[kept.symbol]
        while number:
            watch = self.watches[number - 1]
            number = watch.next
            if watch.venue == kept.venue:
                levels = tw_hash_levels(&kept.book, kept.shown_levels)
                if not tw_watch_depth(
                    watch, id_of(watch, kept), kept.ts_recv, kept.top, levels, kept.shown_levels
                ):
                    self.note_wrong(watch, kept.ts_recv)

    cdef void turn(self, const tw_kept_book* kept, bint is_on) noexcept nogil:
        cdef tw_watch* watch = self.watches[kept.watch - 1]
        if is_on:
            tw_watch_begin(watch, kept.ts_recv)
        else:
            watch.is_on = False

    cdef void note_wrong(self, tw_watch* watch, int64_t ts) noexcept nogil:
        with gil:
            self.found.append((
                watch.number, watch.good_ns, ts,
                tuple([watch.found[0][i] for i in range(4)]),
                tuple([watch.found[1][i] for i in range(4)]),
            ))

    def read(self):
        """Compare the quotes that were published since the last call."""
        if self.rule_of is None:
            raise RuntimeError("the oracle watches nothing: bind it")
        cdef int64_t limit = self.enter(None)
        cdef int64_t at, first, stop
        while True:
            at = tw_load_acquire(&self.gate.value)
            first = at >> 1
            stop = self.next_stop(first, limit)
            if stop <= first:
                return
            if tw_compare_exchange(&self.gate.value, at, at | 1):
                break
        self.busy = True
        self.run(first, stop)
        self.busy = False
        tw_store_release(&self.gate.value, stop << 1)
        self.tell_room()

    cdef int64_t run(self, int64_t row, int64_t stop) noexcept nogil:
        cdef int64_t slot
        cdef int32_t symbol, number
        cdef tw_watch* watch
        cdef double quote[4]
        cdef int i
        while row < stop:
            slot = row & self.core.mask
            row += 1
            symbol = self.rows.symbol[slot]
            number = self.first_of[symbol] if 0 <= symbol < self.n_symbols else 0
            while number:
                watch = self.watches[number - 1]
                number = watch.next
                if watch.venue != self.rows.venue[slot] or watch.is_by_time:
                    continue
                for i in range(4):
                    quote[i] = self.rows.values[i][slot]
                for i in range(0, 4, 2):
                    if quote[i + 1] == 0.0:  # how some venues write a side without orders
                        quote[i] = quote[i + 1] = NAN
                if not tw_watch_quote(
                    watch, self.rows.venue_seq[slot], self.core.ts_recv[slot], quote
                ):
                    self.note_wrong(watch, self.core.ts_recv[slot])
        return row

    def take_found(self):
        """Give the books that were found wrong since the last call.

        Returns
        -------
        list of tuple
            Number of the book, ts_recv up to which it was right and at which it was found wrong,
            and the best prices and sizes that it had, and that the oracle had.
        """
        found = self.found
        self.found = []
        return found

    def counts(self, int64_t number):
        """Give how often a book was checked, and found wrong; None where it is not watched.

        Parameters
        ----------
        number
            The book's.
        """
        cdef tw_watch* watch = self.at(number)
        return None if watch == NULL else (watch.n_checked, watch.n_mismatched)

    cdef tw_watch* at(self, int64_t number) except? NULL:
        place = self.watch_of.get(number)
        return NULL if place is None else self.watches[<int64_t> place]

    @property
    def n_checked(self):
        """Comparisons of books with their oracles."""
        return sum([self.watches[i].n_checked for i in range(self.n_watches)])

    @property
    def n_mismatched(self):
        """Books that were found wrong."""
        return sum([self.watches[i].n_mismatched for i in range(self.n_watches)])
