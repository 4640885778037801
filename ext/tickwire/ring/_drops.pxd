"""What was overwritten before a consumer had it; see the implementation."""

cimport cython
from libc.stdint cimport int64_t

cdef enum:
    MAX_RANGES = 64

cdef struct DropRange:
    int64_t first_row
    int64_t last_row        # inclusive
    int64_t ts_first_ns     # ts_recv of first_row
    int64_t ts_last_ns
    int64_t n_rows


@cython.final
cdef class DropLog:
    cdef readonly int64_t n_rows        # in all; the writer's thread writes it
    cdef DropRange ranges[MAX_RANGES]   # since the last `take`
    cdef int n_ranges

    cdef void add(
        self, int64_t first, int64_t last, int64_t ts_first_ns, int64_t ts_last_ns
    ) noexcept nogil
    cpdef list take(self)
