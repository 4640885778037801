"""Who waits for rows of a ring, and who for room in it."""

cimport cython
from libc.stdint cimport int64_t

from tickwire.ring._tw_ring cimport tw_ring


cdef class Waiters:
    cdef tw_ring* core          # NULL until the ring is open; lives as long as this object
    cdef list for_rows          # called at the next publish
    cdef list for_more_rows     # (position, callback): called once that is published
    cdef list for_room          # called when a consumer has released rows

    @cython.final
    cdef void wake(self) noexcept

    @cython.final
    cdef void wake_late(self) noexcept

    @cython.final
    cdef int64_t next_wake(self) noexcept

    @cython.final
    cdef void tell_room(self) noexcept
