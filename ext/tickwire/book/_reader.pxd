"""Books kept from the rows of the table `book`, as a consumer of its ring."""

cimport cython
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t

from tickwire.book._book_views cimport BookViews
from tickwire.book._kept_book cimport tw_kept_book
from tickwire.book._oracle cimport BookOracle
from tickwire.book._outputs cimport BookOutputs

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


@cython.final
cdef class BookReader(BookViews):
    cdef readonly BookOutputs outputs
    cdef readonly BookOracle oracle  # None without
    cdef object settings            # called with the codes of venue and channel of a new book
    cdef BookColumns rows
    cdef int16_t bid_code
    cdef int16_t ask_code
    cdef int64_t n_owed             # books that broke or were resumed: `top` does not show it yet
    cdef readonly list changes      # what `take_changes` gives
    cdef readonly int64_t n_failures  # of memory

    cdef int64_t run(self, int64_t row, int64_t stop) noexcept nogil
    cdef tw_kept_book* find(self, int64_t slot) noexcept nogil
    cdef int64_t begin(self, int16_t venue, int16_t channel, int32_t symbol, object ts_recv)
    cdef int64_t apply_message(
        self, tw_kept_book* kept, int64_t row, int64_t stop
    ) noexcept nogil
    cdef void become(self, tw_kept_book* kept, uint8_t state) noexcept nogil
    cdef bint settle(self) noexcept nogil
    cdef int bind_rows(self) except -1
