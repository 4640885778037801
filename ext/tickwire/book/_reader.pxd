"""Books kept from the rows of the table `book`, as a consumer of its ring."""

cimport cython
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t

from tickwire.book._order_book cimport tw_book
from tickwire.ring._attachment cimport Attachment
from tickwire.ring._ring cimport Ring
from tickwire.ring._tw_ring cimport tw_ring

cdef extern from "tickwire/book/kept_book.h" nogil:
    enum:
        TW_BOOK_WAITING
        TW_BOOK_LIVE
        TW_BOOK_BROKEN
        TW_BOOK_UNVERIFIABLE

    ctypedef struct tw_kept_book:
        tw_book book
        int32_t symbol
        int16_t venue
        int16_t channel
        uint8_t state
        uint8_t is_verified
        uint8_t is_shown
        uint8_t is_suspended
        uint8_t is_begun
        int64_t ts_event
        int64_t ts_recv
        int64_t mono
        int64_t venue_seq
        int32_t conn
        int64_t snapshot_recv
        int64_t depth_due
        int64_t broken_at
        double top[4]

    ctypedef struct tw_kept_books:
        tw_kept_book* at
        int64_t n

    int64_t tw_kept_find(
        const tw_kept_books* books, int16_t venue, int16_t channel, int32_t symbol
    )
    int64_t tw_kept_add(tw_kept_books* books, int16_t venue, int16_t channel, int32_t symbol)
    void tw_kept_free(tw_kept_books* books)
    bint tw_kept_take_top(tw_kept_book* kept)

# Columns of the ring of `book`; valid as long as the ring.
cdef struct BookColumns:
    const int16_t* venue
    const int32_t* symbol
    const int64_t* ts_event
    const int32_t* conn
    const int16_t* channel
    const int16_t* side
    const double* price
    const double* size
    const uint8_t* is_snapshot
    const uint8_t* last
    const int64_t* venue_seq

# What every row of an output table has, and `channel` and `venue_seq`.
cdef struct OutputColumns:
    int16_t* venue
    int32_t* symbol
    int64_t* ts_event
    int64_t* ts_recv
    int32_t* conn
    int16_t* channel
    int64_t* venue_seq


@cython.final
cdef class BookReader(Attachment):
    cdef readonly Ring top          # the outputs
    cdef readonly Ring depth_ring   # None without
    cdef tw_ring* top_core
    cdef tw_ring* depth_core        # NULL without
    cdef object settings            # called with the codes of venue and channel of a new book
    cdef tw_kept_books books
    cdef BookColumns rows
    cdef OutputColumns top_rows
    cdef OutputColumns depth_rows
    cdef double* top_values[4]
    cdef int16_t* depth_side
    cdef int32_t* depth_level
    cdef double* depth_price
    cdef double* depth_size
    cdef uint8_t* depth_last
    cdef int16_t bid_code
    cdef int16_t ask_code
    cdef int64_t depth              # levels of a snapshot in `depth`
    cdef int64_t interval_ns        # between two of them
    cdef int64_t n_owed             # books whose last row in `top` must be followed by an empty one
    cdef readonly list changes      # what `take_changes` gives
    cdef readonly int64_t n_failures  # of memory
    cdef readonly bint is_held_by_depth  # by the ring of `depth`, at the last read

    cdef int64_t run(self, int64_t row, int64_t stop) noexcept nogil
    cdef tw_kept_book* find(self, int64_t slot) noexcept nogil
    cdef int64_t apply_message(
        self, tw_kept_book* kept, int64_t row, int64_t stop
    ) noexcept nogil
    cdef void become(self, tw_kept_book* kept, uint8_t state) noexcept nogil
    cdef bint settle(self) noexcept nogil
    cdef bint has_room(self, tw_kept_book* kept, int64_t ts_recv) noexcept nogil
    cdef void write_top(self, tw_kept_book* kept) noexcept nogil
    cdef void write_depth(self, tw_kept_book* kept) noexcept nogil
    cdef int bind_rows(self) except -1
    cdef int bind_outputs(self) except -1
    cdef tw_kept_book* at(self, int64_t number) except NULL
