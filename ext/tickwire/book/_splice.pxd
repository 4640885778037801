"""The splice of a REST snapshot into a stream of book deltas, symbol by symbol."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t

from tickwire.ring._admission cimport Admission


cdef struct SymbolState:
    uint8_t phase           # Phase
    uint8_t is_broken       # the chain broke since the last `take_broken`
    # SNAPPED: id of the snapshot; LIVE: last id of the last delta admitted.
    int64_t last_id
    # WAITING: ids of the oldest delta held, which the snapshot must reach.
    int64_t held_first
    int64_t held_prev
    int64_t n_held


@cython.final
cdef class BookSplice(Admission):
    cdef readonly str rule
    # Symbols that wait for a snapshot, and chains broken since the start: cheap to poll.
    cdef readonly int64_t n_waiting
    cdef readonly int64_t n_breaks
    cdef bint covers                # rule `first_covers`, else `first_is_next`
    cdef SymbolState* symbols       # owned; indexed by symbol code
    cdef int64_t n_symbols

    cdef bint grow(self, int64_t n) noexcept nogil
    cdef int hold(
        self, SymbolState* state, int64_t first, int64_t prev
    ) noexcept nogil
    cdef bint overlaps(self, int64_t last_id, int64_t first, int64_t prev) noexcept nogil
