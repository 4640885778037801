"""Inflating into one bounded buffer that is used over and over; see the implementation."""

cimport cython
from libc.stdint cimport uint8_t

from tickwire.wire._assembly cimport Assembly
from tickwire.wire._zlib cimport Zlib, z_stream


cdef enum InflateResult:
    INFLATED
    CORRUPT       # not a deflate stream, a wrong checksum, or not whole
    TOO_BIG       # more than the limit
    NO_MEMORY


cdef enum Form:
    MESSAGE  # RFC 7692: raw deflate up to a sync flush, whose last four bytes are left out
    DEFLATE  # raw deflate, RFC 1951; may lack its end
    GZIP     # RFC 1952, one member or several
    ZLIB     # RFC 1950; may lack its end


@cython.final
cdef class Inflater:
    cdef Assembly output            # what has been inflated of the message at hand
    cdef size_t limit               # the largest message, bytes
    cdef Form form
    cdef bint keep_context          # form MESSAGE: messages refer to those before them
    cdef bint stream_ended          # the last byte taken ended a deflate stream
    cdef bint has_input             # the message has had a byte
    cdef const Zlib* zlib
    cdef z_stream stream
    cdef bint ready                 # `stream` has memory of zlib's

    cdef void begin(self) noexcept nogil
    cdef InflateResult add(self, const uint8_t* source, size_t n) noexcept nogil
    cdef InflateResult finish(self) noexcept nogil
    cdef InflateResult inflate(self, const uint8_t* source, size_t n) noexcept nogil
    cdef InflateResult _pump(self, const uint8_t* source, size_t n) noexcept nogil

    cdef inline const uint8_t* data(self) noexcept nogil:
        """Where the message is.

        Shape    `size()` bytes.
        Units    bytes.
        Returns  never NULL, so that an empty message has an address too.
        Threads  that of `inflate`.
        Memory   lives until the next `begin`, `add`, `finish`, `inflate` or `clear`.
        Source   none.
        """
        if self.output.data == NULL:
            return <const uint8_t*> &self.stream
        return self.output.data

    cdef inline size_t size(self) noexcept nogil:
        """How many bytes the message has.

        Shape    none.
        Units    bytes.
        Returns  at most the limit, after INFLATED.
        Threads  that of `inflate`.
        Memory   none.
        Source   none.
        """
        return self.output.size

    cdef inline void clear(self) noexcept nogil:
        """Forget the message; give memory back if it was a big one. The context stays.

        Shape    none.
        Units    none.
        Returns  nothing.
        Threads  that of `inflate`.
        Memory   see `Assembly.clear`.
        Source   none.
        """
        self.output.clear()
