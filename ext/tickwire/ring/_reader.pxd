"""Rows of a ring for a reader without a gate."""

from libc.stdint cimport int64_t

from tickwire.ring._batch cimport Layout
from tickwire.ring._export cimport Extent, Rows
from tickwire.ring._tw_ring cimport tw_ring


cdef class RingReader:
    cdef readonly object table      # schema.Table
    cdef tw_ring* core              # of the file's memory, which is only read
    cdef Layout layout
    cdef readonly int64_t next_row  # counted since the ring was made
    cdef readonly int64_t missed
    cdef Extent extent
    cdef bint busy                  # guarded by the GIL

    cdef Rows* copy_rows(self, int64_t limit, int64_t* n_lost) except? NULL
    cdef bint measure_next(self, int64_t limit) noexcept nogil
    cdef int64_t skip_texts(self, int64_t first, int64_t stop) noexcept nogil
    cdef bint has_texts(self) noexcept nogil
    cdef int64_t count_lost(self, const Rows* rows) noexcept nogil
    cdef const char* find_fault(self, const Rows* rows, int64_t n_lost) noexcept nogil
    cdef bint has_rows(self) noexcept nogil
