"""The last step of a row: what all rows of a read share, and the cursor."""

from libc.stdint cimport int16_t, int32_t, int64_t

from tickwire.decode._targets cimport Targets

# Fill and publish all staged rows; gives their bytes.
cdef int64_t publish_staged(
    Targets targets, int16_t venue, int32_t conn, int64_t ts_recv_ns, int64_t mono_ns
) noexcept nogil
