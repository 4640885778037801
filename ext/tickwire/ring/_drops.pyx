"""Rows that some consumer did not get: as ranges, in memory that is bounded."""

cimport cython
from libc.stdint cimport int64_t

from tickwire.ring.drop import Drop


@cython.final
cdef class DropLog:
    """The ranges dropped since they were last asked for, and how many rows were dropped in all."""

    cdef void add(
        self, int64_t first, int64_t last, int64_t ts_first_ns, int64_t ts_last_ns
    ) noexcept nogil:
        """Note that the rows `first` to `last` were dropped.

        Shape    first <= last, inclusive; behind all that was noted before.
        Units    ts_*_ns: ts_recv of those two rows, ns.
        Returns  nothing.
        Threads  writer only.
        Memory   none allocated, no GIL.
        Source   none.
        """
        cdef int64_t n = last - first + 1
        cdef DropRange* to
        self.n_rows += n
        if self.n_ranges > 0:
            to = &self.ranges[self.n_ranges - 1]
            if to.last_row + 1 == first or self.n_ranges == MAX_RANGES:
                # One longer range: exact where they touch, the best that bounded memory can say
                # where nobody has taken the ranges for a long time.
                to.last_row = last
                to.ts_last_ns = ts_last_ns
                to.n_rows += n
                return
        to = &self.ranges[self.n_ranges]
        self.n_ranges += 1
        to.first_row = first
        to.last_row = last
        to.ts_first_ns = ts_first_ns
        to.ts_last_ns = ts_last_ns
        to.n_rows = n

    cpdef list take(self):
        """Give the ranges since the last call, oldest first, and forget them. Writer's thread."""
        cdef list taken = []
        cdef DropRange* each
        cdef int i
        for i in range(self.n_ranges):
            each = &self.ranges[i]
            taken.append(
                Drop(
                    each.first_row, each.last_row, each.ts_first_ns, each.ts_last_ns, each.n_rows
                )
            )
        self.n_ranges = 0
        return taken
