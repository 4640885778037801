"""What receives the messages that the frame parser finds.

The parser (or a carrier that has frames already) calls `begin_read` once per read, `on_message` for
each complete data message, `end_read` after the last. The payload is borrowed: it lives until
`on_message` returns.
"""

from libc.stdint cimport int64_t, uint8_t

cdef enum Verdict:
    TAKEN = 0    # done with; go on
    BLOCKED = 1  # no room: keep the bytes, stop reading, offer the message again later
    HALT = 2     # done with, and stop after this message: the caller asked for the end


cdef class Handler:
    # Set by `begin_read`; wall and monotonic time of the read that completed the message, ns.
    cdef int64_t ts_recv_ns
    cdef int64_t mono_ns
    # Set by the handler when it holds something for the session (an acknowledgement, a ping);
    # cleared by its reader. The carrier looks at it once per read.
    cdef public bint has_events
    # What the handler has written, bytes; its reader sets it to 0. A carrier that can rest
    # does so when this is much, so that rows are taken while the cache still has them.
    cdef int64_t n_written_bytes

    cdef void begin_read(self, int64_t ts_recv_ns, int64_t mono_ns) noexcept nogil
    cdef int on_message(self, int opcode, const uint8_t* payload, size_t n) noexcept nogil
    cdef void end_read(self) noexcept nogil
