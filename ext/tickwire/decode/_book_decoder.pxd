"""Spliced books in a source's decoder: deltas, held deltas and snapshots, asked of the splice."""

cimport cython
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t

from tickwire.book._rules cimport Delta
from tickwire.book._splice cimport BookSplice
from tickwire.decode._bytecode cimport RouteOp
from tickwire.decode._connection cimport Connection
from tickwire.decode._quarantine cimport Quarantine
from tickwire.decode._routing cimport Router
from tickwire.decode._stage cimport Stage


@cython.final
cdef class BookDecoder:
    cdef BookSplice splice
    cdef Router router
    cdef Stage stage
    cdef Quarantine quarantine
    cdef object symbols             # the feed's Dictionary of symbols
    cdef object venue
    cdef int16_t venue_code

    # Staged rows of a delta are to be published; False: they were taken back, and the delta is
    # held where it needs a snapshot.
    cdef bint admit(
        self, Connection connection, RouteOp* route, const uint8_t* payload, size_t n
    ) noexcept nogil
    # Publish the held deltas that are due; False: a ring is full.
    cdef bint release(self) except -1
    cdef str take_snapshot(
        self, int32_t number, bytes payload, str symbol, object ts_recv, int32_t conn, bint early
    )

    cdef Delta delta_of(self, RouteOp* route) noexcept nogil
    cdef int64_t publish(self, int32_t conn, object ts_recv, object mono) except -1
