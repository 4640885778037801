"""Messages inside of messages: base64 of a deflate stream of JSON.

Theory. The text of a field is turned into bytes, and these are inflated, each into a buffer that is
used over and over, by one stream of zlib's for each form, kept too: a message allocates nothing
once the buffers are as large as the largest one. What comes out is bounded, so a bomb costs the
bound.
"""

cimport cython
from libc.stdint cimport uint8_t

from tickwire.wire._inflate cimport Inflater


cdef enum PackedForm:
    PACKED_DEFLATE = 0      # raw deflate, RFC 1951; its end may be missing
    PACKED_ZLIB = 1         # RFC 1950; likewise
    PACKED_GZIP = 2         # RFC 1952

cdef enum Unpacked:
    UNPACKED = 0
    UNPACK_CORRUPT = 1
    UNPACK_TOO_BIG = 2
    UNPACK_NO_MEMORY = 3


@cython.final
cdef class Unpacker:
    cdef size_t most            # bytes that any message may hold
    cdef Inflater deflate
    cdef Inflater zlib
    cdef Inflater gzip
    cdef const uint8_t* text    # what came out of the last one, until the next
    cdef size_t n_text
    cdef uint8_t* bytes
    cdef size_t capacity

    # What a text holds, at most so many bytes.
    cdef Unpacked unpack(self, int form, const uint8_t* text, size_t n, size_t most) noexcept nogil
    cdef Unpacked inflate(self, Inflater inflater, size_t n, size_t most) noexcept nogil
    cdef bint room(self, size_t n) noexcept nogil
