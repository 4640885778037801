"""The rings that a decoder writes, by the number of their table in the program."""

cimport cython
from libc.stdint cimport int64_t

from tickwire.decode._bytecode cimport MAX_TARGETS
from tickwire.ring._tw_ring cimport tw_ring


@cython.final
cdef class Targets:
    cdef int n
    cdef bint is_due        # a ring may begin again: `rewind`; who publishes looks, and sets it
    cdef tw_ring* at[MAX_TARGETS]   # NULL for a table that this source does not write
    cdef int n_written
    cdef tw_ring* written[MAX_TARGETS]  # those of `at` that are there
    cdef object rings       # what keeps them

    # Rings whose consumers keep up with a flood begin again at their front. Between two reads only.
    cdef void rewind(self) noexcept nogil
