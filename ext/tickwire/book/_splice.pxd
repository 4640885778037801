"""The splice of a REST snapshot into a stream of book deltas, symbol by symbol."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t

from tickwire.book._held cimport HeldDelta, HeldDeltas
from tickwire.book._news cimport BookNews
from tickwire.book._rules cimport Delta, Rule

cdef enum Admit:
    ADMIT = 0   # publish the rows
    HOLD = 1    # the snapshot has not come: take them back and hold the delta
    REFUSE = 2  # older than the book: take them back and forget them

cdef struct SymbolState:
    uint8_t phase           # Phase
    uint8_t is_broken       # the chain broke since the last `take_broken`
    # SNAPPED: id of the snapshot; LIVE: last id of the last delta admitted.
    int64_t last_id
    int64_t n_missing       # ids, at the break; 0 where they do not tell
    uint8_t is_ahead        # the delta held first leaves a hole, which another connection may fill
    int64_t ahead_id        # last_id then
    int64_t ahead_ns        # since when, by the monotonic clock


@cython.final
cdef class BookSplice(BookNews):
    cdef readonly str rule
    cdef readonly HeldDeltas held
    # Symbols that have their snapshot and whose held deltas are not published yet. The decoder
    # looks before each message: they come before whatever is newer.
    cdef readonly int64_t n_releasing
    # Several connections bring the deltas: a hole may be filled by another one.
    cdef public bint is_shared
    cdef dict releasing             # symbol code -> whether its connection has ended since
    cdef const Rule* compare        # static
    cdef SymbolState* symbols       # owned; indexed by symbol code

    cdef int admit(self, int32_t symbol, const Delta* delta) noexcept nogil
    # What `admit` said HOLD to. The payload is copied by the caller.
    cdef int hold(
        self, int32_t symbol, const Delta* delta, bytes payload, int64_t ts_recv_ns,
        int64_t mono_ns, int32_t conn, object origin
    ) except -1
    # The delta that goes next, None where none does. Decode it, then `settle` or `discard` it.
    cdef HeldDelta next_due(self)
    # Says ADMIT where its rows are to be published, else they are to be taken back.
    cdef int settle(self, HeldDelta held) except -1
    cdef int discard(self, HeldDelta held) except -1

    cdef bint grow(self, int64_t n) noexcept nogil
    cdef int await_snapshot(self, SymbolState* state) noexcept nogil
    cdef int await_other(self, SymbolState* state) noexcept nogil
    cdef void break_chain(self, SymbolState* state, const Delta* delta) noexcept nogil
    cdef void catch_up(self, SymbolState* state) noexcept nogil
    cdef int stop_releasing(self, int32_t symbol) except -1
