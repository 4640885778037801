"""Control frames that wait to be dealt with: a fixed few, so that no peer can make them grow.

RFC 6455 section 5.5.3 lets an endpoint that has not yet answered some pings answer only the newest:
when all slots are taken, a new ping replaces the last one.
"""

cimport cython
from libc.stdint cimport uint8_t
from libc.string cimport memcpy

cdef enum:
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


cdef inline void _store(ControlFrame* slot, const uint8_t* payload, size_t n) noexcept nogil:
    slot.n = <uint8_t> n
    memcpy(slot.payload, payload, n)


cdef inline bytes _payload(const ControlFrame* slot):
    return (<const char*> slot.payload)[:slot.n]


@cython.final
cdef class ControlQueue:
    """Pings to answer, the newest pong, the close."""

    cdef void add(self, int opcode, const uint8_t* payload, size_t n) noexcept nogil:
        """Keep a control frame until `take`.

        Shape    n bytes at `payload`; n <= 125, which the parser has checked.
        Units    bytes.
        Returns  nothing.
        Threads  the parser's own.
        Memory   copied into fixed slots.
        Source   RFC 6455 section 5.5.
        """
        if opcode == PING:
            self.n_pings += 1
            if self.n_waiting_pings < PING_SLOTS:
                self.n_waiting_pings += 1
            _store(&self.pings[self.n_waiting_pings - 1], payload, n)
        elif opcode == PONG:
            self.n_pongs += 1
            self.pong_waiting = True
            _store(&self.pong, payload, n)
        elif opcode == CLOSE:
            self.close_waiting = True
            _store(&self.close, payload, n)

    cpdef list take(self):
        """All that waits, as (opcode, payload): pings in their order, the pong, the close."""
        cdef list frames = []
        cdef int i
        for i in range(self.n_waiting_pings):
            frames.append((PING, _payload(&self.pings[i])))
        if self.pong_waiting:
            frames.append((PONG, _payload(&self.pong)))
        if self.close_waiting:
            frames.append((CLOSE, _payload(&self.close)))
        self.n_waiting_pings = 0
        self.pong_waiting = False
        self.close_waiting = False
        return frames
