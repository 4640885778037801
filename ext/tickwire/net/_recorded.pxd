"""A handler whose messages are recorded; see the implementation."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t

from tickwire.capture._record_buffer cimport RecordBuffer
from tickwire.wire._handler cimport Handler


@cython.final
cdef class RecordedHandler(Handler):
    cdef readonly Handler inner    # takes the messages
    cdef RecordBuffer buffer
    cdef int32_t conn
    cdef int32_t origin            # see `capture.Recorder`
