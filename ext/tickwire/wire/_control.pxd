"""The control frames of one connection that wait to be dealt with; see the implementation."""

cimport cython
from libc.stdint cimport int64_t, uint8_t

cdef enum:
    CONTROL_BYTES = 125  # RFC 6455 section 5.5: the largest payload of a control frame
    PING_SLOTS = 16      # pings that wait to be answered; past that the newest replaces the last


cdef struct ControlFrame:
    uint8_t n
    uint8_t payload[CONTROL_BYTES]


@cython.final
cdef class ControlQueue:
    cdef ControlFrame pings[PING_SLOTS]
    cdef int n_waiting_pings
    cdef ControlFrame pong       # the newest one
    cdef bint pong_waiting
    cdef ControlFrame close      # whole payload: code and reason
    cdef bint close_waiting
    cdef readonly int64_t n_pings   # received since the start
    cdef readonly int64_t n_pongs   # received since the start

    cdef void add(self, int opcode, const uint8_t* payload, size_t n) noexcept nogil
    cpdef list take(self)
