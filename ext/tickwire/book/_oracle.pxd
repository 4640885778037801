"""Kept books beside their oracles: quotes of the same markets, from the ring of `quotes`."""

cimport cython
from libc.stdint cimport int16_t, int32_t, int64_t, uint64_t

from tickwire.book._kept_book cimport tw_kept_book
from tickwire.book._order_book cimport tw_book
from tickwire.ring._attachment cimport Attachment

cdef extern from "tickwire/book/book_watch.h" nogil:
    ctypedef struct tw_watch:
        int64_t lasting_ns
        int64_t least_quotes
        int64_t good_ns
        int64_t n_checked
        int64_t n_mismatched
        double found[2][4]
        int64_t number
        int32_t symbol
        int32_t next
        int16_t venue
        int32_t n_levels
        bint is_by_time
        bint is_on

    void tw_watch_begin(tw_watch* watch, int64_t ts)
    uint64_t tw_hash_levels(const tw_book* book, int32_t n)
    bint tw_watch_book(
        tw_watch* watch, int64_t seq, int64_t ts, const double* top, uint64_t levels
    )
    bint tw_watch_depth(
        tw_watch* watch, int64_t seq, int64_t ts, const double* top, uint64_t levels,
        int32_t n_levels
    )
    bint tw_watch_quote(tw_watch* watch, int64_t seq, int64_t ts, const double* quote)

# Columns of the ring of `quotes`; valid as long as the ring.
cdef struct QuoteColumns:
    const int16_t* venue
    const int32_t* symbol
    const int64_t* venue_seq
    const double* values[4]


@cython.final
cdef class BookOracle(Attachment):
    cdef object rule_of             # called with the codes of venue and channel of a new book
    cdef object levels_of           # likewise
    cdef tw_watch** watches         # owned
    cdef int64_t n_watches
    cdef dict watch_of              # the place of a book's watch, by the book's number
    cdef int32_t* first_of          # the first watch of a symbol and 1, by its code; 0: none
    cdef int64_t n_symbols
    cdef QuoteColumns rows
    cdef list found                 # what `take_found` gives

    # Watch a book; gives the watch's number and 1, 0 where no oracle is declared or no memory.
    cdef int32_t watch(self, int64_t number, int16_t venue, int16_t channel, int32_t symbol)
    # How many levels of each side a whole book has that shows another one's best; else 0.
    cdef int32_t shown_levels(self, int16_t venue, int16_t channel) except -1
    # Such a book has been applied.
    cdef void note_levels(self, const tw_kept_book* kept) noexcept nogil
    # A message of a watched book has been applied.
    cdef void note(self, const tw_kept_book* kept, bint begins) noexcept nogil

    # A watched book is not to be trusted any more, or is again.
    cdef void turn(self, const tw_kept_book* kept, bint is_on) noexcept nogil

    cdef int64_t run(self, int64_t row, int64_t stop) noexcept nogil
    cdef void note_wrong(self, tw_watch* watch, int64_t ts) noexcept nogil
    cdef tw_watch* at(self, int64_t number) except? NULL
