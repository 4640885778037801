"""Strings and their codes, looked up without the GIL."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t


@cython.final
cdef class Dictionary:
    # `lookup` gives the code of `value`, making a new one for a string not seen before;
    # -1 where the dictionary is full or the value longer than it takes. Writer's thread only.
    cdef int32_t lookup(self, const uint8_t* value, size_t n) noexcept nogil
