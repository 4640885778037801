"""A source's decoder, and the handler that each of its connections has."""

cimport cython
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t

from tickwire.decode._bytecode cimport Bytecode, RouteOp
from tickwire.decode._routing cimport Router
from tickwire.decode._stage cimport Labels, Outcome, Stage
from tickwire.decode._targets cimport Targets
from tickwire.decode._walk cimport Walker
from tickwire.observe._histogram cimport Histogram
from tickwire.ring._admission cimport Admission
from tickwire.ring._ring cimport Ring
from tickwire.wire._handler cimport Handler


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
    cdef Admission admission        # None without spliced books
    cdef Histogram read_to_ring     # None: not measured
    cdef Ring quarantine            # None: nothing is kept
    cdef object symbols             # the feed's Dictionary of symbols
    cdef object venue
    cdef int16_t venue_code
    cdef readonly int64_t messages          # data messages, whatever became of them
    cdef readonly int64_t bytes
    cdef readonly int64_t unknown_messages
    cdef readonly int64_t unrequested_messages
    cdef readonly int64_t quarantine_unkept  # messages that the quarantine had no room for
    cdef readonly int64_t quarantine_cut    # messages that it holds in part
    cdef MessageLimit limit
    cdef int64_t n_in_read                  # data messages since begin_read
    cdef dict _errors
    cdef dict held                          # symbol code -> deque of messages that wait
    cdef readonly int64_t held_bytes
    cdef int64_t hold_bytes
    cdef readonly int64_t held_dropped      # held messages that went past the bound
    cdef int64_t n_let_in                   # held messages whose rows were published
    cdef readonly int n_draining            # symbols whose held messages wait for room
    cdef dict draining                      # symbols that wait so -> what to call then, or None

    cdef inline int take(self, ConnectionDecoder connection, const uint8_t* payload, size_t n) \
        noexcept nogil
    cdef bint drain(self, ConnectionDecoder connection) noexcept nogil
    cdef inline int count(self, ConnectionDecoder connection, size_t n) noexcept nogil
    cdef int settle(
        self, ConnectionDecoder connection, int32_t route, Outcome outcome,
        const uint8_t* payload, size_t n
    ) noexcept nogil
    cdef int admit(
        self, ConnectionDecoder connection, RouteOp* route, const uint8_t* payload,
        size_t n
    ) noexcept nogil
    cdef int refuse(
        self, ConnectionDecoder connection, Outcome outcome, const uint8_t* payload,
        size_t n
    ) noexcept nogil
    cdef void end(self, ConnectionDecoder connection) noexcept nogil
    cdef int ask(self, RouteOp* route, int32_t symbol) noexcept nogil
    cdef bint _drain(self) noexcept
    cdef bint _drain_symbol(self, int32_t symbol) except -1
    cdef bint _admit_held(self, int32_t symbol, int32_t number) except -1
    cdef void publish(self, ConnectionDecoder connection) noexcept nogil


cdef class ConnectionDecoder(Handler):
    cdef readonly Decoder decoder
    cdef readonly int32_t conn
    cdef readonly int64_t first_message_ns  # ts_recv of the first data message, 0 before it
    cdef readonly int64_t last_message_ns   # and of the last
    cdef Labels labels
    cdef list events

    cdef inline void note_message(self) noexcept nogil:
        # When data flowed: a gap lasts from the last message before it to the first after.
        if self.first_message_ns == 0:
            self.first_message_ns = self.ts_recv_ns
        self.last_message_ns = self.ts_recv_ns
