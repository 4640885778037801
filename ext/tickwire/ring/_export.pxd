"""Rows of a ring as an Arrow record batch, through the Arrow C data interface."""

from libc.stdint cimport int64_t

from tickwire.ring._memory cimport tw_mapping
from tickwire.ring._tw_ring cimport MAX_COLUMNS, tw_dictionary, tw_ring

cdef extern from "tickwire/ring/arrow_c.h" nogil:
    struct ArrowArray:
        int64_t length
        int64_t null_count
        int64_t offset
        int64_t n_buffers
        int64_t n_children
        const void** buffers
        ArrowArray** children
        ArrowArray* dictionary
        void (*release)(ArrowArray*) noexcept nogil
        void* private_data

# Rows [first, stop) and where their texts lie, read at one time.
cdef struct Extent:
    int64_t first
    int64_t stop
    int64_t n_bytes                     # about what a copy of them takes
    int64_t text_starts[MAX_COLUMNS]
    int64_t text_bytes[MAX_COLUMNS]

# What there is of a column: buffers as Arrow has them.
cdef struct ColumnData:
    const void* buffers[3]              # validity, NULL: all valid; values or offsets; text
    int64_t null_count

# Rows in memory of their own; the columns follow, then what was copied.
cdef struct Rows:
    int64_t refs                        # owners: who has copied them, and Arrow's struct
    int64_t n_rows
    int size_class                      # of its memory, for tw_pool_give
    ColumnData columns[1]

# What all batches of a ring have in common.
cdef struct Form:
    int n_columns
    int kinds[MAX_COLUMNS]
    const tw_dictionary* dictionaries[MAX_COLUMNS]  # NULL where a column has no codes

# Measure rows [first, stop), fewer where their text would pass Arrow's int32 offsets.
cdef void measure(const tw_ring* ring, int64_t first, int64_t stop, Extent* extent) noexcept nogil
# The rows measured; NULL: no memory. `borrow`: numbers, times and codes stay in the ring's memory,
# and the rows must not wrap.
cdef Rows* copy_extent(const tw_ring* ring, const Extent* extent, bint borrow) noexcept nogil
# One row, in one pass; NULL: there is no memory, or its text is long, and `copy_extent` may do.
cdef Rows* copy_row(const tw_ring* ring, int64_t row) noexcept nogil
# One owner less; the last one frees them.
cdef void free_rows(Rows* rows) noexcept nogil
# Rows as Arrow's struct, one more owner of them, which keeps `borrowed`. NULL: no memory.
cdef ArrowArray* export_rows(Rows* rows, const Form* form, tw_mapping* borrowed) noexcept nogil
# Hand a batch to pyarrow. Where that fails, the array is released.
cdef object import_batch(ArrowArray* array, object schema)
