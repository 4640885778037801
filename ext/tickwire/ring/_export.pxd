"""Rows of a ring as an Arrow record batch, through the Arrow C data interface."""

from libc.stdint cimport int64_t

from tickwire.ring._tw_ring cimport MAX_COLUMNS, tw_ring

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

# Measure rows [first, stop), fewer where their text would pass Arrow's int32 offsets.
cdef void measure(const tw_ring* ring, int64_t first, int64_t stop, Extent* extent) noexcept nogil
# A batch of the rows measured, its release unset; NULL: no memory. `borrow`: numbers, times and
# codes stay in the ring's memory, and the rows must not wrap.
cdef ArrowArray* build_batch(const tw_ring* ring, const Extent* extent, bint borrow) noexcept nogil
cdef void release_batch(ArrowArray* array) noexcept nogil
# Hand a batch to pyarrow; it owns the array from then on.
cdef object import_batch(ArrowArray* array, object schema)
