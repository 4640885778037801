"""Deduplicated trades: which ids a source has delivered, per channel and symbol.

Theory. Ids decide first; a time alone never does. An id greater than all that were delivered is
new, and costs one comparison and one store into a circular memory of the last ids, eight at a time:
where a venue counts its trades up, nothing else happens. Another id is looked up in a hash set,
into which all ids are put first that came since the last look-up: none where a venue's ids are no
sequence. Kernels do both by themselves (`tw_remember`); `offer` makes what they ask for: memory, or
the set anew. It also counts the ids that are not new.

A venue's ids may be no key by themselves. Each id has a print of its trade's time and price. Where
that differs, the trade is another one: it is new, counted as conflicting, and remembered under a
key of its id and its print, which is an id like the others but never the greatest.

With many symbols the memory of ids is in no cache, and a page for each costs more than its ids.
So the symbols of a group share pages: a row is eight ids of each, with their prints. Where one is
much busier than its neighbours, their part of the rows that it comes to is in memory as well.

The set is open addressing by buckets of four slots, the first of which are taken. Nothing is ever
removed from its middle: it is made anew of the last KNOWN_IDS when half of its slots are taken.
So the last id that went into it can be taken out again, which leaves it as it was before.

`undo` takes back what has been remembered since `begin`, for messages that count not at all.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef extern from "tickwire/decode/trade_key.h" nogil:
    # What tells one trade from another: the number that its id spells, else a hash of its text.
    uint64_t tw_trade_key(const uint8_t* p, size_t n)

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

    ctypedef struct TradeFacts "tw_trade_facts":
        const int64_t* time
        const int64_t* price

    ctypedef struct Eight "tw_eight":
        uint64_t* ids
        uint32_t* prints

    ctypedef struct SymbolIds "tw_symbol_ids":
        uint64_t greatest
        int64_t n
        Eight* eights
        uint64_t* slots
        uint32_t set_mask
        int64_t set_end
        int64_t set_full
        int64_t again
        Eight tail

    ctypedef struct Chunk "tw_chunk":
        SymbolIds* symbols
        Eight** rows

    ctypedef struct Remembered "tw_remembered":
        SymbolIds* symbol
        uint64_t greatest

    ctypedef struct Journal "tw_journal":
        Remembered* entries
        size_t n
        size_t capacity
        Eight* saved

    ctypedef struct Memory "tw_memory":
        Chunk** chunks
        uint32_t n_chunks
        Journal* journal


@cython.final
cdef class Seen:
    cdef Memory* memories
    cdef int32_t n_memories
    cdef Journal journal
    cdef int64_t duplicates         # trades offered that were not new
    cdef int64_t conflicts          # new ones whose id another trade had
    cdef int64_t duplicates_before  # the message
    cdef int64_t conflicts_before

    # New or not; a new trade is remembered, another counted. SEEN_ASK: there is no memory.
    cdef Novelty offer(
        self, int32_t memory, int32_t symbol, uint64_t trade, const TradeFacts* facts
    ) noexcept nogil
    cdef Novelty _remember(
        self, int32_t memory, int32_t symbol, uint64_t trade, const TradeFacts* facts
    ) noexcept nogil
    cdef Novelty _remember_another(
        self, int32_t memory, int32_t symbol, uint64_t trade, const TradeFacts* facts
    ) noexcept nogil
    cdef Novelty _remember_key(
        self, int32_t memory, int32_t symbol, uint64_t key, const TradeFacts* facts
    ) noexcept nogil
    cdef inline void begin(self) noexcept nogil:
        self.journal.n = 0
        self.duplicates_before = self.duplicates
        self.conflicts_before = self.conflicts
    cdef void undo(self) noexcept nogil

    cdef bint _make_room(self, int32_t memory, int32_t symbol, uint64_t trade) noexcept nogil
    cdef SymbolIds* _symbol(self, int32_t memory, int32_t symbol) noexcept nogil
    cdef Chunk* _chunk(self, Memory* memory, uint32_t number) noexcept nogil
    cdef bint _grow_chunks(self, Memory* memory, uint32_t number) noexcept nogil
    cdef bint _grow_journal(self) noexcept nogil
