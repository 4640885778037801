"""A source's decoder, and the handler that each of its connections has."""

cimport cython
from libc.stdint cimport int32_t, uint8_t

from tickwire.decode._bytecode cimport RouteOp
from tickwire.decode._connection cimport Connection
from tickwire.decode._decoder_state cimport DecoderState
from tickwire.decode._legs cimport Leg
from tickwire.decode._stage cimport Outcome


@cython.final
cdef class Decoder(DecoderState):
    cdef inline int take(self, ConnectionDecoder connection, const uint8_t* payload, size_t n) \
        noexcept nogil
    cdef int take_of_leg(
        self, ConnectionDecoder connection, const uint8_t* payload, size_t n
    ) noexcept nogil
    cdef int take_binary(
        self, ConnectionDecoder connection, const uint8_t* payload, size_t n
    ) noexcept nogil
    cdef bint drain(self, ConnectionDecoder connection) noexcept nogil
    cdef inline int count(self, ConnectionDecoder connection, size_t n) noexcept nogil
    cdef int settle(
        self, ConnectionDecoder connection, int32_t route, Outcome outcome,
        const uint8_t* payload, size_t n
    ) noexcept nogil
    cdef bint admit(
        self, ConnectionDecoder connection, RouteOp* route, const uint8_t* text, size_t n
    ) noexcept nogil
    cdef int settle_inner(
        self, ConnectionDecoder connection, int32_t holder, const uint8_t* payload, size_t n
    ) noexcept nogil
    cdef int refuse(
        self, ConnectionDecoder connection, Outcome outcome, const uint8_t* payload,
        size_t n
    ) noexcept nogil
    cdef void end(self, ConnectionDecoder connection) noexcept nogil
    cdef void publish(self, ConnectionDecoder connection) noexcept nogil


cdef class ConnectionDecoder(Connection):
    cdef readonly Decoder decoder
    cdef readonly Leg leg           # None: nothing else brings the same
