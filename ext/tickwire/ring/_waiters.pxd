"""Who waits for rows of a ring, and who for room in it."""

cimport cython
from libc.stdint cimport int64_t

from tickwire.ring._tw_ring cimport tw_ring


# What a ring calls without an object of Python in between.
cdef class RowsWaiter:
    cdef int on_rows(self) except -1


cdef class Waiters:
    cdef tw_ring* core          # NULL until the ring is open; lives as long as this object
    cdef list for_rows          # called at the next publish
    # (position, monotonic ns, callback): called once that is published, or what was read then.
    cdef list for_more_rows
    cdef list for_room          # called when a consumer has released rows

    @cython.final
    cdef void wake(self) noexcept

    @cython.final
    cdef void wake_late(self) noexcept

    @cython.final
    cdef void set_wake(self) noexcept

    @cython.final
    cdef int arm_waiter(self, RowsWaiter waiter) except -1

    @cython.final
    cdef int arm_later(self, object waiter, int64_t rows, int64_t mono_ns) except -1

    @cython.final
    cdef void tell_room(self) noexcept
