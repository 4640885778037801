"""The memory of delivered trade ids; the theory is in the declaration."""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

cdef extern from "tickwire/seen.h" nogil:
    uint64_t* tw_place_of_tail(const SymbolIds* ids)
    bint tw_remember_greatest(const Memory* memory, int32_t symbol, uint64_t trade)

cdef enum:
    FIRST_CAPACITY = 64
    MOST_SLOTS = 16384


cdef inline uint64_t _nonzero(uint64_t trade) noexcept nogil:
    return trade if trade else 0x9E3779B97F4A7C15


cdef inline uint64_t _mix(uint64_t trade) noexcept nogil:
    trade ^= trade >> 32
    trade *= <uint64_t>0x9E3779B97F4A7C15
    return trade ^ (trade >> 29)


cdef bint _in_set(SymbolIds* ids, uint64_t trade) noexcept nogil:
    cdef uint32_t at = <uint32_t>_mix(trade) & ids.set_mask
    while ids.slots[at]:
        if ids.slots[at] == trade:
            return True
        at = (at + 1) & ids.set_mask
    return False


cdef void _insert(SymbolIds* ids, uint64_t trade) noexcept nogil:
    cdef uint32_t at = <uint32_t>_mix(trade) & ids.set_mask
    while ids.slots[at]:
        if ids.slots[at] == trade:
            return
        at = (at + 1) & ids.set_mask
    ids.slots[at] = trade


cdef bint _fill_set(SymbolIds* ids) noexcept nogil:
    """Bring the set up to date; rebuild it when half of its slots would be taken."""
    cdef int64_t tail_first = (ids.n - 1) // TAIL_IDS * TAIL_IDS
    cdef int64_t held = min(ids.n, ids.n - tail_first + <int64_t>ids.capacity)
    cdef int64_t first = ids.set_end
    cdef uint32_t wanted
    cdef uint64_t* slots
    cdef bint in_tail
    if ids.set_end < ids.n - held or 2 * (ids.n - ids.set_first) > <int64_t>ids.set_mask:
        wanted = min(4 * ids.capacity, <uint32_t>MOST_SLOTS)
        if ids.set_mask + 1 != wanted:
            slots = <uint64_t*>malloc(wanted * sizeof(uint64_t))
            if slots == NULL:
                return False
            free(ids.slots)
            ids.slots = slots
            ids.set_mask = wanted - 1
        memset(ids.slots, 0, wanted * sizeof(uint64_t))
        # Half of a full memory, so that the other half pays for it; what is older than that may
        # have been put over by a message that was taken back.
        first = ids.n - min(held, <int64_t>LAST_IDS >> 1)
        ids.set_first = first
    while first < ids.n:
        in_tail = first >= tail_first
        _insert(
            ids,
            ids.tail[first % TAIL_IDS] if in_tail else ids.ids[first & (ids.capacity - 1)],
        )
        first += 1
    ids.set_end = ids.n
    return True


cdef bint _grow(SymbolIds* ids) noexcept nogil:
    cdef uint64_t* grown = <uint64_t*>realloc(ids.ids, 2 * ids.capacity * sizeof(uint64_t))
    if grown == NULL:
        return False
    # The memory was full and has not wrapped, so positions stay what they are.
    memset(grown + ids.capacity, 0, ids.capacity * sizeof(uint64_t))
    ids.ids = grown
    ids.capacity *= 2
    return True


