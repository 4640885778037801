"""Deflating messages to send; see the implementation."""

cimport cython

from tickwire.wire._zlib cimport Zlib, z_stream


@cython.final
cdef class Deflater:
    cdef bint keep_context  # messages refer to those before them
    cdef const Zlib* zlib
    cdef z_stream stream
    cdef bint ready         # `stream` has memory of zlib's

    cdef int _pump(self, bytearray out, int flush) except -1
