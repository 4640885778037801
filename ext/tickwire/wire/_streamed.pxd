"""The message that is not read where it lies; the implementation says which those are."""

cimport cython
from libc.stdint cimport uint8_t, uint64_t

from tickwire.wire._assembly cimport Assembly
from tickwire.wire._inflate cimport Inflater, InflateResult
from tickwire.wire._rules cimport Fault, tw_utf8


cdef inline int inflate_fault(InflateResult result) noexcept nogil:
    if result == InflateResult.INFLATED:
        return Fault.NO_FAULT
    if result == InflateResult.TOO_BIG:
        return Fault.MESSAGE_TOO_BIG
    if result == InflateResult.NO_MEMORY:
        return Fault.OUT_OF_MEMORY
    return Fault.NOT_INFLATABLE


@cython.final
cdef class StreamedMessage:
    cdef int opcode               # of the message; 0 when there is none
    cdef bint compressed          # it is in `inflater`, not in `assembly`
    cdef bint whole               # it has ended, and waits to be taken
    cdef Assembly assembly
    cdef Inflater inflater        # of permessage-deflate, RFC 7692; None without it
    cdef tw_utf8 utf8             # where its text stands

    # The frame that brings it.
    cdef bint in_frame            # payload of it is still to come
    cdef bint frame_fin           # it ends its message
    cdef uint64_t frame_left      # payload bytes of it still to come
    cdef size_t frame_seen        # payload bytes of it so far: the phase of the mask
    cdef bint frame_masked
    cdef uint8_t frame_key[4]

    cdef void begin_frame(
        self, uint8_t first, uint64_t length, const uint8_t* key
    ) noexcept nogil
    cdef size_t take(self, uint8_t* data, size_t n, int* fault) noexcept nogil
    cdef int inflate_frame(self, int opcode, const uint8_t* payload, size_t n) noexcept nogil
    cdef const uint8_t* data(self) noexcept nogil
    cdef size_t size(self) noexcept nogil
    cdef void clear(self) noexcept nogil
    cdef size_t held_bytes(self) noexcept nogil

    cdef int _put(self, uint8_t* data, size_t n) noexcept nogil
    cdef int _put_compressed(self, uint8_t* data, size_t n) noexcept nogil
    cdef int _inflated_fault(
        self, int opcode, size_t before, InflateResult result
    ) noexcept nogil
    cdef int _end(self) noexcept nogil
