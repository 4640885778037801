"""A handler that keeps messages as Python objects; see the implementation."""

from libc.stdint cimport int64_t, uint8_t

from tickwire.wire._handler cimport Handler

cdef enum:
    MESSAGE_BYTES = 128  # what a message costs beside its payload, roughly: two objects and a slot


cdef class MessageQueue(Handler):
    cdef object waiting               # collections.deque of Message
    cdef readonly int64_t n_bytes     # that wait, payloads and MESSAGE_BYTES each
    cdef readonly int64_t max_bytes   # past this, messages are blocked
    cdef readonly int64_t max_messages  # ask for the end at this one; 0: never
    cdef readonly int64_t n_messages  # put in since the start

    cdef int _add(self, int opcode, const uint8_t* payload, size_t n) noexcept
