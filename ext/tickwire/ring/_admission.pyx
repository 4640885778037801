"""The base of all admissions: everything may be published."""

from libc.stdint cimport int32_t, int64_t


cdef class Admission:
    cdef int admit(
        self, int32_t symbol, int64_t first, int64_t last, int64_t prev
    ) noexcept nogil:
        return Admit.ADMIT
