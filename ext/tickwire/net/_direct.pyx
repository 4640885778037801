"""Reading a socket beside the transport that owns it, where somebody knows better when.

The transport stays what sends, closes and sees the end: a direct read leaves an end to it. An error
that a direct read has taken from the socket is kept for the end, as the transport then sees an end
without one.
"""

from libc.stdint cimport int64_t


cdef class DirectReader:
    """The base of carriers; this one reads nothing."""

    cdef bint find_room(self, tw_spin_slot* slot) noexcept:
        return False

    cdef int took(self, int64_t n_read, int error) except -1:
        return Direct.LEAVE

    cdef int read_direct(self) except -1:
        """Read once, without waiting.

        Shape    one read.
        Units    bytes.
        Returns  a `Direct`.
        Threads  the loop's thread only.
        Memory   into the receive buffer.
        Source   recv(2).
        """
        cdef tw_spin_slot slot
        if not self.find_room(&slot):
            return Direct.LEAVE
        tw_spin(&slot, 1, 0)
        return self.took(slot.n_read, slot.error)
