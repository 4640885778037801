"""The rings that a decoder writes, by number."""

from libc.stdint cimport int64_t

from tickwire.ring._ring cimport Ring
from tickwire.ring._tw_ring cimport tw_rewind, tw_ring

cdef enum:
    # A ring that would hold its rows for longer than this keeps them, for consumers that come late.
    LEAST_HISTORY_NS = 1_000_000_000


cdef class Targets:
    """Rings in the order of a program's tables.

    Parameters
    ----------
    rings
        One per table, None for a table that this source does not write.
    """

    def __cinit__(self, rings):
        cdef Ring ring
        self.rings = tuple(rings)
        self.n = len(self.rings)
        for number, ring in enumerate(self.rings):
            self.at[<int>number] = ring.core if ring is not None else NULL
            if ring is not None:
                self.written[self.n_written] = ring.core
                self.n_written += 1

    def wait_for_room(self, callback):
        """Have `callback` called when a consumer makes room in a ring that had none.

        Returns
        -------
        bool
            Whether a ring is waited for that was not before; see `Ring.wait_for_room`.
        """
        # Each is asked, so that none keeps a refusal of today for later.
        return any([ring.wait_for_room(callback) for ring in self.rings if ring is not None])

    def forget_room(self, callback):
        """Take back what `wait_for_room` asked for."""
        for ring in self.rings:
            if ring is not None:
                ring.forget_room(callback)

    cdef void rewind(self) noexcept nogil:
        cdef int number
        cdef tw_ring* ring
        self.is_due = False
        for number in range(self.n_written):
            ring = self.written[number]
            if ring.head >= ring.rewind_at:
                if not is_flooded(ring):
                    ring.rewind_at = ring.head + ring.window_rows
                    continue
                tw_rewind(ring)
                # Where a consumer lags, it is looked at again before the next read.
                if ring.head >= ring.rewind_at:
                    self.is_due = True


cdef bint is_flooded(tw_ring* ring) noexcept nogil:
    """Whether rows come so fast that the ring would hold less than LEAST_HISTORY_NS of them."""
    cdef int64_t last = ring.head - 1
    cdef int64_t first = ring.head - ring.window_rows
    cdef int64_t window_ns = ring.recv_mono[last & ring.mask] - ring.recv_mono[first & ring.mask]
    return window_ns < LEAST_HISTORY_NS // ring.capacity * ring.window_rows
