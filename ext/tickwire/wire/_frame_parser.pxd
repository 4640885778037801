"""The frame parser for Python, sans-I/O: bytes in, messages out."""

cimport cython

from tickwire.wire._parser cimport Parser
from tickwire.wire._queue cimport MessageQueue


@cython.final
cdef class FrameParser(Parser):
    # Only `receive` uses these.
    cdef MessageQueue inbox
    cdef bytearray rest               # bytes of an unfinished frame
    cdef list found                   # and not given yet
