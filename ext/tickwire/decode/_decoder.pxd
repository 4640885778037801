"""A source's decoder, and the handler that each of its connections has."""

cimport cython
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t

from tickwire.decode._backfill_decoder cimport BackfillDecoder
from tickwire.decode._book_decoder cimport BookDecoder
from tickwire.decode._bytecode cimport Bytecode, RouteOp
from tickwire.decode._chain_decoder cimport ChainDecoder
from tickwire.decode._connection cimport Connection
from tickwire.decode._legs cimport Leg
from tickwire.decode._quarantine cimport Quarantine
from tickwire.decode._routing cimport Router
from tickwire.decode._stage cimport Outcome, Stage
from tickwire.decode._targets cimport Targets
from tickwire.decode._unpacker cimport Unpacker
from tickwire.decode._walk cimport Walker
from tickwire.observe._counter cimport Counter
from tickwire.observe._histogram cimport Histogram


@cython.final
cdef class MessageLimit:
    cdef readonly int64_t most      # data messages; 0: no end
    cdef readonly int64_t taken     # counted at the end of each read
    cdef readonly bint spent        # `most` have come; nothing more is taken


@cython.final
cdef class Decoder:
    cdef readonly object program
    cdef Bytecode bytecode
    cdef Targets targets
    cdef Stage stage
    cdef Walker walker
    cdef Router router
    cdef Unpacker unpacker          # None where no message holds another, as the next one
    cdef Router inner_router        # of the messages inside of others
    cdef BookDecoder books          # None without books that begin by REST
    cdef ChainDecoder chains        # None without others that are verified
    cdef readonly BackfillDecoder backfills
    cdef Histogram read_to_ring     # None: not measured
    cdef Quarantine quarantine
    cdef object symbols             # the feed's Dictionary of symbols
    cdef object venue
    cdef int16_t venue_code
    cdef Counter n_messages                 # data messages, whatever became of them
    cdef Counter n_bytes
    cdef Counter n_unknown
    cdef Counter n_unrequested
    cdef MessageLimit limit
    cdef int64_t n_in_read                  # data messages since begin_read, and their bytes:
    cdef int64_t bytes_in_read              # counted at its end
    cdef int64_t n_refused                  # messages that could not be decoded
    cdef uint8_t* repeats                   # by route: see `Program.repeats`
    cdef uint8_t* brings_books      # whether a route, or one inside of it, has rows of books
    # Of which kinds `on_look` has requested a message: unknown ones, and each route; and how many.
    cdef uint8_t* looks
    cdef int32_t n_looks
    cdef object on_look

    cdef inline int take(self, ConnectionDecoder connection, const uint8_t* payload, size_t n) \
        noexcept nogil
    cdef int take_of_leg(
        self, ConnectionDecoder connection, const uint8_t* payload, size_t n
    ) noexcept nogil
    cdef bint drain(self, ConnectionDecoder connection) noexcept nogil
    cdef inline int count(self, ConnectionDecoder connection, size_t n) noexcept nogil
    cdef int settle(
        self, ConnectionDecoder connection, int32_t route, Outcome outcome,
        const uint8_t* payload, size_t n
    ) noexcept nogil
    cdef int settle_inner(
        self, ConnectionDecoder connection, int32_t holder, const uint8_t* payload, size_t n
    ) noexcept nogil
    cdef Outcome unpack(self, RouteOp* route, const uint8_t** text, size_t* n) noexcept nogil
    cdef int refuse(
        self, ConnectionDecoder connection, Outcome outcome, const uint8_t* payload,
        size_t n
    ) noexcept nogil
    cdef void look(self, int32_t route, const uint8_t* payload, size_t n) noexcept nogil
    cdef void end(self, ConnectionDecoder connection) noexcept nogil
    cdef void publish(self, ConnectionDecoder connection) noexcept nogil


cdef class ConnectionDecoder(Connection):
    cdef readonly Decoder decoder
    cdef readonly Leg leg           # None: nothing else brings the same
