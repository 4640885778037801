"""Checksums of books: of the best levels, with the digits that the venue's own text has."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from tickwire.book._order_book cimport tw_book

cdef enum:
    MOST_LEVELS = 100   # of one side, in a checksum

cdef struct Verified:
    tw_book book
    int price_decimals      # -1: not known yet
    int size_decimals
    int64_t n_checked
    int64_t n_mismatched


@cython.final
cdef class BookChecksums:
    cdef readonly int levels
    cdef readonly bint is_interleaved
    cdef readonly bint is_plain
    cdef readonly bint learns           # decimals, from the venue's text
    cdef readonly int64_t depth         # levels that a book keeps; 0: all
    cdef readonly int64_t n_checked
    cdef readonly int64_t n_mismatched
    cdef readonly int64_t n_unchecked   # messages with levels and no checksum
    cdef bytes separator
    cdef const uint8_t* separator_text  # borrowed from it
    cdef size_t n_separator
    cdef Verified** symbols             # owned; by symbol code, NULL without
    cdef int64_t n_symbols
    cdef uint8_t* text                  # owned; room for the text of all levels

    # NULL: no memory.
    cdef Verified* of(self, int32_t symbol) noexcept nogil
    # Whether the levels of a symbol's text have to be looked at, for their decimals.
    cdef bint wants_digits(self, Verified* state) noexcept nogil
    cdef uint32_t sum(self, Verified* state) noexcept nogil
    # The checksum of a book after its last message is this one.
    cdef bint verify(self, Verified* state, uint32_t sum) noexcept nogil
    cdef size_t separate(self, uint8_t* out) noexcept nogil
    cdef size_t write(
        self, Verified* state, double price, double size, uint8_t* out, bint is_first
    ) noexcept nogil
