"""A batch of rows that costs little to make, and a view of one of its rows."""

cimport cython
from libc.stdint cimport int64_t

from tickwire.ring._export cimport ColumnData, Form, Rows
from tickwire.ring._tw_ring cimport tw_ring


# What all batches of a ring have in common.
@cython.final
cdef class Layout:
    cdef object schema              # pyarrow.Schema
    cdef str table
    cdef tuple names
    cdef dict places                # column's name: its place
    cdef Form form
    cdef list dictionaries          # by column; None where it has no codes; `form` points into them
    cdef list strings               # by column: str of every code met so far

    cdef object string_of(self, int place, int64_t code)
    cdef object cell(self, const ColumnData* column, int place, int64_t row)


@cython.final
cdef class Batch:
    cdef Layout layout
    cdef Rows* data                 # owned, with `arrow`; NULL: it is none of a feed's
    cdef int64_t first              # rows before were dropped while they were copied
    cdef readonly int64_t num_rows
    cdef object arrow               # the RecordBatch, once it was asked for

    cdef int place_of(self, object key) except -1
    cdef object rows(self)
    cdef object view(self, const ColumnData* column, object dtype)


@cython.final
cdef class Row:
    cdef Layout layout
    cdef Batch batch                # None: no row
    cdef int64_t at                 # of the arrays
    cdef int64_t stop

    cdef void begin(self, Batch batch) noexcept
    cpdef bint advance(self) noexcept
    cpdef void end(self) noexcept


cdef Row make_row(Layout layout)


# Of a ring's columns; dictionaries by column, None where it has no codes.
cdef Layout make_layout(const tw_ring* ring, object table, list dictionaries)

# A batch of what `copy_extent` gave, without its first rows; it owns them from then on.
cdef Batch make_batch(Layout layout, Rows* data, int64_t n_dropped)
