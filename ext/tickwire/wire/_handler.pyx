"""The base of all handlers; see the declaration."""

from libc.stdint cimport int64_t, uint8_t


cdef class Handler:
    cdef void begin_read(self, int64_t ts_recv_ns, int64_t mono_ns) noexcept nogil:
        self.ts_recv_ns = ts_recv_ns
        self.mono_ns = mono_ns

    cdef int on_message(self, int opcode, const uint8_t* payload, size_t n) noexcept nogil:
        return Verdict.TAKEN

    cdef void end_read(self) noexcept nogil:
        pass
