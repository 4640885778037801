"""Reading a socket beside the transport that owns it."""

from libc.stdint cimport int64_t, uint8_t


cdef extern from "tickwire/net/spin.h" nogil:
    ctypedef struct tw_spin_slot:
        int fd
        uint8_t* at
        size_t room
        int64_t n_read
        int error

    int tw_spin(tw_spin_slot* slots, int n, int64_t spin_ns)


# What a direct read came to.
cdef enum Direct:
    NOTHING = 0  # no bytes
    SOME = 1     # bytes, which have been parsed
    LEAVE = 2    # the transport has to read: TLS, a pause, an end


cdef class DirectReader:
    # Where the next bytes go; False while the transport has to read.
    cdef bint find_room(self, tw_spin_slot* slot) noexcept
    # Take what has been read there: a `Direct`.
    cdef int took(self, int64_t n_read, int error) except -1
    cdef int read_direct(self) except -1
