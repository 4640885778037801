"""Strings and their codes, looked up without the GIL."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from tickwire.ring._tw_ring cimport tw_dictionary


cdef class Values:
    cdef readonly int32_t max_values
    cdef tw_dictionary memory

    # Borrow the memory of a file that another process writes.
    cdef int borrow(self, int file, size_t n_bytes, int32_t max_values) except -1


@cython.final
cdef class Dictionary(Values):
    cdef readonly int64_t max_bytes     # of all values together
    cdef uint64_t* slots                # writer only: upper half of the hash, code + 1; 0 is free
    cdef uint32_t slot_mask
    cdef int32_t last                   # code of the last hit, -1 before the first
    cdef uint64_t seed

    # `lookup` gives the code of `value`, making a new one for a new string;
    # -1 where the dictionary is full, the value longer than it takes (255 bytes), or a new value
    # not UTF-8. Writer's thread only.
    cdef int32_t lookup(self, const uint8_t* value, size_t n) noexcept nogil
    cdef int32_t insert(self, const uint8_t* value, size_t n, uint64_t hash) noexcept nogil
    cdef bint grow(self) noexcept nogil


@cython.final
cdef class Dictionaries:
    cdef readonly Dictionary venue
    cdef readonly Dictionary symbol
    cdef dict named
    cdef object allocate                # of files; None: memory of the process

    cdef Dictionary make(self, str name, int32_t max_values)
    cpdef Dictionary of(self, str name)
