"""Messages shown to a caller: one of each kind, as far as scripts do not read them.

A drift alarm compares their keys with those of the declaration. What a script reads has the keys
that it was learned from, so it needs no look.
"""

cimport cython
from libc.stdint cimport int32_t, uint8_t


@cython.final
cdef class Looks:
    cdef list names         # of the kinds, by route
    cdef uint8_t* is_due    # by route + 1: 0 is for messages of no kind
    cdef int32_t n_due
    cdef object on_look

    # Have a message of each kind shown to it.
    cdef void request(self, object on_look)
    # Show a message, unless one of its kind has been shown.
    cdef void look(self, int32_t route, const uint8_t* payload, size_t n) noexcept nogil
