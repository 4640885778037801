"""A source's decoder: its parts and its figures."""

cimport cython
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t

from tickwire.decode._backfill_decoder cimport BackfillDecoder
from tickwire.decode._book_decoder cimport BookDecoder
from tickwire.decode._bytecode cimport Bytecode
from tickwire.decode._chain_decoder cimport ChainDecoder
from tickwire.decode._connection cimport Connection
from tickwire.decode._inner_decoder cimport InnerDecoder
from tickwire.decode._looks cimport Looks
from tickwire.decode._quarantine cimport Quarantine
from tickwire.decode._routing cimport Router
from tickwire.decode._stage cimport Stage
from tickwire.decode._targets cimport Targets
from tickwire.decode._walk cimport Walker
from tickwire.observe._counter cimport Counter
from tickwire.observe._histogram cimport Histogram


@cython.final
cdef class MessageLimit:
    cdef readonly int64_t most      # data messages; 0: no end
    cdef readonly int64_t taken     # counted at the end of each read
    cdef readonly bint spent        # `most` have come; nothing more is taken


# Compiled modules derive from it; Python has no use for it by itself.
cdef class DecoderState:
    cdef readonly object program
    cdef Bytecode bytecode
    cdef Targets targets
    cdef Stage stage
    cdef Walker walker
    cdef Router router
    cdef InnerDecoder inner         # None where no message holds another
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
    cdef Looks looks
    cdef int64_t* n_of_route        # messages of each declared kind, whatever became of them

    # An acknowledgement of a route may give a number a symbol, for what follows it.
    cdef int name_number(self, Connection connection, int32_t route, bytes payload) except -1
