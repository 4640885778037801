"""Counters and gauges: a slot of an int64 array that a registry owns."""

cimport cython
from libc.stdint cimport int64_t


cdef class Slot:
    cdef int64_t* at        # in `memory`, which never moves
    cdef object memory      # keeps the array alive


@cython.final
cdef class Counter(Slot):
    cdef inline void count(self, int64_t n) noexcept nogil:
        """Add n.

        Shape    n >= 0.
        Units    those of its metric.
        Returns  nothing. Never raises, never blocks.
        Threads  one writer at a time; readers anywhere, at worst a moment behind.
        Memory   none allocated, no GIL.
        Source   none.
        """
        self.at[0] += n


@cython.final
cdef class Gauge(Slot):
    pass
