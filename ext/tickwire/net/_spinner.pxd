"""A loop that does not sleep: see `_spinner.pyx`."""

cimport cython
from libc.stdint cimport int64_t

from tickwire.net._direct cimport DirectReader, tw_spin_slot


@cython.final
cdef class Watched:
    cdef object transport
    cdef DirectReader reader   # None where only the transport can read
    cdef int fd                # the connection's socket, owned by the transport


@cython.final
cdef class Spinner:
    cdef object loop
    cdef list watched
    cdef int64_t spin_ns
    cdef readonly bint is_spinning  # whether the next look is scheduled
    cdef tw_spin_slot* slots   # room for as many as `n_slots`
    cdef int n_slots

    cdef int fill(self) except -1
