"""Trades once: which ids a source has delivered, per channel and symbol.

Theory. Ids alone decide; times do not, for a venue may repeat a trade under a later time. An id
greater than all that were delivered is new, and costs one comparison and one store into a circular
memory of the last ids, eight at a time: where a venue counts its trades up, nothing else happens.
Another id is looked up in a hash set that is filled from that memory when it is needed.

`undo` takes back what has been remembered since `begin`, for messages that count not at all.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

cdef enum Novelty:
    SEEN_NO_MEMORY = -1
    SEEN_BEFORE = 0
    SEEN_NEW = 1

cdef enum:
    TAIL_IDS = 8            # a cache line of ids

# What is always written comes first: with many symbols the rest is in no cache.
cdef struct SymbolIds:
    uint64_t greatest       # of all ids; 0 before the first
    int64_t n               # ids ever remembered
    uint64_t tail[TAIL_IDS]  # the last 1 to 8 of them: id number i at i % 8
    uint64_t* ids           # circular, those before the tail; no id is 0, see `_nonzero`
    uint32_t capacity       # of `ids`, a power of two
    uint32_t set_mask
    uint64_t* slots         # open addressing; 0 is free
    int64_t set_first       # ids [set_first, set_end) are in the set
    int64_t set_end

cdef struct Remembered:
    SymbolIds* symbol
    uint64_t greatest       # before
    uint64_t overwritten[TAIL_IDS]  # where the tail went into `ids`: the oldest, that stood there


cdef extern from "tickwire/step.h" nogil:
    ctypedef struct Warm "tw_warm":
        void** places
        int32_t n


@cython.final
cdef class Seen:
    cdef Warm* warm                 # by memory: its part of `by_symbol`, for who fetches ahead
    cdef SymbolIds** by_symbol      # [memory * n_symbols + symbol]; NULL before the first id
    cdef int32_t n_memories
    cdef int32_t n_symbols
    cdef Remembered* journal
    cdef size_t n_journal
    cdef size_t journal_capacity

    # New or not; a new id is remembered.
    cdef Novelty offer(self, int32_t memory, int32_t symbol, uint64_t trade) noexcept nogil
    cdef inline void begin(self) noexcept nogil:
        self.n_journal = 0
    cdef void undo(self) noexcept nogil

    cdef SymbolIds* _symbol(self, int32_t memory, int32_t symbol) noexcept nogil
    cdef inline bint _has_room(self, SymbolIds* ids) noexcept nogil
    cdef bint _grow_journal(self) noexcept nogil
