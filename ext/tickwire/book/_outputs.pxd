"""What a reader of books writes: rows of the tables `top`, `depth` and `nbbo`."""

cimport cython
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t

from tickwire.book._kept_book cimport tw_kept_book
from tickwire.book._nbbo cimport NbboOutput
from tickwire.ring._ring cimport Ring
from tickwire.ring._tw_ring cimport tw_ring

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
cdef class BookOutputs:
    cdef readonly Ring top
    cdef readonly Ring depth_ring   # None without
    cdef readonly NbboOutput nbbo   # None without
    cdef tw_ring* top_core
    cdef tw_ring* depth_core        # NULL without
    cdef tw_ring* nbbo_core         # NULL without
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
    cdef tw_ring* held_core         # where what was not written last did not fit; NULL: nothing

    # Whether there is room for what a message of a book, received then, may give.
    cdef bint has_room(self, const tw_kept_book* kept, int64_t ts_recv) noexcept nogil
    # Write what a message has changed; there is room for it.
    cdef void show(self, tw_kept_book* kept) noexcept nogil
    # Write a row without prices; False: `top` or `nbbo` is full.
    cdef bint show_none(self, tw_kept_book* kept) noexcept nogil
    cdef void publish(self) noexcept nogil

    cdef bint has_room_for_best(self) noexcept nogil

    cdef void write_top(self, tw_kept_book* kept) noexcept nogil
    cdef void write_depth(self, tw_kept_book* kept) noexcept nogil
