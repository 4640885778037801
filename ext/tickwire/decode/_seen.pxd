"""Deduplicated trades: which ids a source has delivered, per channel and symbol.

Theory. Ids alone decide; times do not, for a venue may repeat a trade under a later time. An id
greater than all that were delivered is new, and costs one comparison and one store into a circular
memory of the last ids, eight at a time: where a venue counts its trades up, nothing else happens.
Another id is looked up in a hash set, into which all ids are put first that came since the last
look-up: none where a venue's ids are no sequence. Kernels do both by themselves (`tw_remember`);
`offer` makes what they ask for: memory, or the set anew. It also counts the ids that are not new.

With many symbols the memory of ids is in no cache, and a page for each costs more than its ids.
So the symbols of a group share pages: a row is a cache line of each. Where one is much busier than
its neighbours, their part of the rows that it comes to is in memory as well.

The set is open addressing by buckets of four slots, the first of which are taken. Nothing is ever
removed from its middle: it is made anew of the last KNOWN_IDS when half of its slots are taken.
So the last id that went into it can be taken out again, which leaves it as it was before.

`undo` takes back what has been remembered since `begin`, for messages that count not at all.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

cdef extern from "tickwire/decode/seen.h" nogil:
    enum:
        TAIL_IDS "TW_TAIL_IDS"
        FORGIVEN "TW_FORGIVEN"
        KNOWN_IDS "TW_KNOWN_IDS"
        LAST_IDS "TW_LAST_IDS"
        CHUNK_SYMBOLS "TW_CHUNK_SYMBOLS"
        GROUP_SYMBOLS "TW_GROUP_SYMBOLS"

    ctypedef enum Novelty "enum tw_novelty":
        SEEN_ASK "TW_SEEN_ASK"
        SEEN_BEFORE "TW_SEEN_BEFORE"
        SEEN_NEW "TW_SEEN_NEW"

    ctypedef struct SymbolIds "tw_symbol_ids":
        uint64_t greatest
        int64_t n
        uint64_t* ids
        uint64_t* slots
        uint32_t set_mask
        int64_t set_end
        int64_t set_full
        uint64_t* tail

    ctypedef struct Chunk "tw_chunk":
        SymbolIds* symbols
        uint64_t** rows

    ctypedef struct Remembered "tw_remembered":
        SymbolIds* symbol
        uint64_t greatest

    ctypedef struct Journal "tw_journal":
        Remembered* entries
        size_t n
        size_t capacity
        uint64_t (*saved)[TAIL_IDS]

    ctypedef struct Memory "tw_memory":
        Chunk** chunks
        uint32_t n_chunks
        Journal* journal


@cython.final
cdef class Seen:
    cdef Memory* memories
    cdef int32_t n_memories
    cdef Journal journal
    cdef int64_t duplicates         # ids offered that were not new
    cdef int64_t duplicates_before  # the message

    # New or not; a new id is remembered, another counted. SEEN_ASK: there is no memory.
    cdef Novelty offer(self, int32_t memory, int32_t symbol, uint64_t trade) noexcept nogil
    cdef inline void begin(self) noexcept nogil:
        self.journal.n = 0
        self.duplicates_before = self.duplicates
    cdef void undo(self) noexcept nogil

    cdef bint _make_room(self, int32_t memory, int32_t symbol, uint64_t trade) noexcept nogil
    cdef SymbolIds* _symbol(self, int32_t memory, int32_t symbol) noexcept nogil
    cdef Chunk* _chunk(self, Memory* memory, uint32_t number) noexcept nogil
    cdef bint _grow_chunks(self, Memory* memory, uint32_t number) noexcept nogil
    cdef bint _grow_journal(self) noexcept nogil
