"""Whether a message's staged rows may be published: the book's splice decides it."""

from libc.stdint cimport int32_t, int64_t

cdef enum Admit:
    ADMIT = 0   # publish the rows
    HOLD = 1    # take them back and keep the message until a snapshot has come
    REFUSE = 2  # take them back; the message is older than the snapshot


cdef class Admission:
    # first, last, prev: the message's update ids; INT64_MIN where the venue sends none.
    cdef int admit(
        self, int32_t symbol, int64_t first, int64_t last, int64_t prev
    ) noexcept nogil
