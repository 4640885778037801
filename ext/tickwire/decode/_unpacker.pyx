"""Base64 and deflate, into buffers that are kept."""

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport uint8_t
from libc.stdlib cimport free, malloc

from tickwire.wire._inflate cimport Inflater, InflateResult

from tickwire.errors import DecodeError

cdef extern from "tickwire/decode/base64.h" nogil:
    ptrdiff_t tw_base64(const uint8_t* p, size_t n, uint8_t* out)

_FORMS = ("deflate", "zlib", "gzip")     # by PackedForm


cdef class Unpacker:
    """Unpacks texts, one after the other.

    Parameters
    ----------
    most
        The most bytes that one may hold.
    """

    def __cinit__(self, size_t most):
        self.most = most
        self.deflate = Inflater(most, form="deflate")
        self.zlib = Inflater(most, form="zlib")
        self.gzip = Inflater(most, form="gzip")

    def __dealloc__(self):
        free(self.bytes)

    cdef bint room(self, size_t n) noexcept nogil:
        if n <= self.capacity:
            return True
        free(self.bytes)
        self.bytes = <uint8_t*>malloc(2 * n)
        self.capacity = 2 * n if self.bytes != NULL else 0
        return self.bytes != NULL

    cdef Unpacked unpack(self, int form, const uint8_t* text, size_t n, size_t most) noexcept nogil:
        """Turn a text into the bytes that it holds.

        Shape    n bytes of base64; what comes out is `text`, `n_text` bytes.
        Units    bytes.
        Returns  UNPACKED, or why not.
        Threads  the loop's thread only.
        Memory   own buffers, grown to the largest text and message; valid until the next.
        Source   the theory in the declaration; RFC 4648, 1950, 1951 and 1952.
        """
        cdef ptrdiff_t n_bytes
        if not self.room(n // 4 * 3 + 3):
            return UNPACK_NO_MEMORY
        n_bytes = tw_base64(text, n, self.bytes)
        if n_bytes < 0:
            return UNPACK_CORRUPT
        if form == PACKED_ZLIB:
            return self.inflate(self.zlib, <size_t>n_bytes, most)
        if form == PACKED_GZIP:
            return self.inflate(self.gzip, <size_t>n_bytes, most)
        return self.inflate(self.deflate, <size_t>n_bytes, most)

    cdef Unpacked inflate(self, Inflater inflater, size_t n, size_t most) noexcept nogil:
        """What the first n of the bytes hold."""
        cdef InflateResult result
        inflater.limit = min(most, self.most)
        result = inflater.inflate(self.bytes, n)
        self.text = inflater.data()
        self.n_text = inflater.size()
        if result == InflateResult.INFLATED:
            return UNPACKED
        if result == InflateResult.TOO_BIG:
            return UNPACK_TOO_BIG
        return UNPACK_NO_MEMORY if result == InflateResult.NO_MEMORY else UNPACK_CORRUPT

    def unpacked(self, bytes text, str form, size_t most):
        """Give what a text holds.

        Parameters
        ----------
        text
            Base64.
        form
            `deflate`, `zlib` or `gzip`.
        most
            The most bytes.

        Raises
        ------
        DecodeError
            It cannot be unpacked, or holds more; reason `inflate` or `too_long`.
        """
        cdef Unpacked result = self.unpack(
            _FORMS.index(form), <const uint8_t*>text, len(text), most
        )
        if result == UNPACK_TOO_BIG:
            raise DecodeError("too_long", f"holds more than {most} bytes")
        if result == UNPACK_NO_MEMORY:
            raise MemoryError
        if result != UNPACKED:
            raise DecodeError("inflate", "is no base64 of a compressed text")
        return (<const char*>self.text)[:self.n_text]
