"""Books that begin in band, in a source's decoder: asked of the follower, verified by checksums."""

cimport cython
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint64_t

from tickwire.book._checksum cimport BookChecksums
from tickwire.book._follower cimport BookFollower
from tickwire.book._positions cimport BookPositions
from tickwire.decode._bytecode cimport RouteOp
from tickwire.decode._connection cimport Connection
from tickwire.decode._legs cimport Leg
from tickwire.decode._stage cimport Outcome, Stage
from tickwire.ring._tw_ring cimport tw_ring


@cython.final
cdef class ChainDecoder:
    cdef BookFollower follower
    cdef BookChecksums checksums    # None without
    cdef BookPositions positions    # None where no level is named by its position
    cdef Stage stage
    cdef object routes              # of the program
    cdef bytes key                  # of the number of a connection's messages, as JSON has it
    cdef const uint8_t* key_text    # borrowed from it
    cdef size_t n_key
    cdef tw_ring* ring              # of the table `book`
    cdef int snapshot_column
    cdef int side_column
    cdef int price_column
    cdef int size_column
    cdef int time_column
    cdef int16_t ask                # the code of its side
    cdef int16_t bid
    # Of the message of a leg that is being taken; 0 of a connection that is none.
    cdef uint64_t hash
    cdef int64_t number             # the connection's count, as `hash_of` has found it
    cdef int32_t admitted           # the symbol whose change was; -1: none was

    # A message counts, where a connection's messages are counted; False: it has come before.
    cdef bint count(self, Connection connection, int32_t number, Outcome outcome) noexcept nogil
    # A copy of another connection's message counts as well, by the number in its text.
    cdef void count_copy(self, Connection connection) noexcept nogil
    # Of a message's text without its number: copies of other connections have others.
    cdef uint64_t hash_of(self, Leg leg, const uint8_t* payload, size_t n) noexcept nogil
    # Staged rows of a book are to be published; False: they were taken back.
    cdef bint admit(
        self, Connection connection, RouteOp* route, const uint8_t* payload, size_t n
    ) noexcept nogil

    cdef int64_t value(self, int32_t register) noexcept nogil
    cdef bint count_on(self, Connection connection, int64_t count) noexcept nogil
    cdef void mark_snapshot(self) noexcept nogil
    cdef bint place(self, int32_t symbol, bint is_snapshot) noexcept nogil
    cdef bint verify(
        self, RouteOp* route, int32_t symbol, bint is_snapshot, const uint8_t* payload, size_t n
    ) noexcept nogil
    cdef bint learn(self, RouteOp* route, int32_t symbol, bytes payload) except -1
