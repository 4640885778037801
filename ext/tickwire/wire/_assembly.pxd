"""One growable buffer in which a message is put together; see the implementation."""

cimport cython
from libc.stdint cimport uint8_t


@cython.final
cdef class Assembly:
    cdef uint8_t* data     # owned; NULL until the first byte; moves when it grows
    cdef size_t size       # bytes in use
    cdef size_t capacity   # bytes allocated, never more than `limit`
    cdef size_t limit      # the largest message

    cdef uint8_t* append(self, const uint8_t* source, size_t n) noexcept nogil
    cdef size_t reserve(self) noexcept nogil
    cdef void clear(self) noexcept nogil
    cdef bint _grow(self, size_t least) noexcept nogil
