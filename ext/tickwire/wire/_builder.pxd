"""Frames as bytes; see the implementation."""

from libc.stdint cimport uint8_t, uint64_t

cdef enum:
    HEADER_BYTES = 14  # the longest header: 2, 8 of length, 4 of mask key


cdef size_t build_header(
    uint8_t* out, uint8_t first, uint64_t n, const uint8_t* key
) noexcept nogil