cdef class Seen:
    """Which trade ids have been delivered.

    Parameters
    ----------
    n_memories
        Kinds of trades whose ids must not be compared with each other's.
    """

    def __cinit__(self, int n_memories):
        cdef int i
        self.n_memories = n_memories
        self.memories = <Memory*>calloc(max(n_memories, 1), sizeof(Memory))
        if self.memories == NULL:
            raise MemoryError
        for i in range(n_memories):
            self.memories[i].journal = &self.journal

    def __dealloc__(self):
        cdef SymbolIds* ids
        cdef int i
        cdef int32_t symbol
        if self.memories != NULL:
            for i in range(self.n_memories):
                for symbol in range(self.memories[i].n_symbols):
                    ids = self.memories[i].symbols[symbol]
                    if ids != NULL:
                        free(ids.ids)
                        free(ids.slots)
                        free(ids)
                free(self.memories[i].symbols)
        free(self.memories)
        free(self.journal.entries)
        free(self.saved)

    def admit(self, int memory, int symbol, unsigned long long trade):
        """Offer one id from Python: True where it is new."""
        cdef Novelty novelty = self.offer(memory, symbol, trade)
        if novelty == SEEN_NO_MEMORY:
            raise MemoryError
        return novelty == SEEN_NEW

    def mark(self):
        """Start what `forget` takes back."""
        self.begin()

    def forget(self):
        """Take back the ids remembered since `mark`."""
        self.undo()

    cdef Novelty offer(self, int32_t memory, int32_t symbol, uint64_t trade) noexcept nogil:
        """Say whether an id is new, and remember it.

        Shape    one id of one symbol.
        Units    ids are numbers or 64-bit hashes of texts.
        Returns  SEEN_NEW, SEEN_BEFORE, or SEEN_NO_MEMORY. Never raises.
        Threads  the loop's thread only.
        Memory   64 KB per symbol at most for ids, 128 KB more where lookups are needed; grown in
                 steps, so that steady state allocates nothing.
        Source   docs/design.md, "From messages to rows": trades once.
        """
        cdef SymbolIds* ids
        cdef Remembered* entry
        if tw_remember_greatest(&self.memories[memory], symbol, trade):
            return SEEN_NEW
        ids = self._symbol(memory, symbol)
        if ids == NULL:
            return SEEN_NO_MEMORY
        trade = _nonzero(trade)
        if trade <= ids.greatest:
            if not _fill_set(ids):
                return SEEN_NO_MEMORY
            if _in_set(ids, trade):
                return SEEN_BEFORE
        if not self._has_room(ids):
            return SEEN_NO_MEMORY
        entry = &self.journal.entries[self.journal.n]
        entry.symbol = ids
        entry.greatest = ids.greatest
        self.journal.n += 1
        if ids.n % TAIL_IDS == 0 and ids.n:
            if self.journal.n > FORGIVEN and not self._save(tw_place_of_tail(ids)):
                self.journal.n -= 1
                return SEEN_NO_MEMORY
            memcpy(tw_place_of_tail(ids), ids.tail, sizeof(ids.tail))
        ids.tail[ids.n % TAIL_IDS] = trade
        ids.n += 1
        if trade > ids.greatest:
            ids.greatest = trade
        return SEEN_NEW

    cdef inline bint _has_room(self, SymbolIds* ids) noexcept nogil:
        """Room for one more id and its entry in the journal."""
        if ids.n == <int64_t>ids.capacity + TAIL_IDS and ids.capacity < LAST_IDS:
            if not _grow(ids):
                return False
        return self.journal.n < self.journal.capacity or self._grow_journal()

    cdef bint _grow_journal(self) noexcept nogil:
        cdef size_t capacity = max(<size_t>64, 2 * self.journal.capacity)
        cdef Remembered* grown = <Remembered*>realloc(
            self.journal.entries, capacity * sizeof(Remembered)
        )
        if grown == NULL:
            return False
        self.journal.entries = grown
        self.journal.capacity = capacity
        return True

    cdef bint _save(self, const uint64_t* ids) noexcept nogil:
        """Keep what the journal's last entry puts its tail over."""
        cdef size_t at = self.journal.n - 1 - FORGIVEN
        cdef size_t capacity = max(<size_t>1024, 2 * self.saved_capacity)
        cdef uint64_t* grown
        if at >= self.saved_capacity:
            while capacity <= at:
                capacity *= 2
            grown = <uint64_t*>realloc(self.saved, capacity * TAIL_IDS * sizeof(uint64_t))
            if grown == NULL:
                return False
            self.saved = grown
            self.saved_capacity = capacity
        memcpy(self.saved + at * TAIL_IDS, ids, TAIL_IDS * sizeof(uint64_t))
        return True

    cdef void undo(self) noexcept nogil:
        """Forget the ids remembered since `begin`, the last first.

        Where one of the first of them put a tail away, the oldest eight ids are gone; what stands
        in their place counts no more. They are not of the last LAST_IDS / 2.
        """
        cdef Remembered* entry
        cdef SymbolIds* ids
        cdef uint64_t* place
        while self.journal.n:
            self.journal.n -= 1
            entry = &self.journal.entries[self.journal.n]
            ids = entry.symbol
            ids.n -= 1
            ids.greatest = entry.greatest
            if ids.n % TAIL_IDS == 0 and ids.n:
                place = tw_place_of_tail(ids)
                memcpy(ids.tail, place, sizeof(ids.tail))
                if self.journal.n >= FORGIVEN:
                    memcpy(
                        place,
                        self.saved + (self.journal.n - FORGIVEN) * TAIL_IDS,
                        sizeof(ids.tail),
                    )
                else:
                    ids.set_end = -1    # the next lookup rebuilds the set, without those
            if ids.set_end > ids.n:
                ids.set_end = -1    # it holds the id

    cdef SymbolIds* _symbol(self, int32_t number, int32_t symbol) noexcept nogil:
        cdef Memory* memory = &self.memories[number]
        cdef SymbolIds* made
        if symbol >= memory.n_symbols and not self._grow_symbols(memory, symbol):
            return NULL
        if memory.symbols[symbol] == NULL:
            made = <SymbolIds*>calloc(1, sizeof(SymbolIds))
            if made == NULL:
                return NULL
            made.ids = <uint64_t*>calloc(FIRST_CAPACITY, sizeof(uint64_t))
            if made.ids == NULL:
                free(made)
                return NULL
            made.capacity = FIRST_CAPACITY
            memory.symbols[symbol] = made
        return memory.symbols[symbol]

    cdef bint _grow_symbols(self, Memory* memory, int32_t symbol) noexcept nogil:
        cdef int32_t n = max(64, memory.n_symbols)
        cdef SymbolIds** grown
        while n <= symbol:
            n *= 2
        grown = <SymbolIds**>realloc(memory.symbols, n * sizeof(SymbolIds*))
        if grown == NULL:
            return False
        memset(grown + memory.n_symbols, 0, (n - memory.n_symbols) * sizeof(SymbolIds*))
        memory.symbols = grown
        memory.n_symbols = n
        return True
