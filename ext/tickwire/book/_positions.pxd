"""Books whose levels are removed by their position: which prices those are."""

cimport cython
from libc.stdint cimport int16_t, int32_t, int64_t

from tickwire.book._order_book cimport tw_book, tw_level, tw_side

# The rows of one message in their ring. Prices and sizes are changed where they stand.
cdef struct LevelRows:
    const int16_t* sides    # codes
    double* prices          # a position, where the size is negative
    double* sizes
    const int64_t* times    # ns since the epoch
    int64_t first           # rows first..end - 1
    int64_t end
    int64_t mask            # of a row: its slot
    int16_t ask
    int16_t bid

cdef struct Positioned:
    tw_book book
    int64_t time            # of its last message


@cython.final
cdef class BookPositions:
    cdef readonly int64_t most  # levels of a side
    cdef Positioned** symbols   # owned; by symbol code, NULL without
    cdef int64_t n_symbols

    # NULL: no memory.
    cdef Positioned* of(self, int32_t symbol) noexcept nogil
    # Rows have got their prices, and the book is changed; False: they do not fit it.
    cdef bint place(self, int32_t symbol, bint is_snapshot, LevelRows* rows) noexcept nogil

    cdef bint name(self, tw_book* book, LevelRows* rows) noexcept nogil
