"""A handler that keeps messages as Python objects; see the implementation."""

cimport cython
from libc.stdint cimport int64_t, uint8_t

from tickwire.wire._handler cimport Handler


@cython.final
cdef class MessageQueue(Handler):
    cdef object waiting               # collections.deque of Message
    cdef readonly int64_t n_bytes     # payload bytes that wait
    cdef readonly int64_t max_bytes   # past this, messages are blocked

    cdef int _add(self, int opcode, const uint8_t* payload, size_t n) noexcept
