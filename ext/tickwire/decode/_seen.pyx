"""The memory of delivered trade ids; the theory is in the declaration."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

cdef extern from "tickwire/base/hash.h" nogil:
    uint64_t tw_fold_multiply(uint64_t a, uint64_t b)

cdef extern from "tickwire/decode/seen.h" nogil:
    SymbolIds* tw_ids_of(const Memory* memory, uint32_t symbol)
    Eight* tw_place_of_tail(const SymbolIds* ids)
    Eight* tw_eight_of(const SymbolIds* ids, int64_t i)
    uint32_t tw_print_of(const TradeFacts* facts)
    bint tw_was_another(const SymbolIds* ids, uint64_t trade, uint32_t print_)
    uint64_t* tw_slot_of(const SymbolIds* ids, uint64_t trade)
    void tw_put_into_set(SymbolIds* ids, int64_t first)
    bint tw_catch_up(SymbolIds* ids)
    Novelty tw_remember(const Memory* memory, int32_t symbol, uint64_t trade,
                        const TradeFacts* facts,
                        uint64_t* (*slot_of)(const SymbolIds* ids, uint64_t trade))

cdef extern from "stdlib.h" nogil:
    void* aligned_alloc(size_t alignment, size_t size)

# An id in its own right too, but not one that a venue gives.
cdef uint64_t STANDS_FOR_0 = 0x9E3779B97F4A7C15
cdef uint64_t MOST_UINT64 = 0xFFFFFFFFFFFFFFFF
cdef uint64_t[2] KEY_OF_ANOTHER = [0xA0761D6478BD642F, 0xD6E8FEB86659FD93]

cdef enum:
    LEAST_SLOTS = 512
    MOST_SLOTS = 2 * LAST_IDS
    CACHE_LINE = 64
    GROUPS = CHUNK_SYMBOLS // GROUP_SYMBOLS


cdef inline void* _lines_of(size_t n_bytes) noexcept nogil:
    """Room that begins a cache line."""
    return aligned_alloc(CACHE_LINE, n_bytes)


cdef inline uint32_t _slots_for(int64_t n_ids) noexcept nogil:
    """Slots of a set of so many ids: four to eight times as many, within bounds."""
    cdef uint32_t n_slots = LEAST_SLOTS
    while n_slots < MOST_SLOTS and n_slots < 4 * n_ids:
        n_slots *= 2
    return n_slots


cdef bint _make_set(SymbolIds* ids) noexcept nogil:
    """Make the set anew where it is not ready: without the ids that need not be known."""
    cdef uint32_t n_slots = _slots_for(ids.n)
    cdef uint64_t* slots
    cdef int64_t first
    if tw_catch_up(ids):
        return True
    if ids.slots == NULL or ids.set_mask + 1 != n_slots:
        slots = <uint64_t*>_lines_of(n_slots * sizeof(uint64_t))
        if slots == NULL:
            return False
        free(ids.slots)
        ids.slots = slots
        ids.set_mask = n_slots - 1
    memset(ids.slots, 0, n_slots * sizeof(uint64_t))
    # Half of what it can hold at most, so that the other half pays for it.
    first = max(<int64_t>0, ids.n - KNOWN_IDS)
    ids.set_full = first + (n_slots >> 1)
    tw_put_into_set(ids, first)
    return True


cdef void _take_out(SymbolIds* ids, uint64_t trade) noexcept nogil:
    """The set without the last of its ids, which is the last that was put into its slots."""
    tw_slot_of(ids, trade)[0] = 0
    ids.set_end = ids.n
    # It may have been made anew since the message began.
    if ids.set_full - ((ids.set_mask + 1) >> 1) > max(<int64_t>0, ids.n - KNOWN_IDS):
        ids.set_full = 0
        ids.set_end = 0


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
        cdef Memory* memory
        cdef Chunk* chunk
        cdef uint32_t number
        cdef int i, symbol, group
        if self.memories != NULL:
            for i in range(self.n_memories):
                memory = &self.memories[i]
                for number in range(memory.n_chunks):
                    chunk = memory.chunks[number]
                    if chunk != NULL:
                        for symbol in range(CHUNK_SYMBOLS):
                            free(chunk.symbols[symbol].slots)
                        for group in range(GROUPS):
                            free(chunk.rows[group])
                        free(chunk)
                free(memory.chunks)
        free(self.memories)
        free(self.journal.entries)
        free(self.journal.saved)

    @property
    def n_duplicates(self):
        """Trades offered that were not new."""
        return self.duplicates

    @property
    def n_conflicts(self):
        """New trades whose id another one had."""
        return self.conflicts

    def admit(self, int memory, int symbol, unsigned long long trade, unsigned int print_=0):
        """Offer one trade from Python: True where it is new."""
        cdef int64_t time = print_
        cdef int64_t price = 0
        cdef TradeFacts facts = TradeFacts(time=&time, price=&price)
        cdef Novelty novelty = self.offer(memory, symbol, trade, &facts)
        if novelty == SEEN_ASK:
            raise MemoryError
        return novelty == SEEN_NEW

    def offsets(self, int symbol):
        """Give the greatest id less the number of ids, of each kind of trades that a symbol has.

        As long as these do not change, and trades come, their ids count up by one: none is missing.
        """
        cdef SymbolIds* ids
        cdef int i
        found = []
        for i in range(self.n_memories):
            ids = tw_ids_of(&self.memories[i], symbol)
            if ids != NULL and ids.n:
                found.append(ids.greatest - <uint64_t>ids.n)
        return tuple(found)

    def newest(self, int memory, int symbol):
        """Give a symbol's greatest id, and how many ids have been remembered of it.

        Returns
        -------
        (int, int)
            Twice 0 where none was.
        """
        cdef SymbolIds* ids = tw_ids_of(&self.memories[memory], symbol)
        if ids == NULL:
            return 0, 0
        return ids.greatest, ids.n

    def ids_after(self, int memory, int symbol, unsigned long long trade):
        """Give a symbol's ids that are greater than one, in their order.

        Parameters
        ----------
        memory, symbol
            Whose.
        trade
            The one.

        Returns
        -------
        list of int
            Of the last 4,096 that were remembered.
        """
        cdef SymbolIds* ids = tw_ids_of(&self.memories[memory], symbol)
        cdef int64_t i, tail_first
        cdef Eight* eight
        found = []
        if ids == NULL or ids.n == 0:
            return found
        tail_first = (ids.n - 1) // TAIL_IDS * TAIL_IDS
        for i in range(max(<int64_t>0, ids.n - KNOWN_IDS), ids.n):
            eight = &ids.tail if i >= tail_first else tw_eight_of(ids, i - i % TAIL_IDS)
            if trade < eight.ids[i % TAIL_IDS] <= ids.greatest:
                found.append(eight.ids[i % TAIL_IDS])
        return sorted(found)

    def take_again(self, int symbol):
        """Give the time of a symbol's oldest trade that came again since the last call, in ns.

        Returns
        -------
        int
            0 where none did, or none had a time.
        """
        cdef SymbolIds* ids
        cdef int64_t oldest = 0
        cdef int i
        for i in range(self.n_memories):
            ids = tw_ids_of(&self.memories[i], symbol)
            if ids != NULL and ids.again:
                oldest = min(oldest, ids.again) if oldest else ids.again
                ids.again = 0
        return oldest

    def remember(self, int memory, symbols, offsets, texts, times, prices):
        """Remember trades that were delivered before this run; nothing is counted.

        Parameters
        ----------
        memory
            Of which kind.
        symbols
            The code of each trade's symbol, int32; -1: it is left out.
        offsets, texts
            Where the text of each id begins, int32, one more than trades; and their bytes.
        times, prices
            Of each: ns since the epoch, the least int64 where there is none; float64.

        Returns
        -------
        int
            How many were not known.
        """
        cdef const int32_t[::1] codes = symbols
        cdef const int32_t[::1] starts = offsets
        cdef const uint8_t[::1] data = texts
        cdef const int64_t[::1] when = times
        cdef const double[::1] price = prices
        cdef int64_t n = codes.shape[0], i, n_new = 0
        cdef int64_t duplicates = self.duplicates, conflicts = self.conflicts
        cdef TradeFacts facts
        cdef Novelty novelty = SEEN_BEFORE
        cdef const uint8_t* text = NULL
        if not (
            0 <= memory < self.n_memories
            and starts.shape[0] == n + 1 and when.shape[0] == n and price.shape[0] == n
            and (n == 0 or (0 <= starts[0] and starts[n] <= data.shape[0]))
        ):
            raise ValueError("these are not columns of as many trades")
        for i in range(n):
            if starts[i] > starts[i + 1]:
                raise ValueError("an id ends before it begins")
        if data.shape[0]:
            text = &data[0]
        with nogil:
            for i in range(n):
                if codes[i] < 0:
                    continue
                facts.time = &when[i]
                facts.price = <const int64_t*>&price[i]
                self.begin()
                novelty = self.offer(
                    memory, codes[i],
                    tw_trade_key(text + starts[i], <size_t>(starts[i + 1] - starts[i])), &facts,
                )
                if novelty == SEEN_ASK:
                    break
                n_new += novelty == SEEN_NEW
                self._symbol(memory, codes[i]).again = 0
        self.begin()
        self.duplicates, self.conflicts = duplicates, conflicts
        if novelty == SEEN_ASK:
            raise MemoryError
        return n_new

    def mark(self):
        """Start what `forget` takes back."""
        self.begin()

    def forget(self):
        """Take back the ids remembered and the duplicates counted since `mark`."""
        self.undo()

    cdef Novelty offer(
        self, int32_t memory, int32_t symbol, uint64_t trade, const TradeFacts* facts
    ) noexcept nogil:
        """Say whether a trade is new, and remember it.

        Shape    one trade of one symbol.
        Units    ids are numbers or 64-bit hashes of texts.
        Returns  SEEN_NEW or SEEN_BEFORE; SEEN_ASK where there is no memory. Never raises.
        Threads  the loop's thread only.
        Memory   768 KB per eight symbols at most for ids, of which only what was written counts;
                 128 KB per symbol more where lookups are needed. Steady state allocates nothing.
        Source   docs/design.md, "From messages to rows": trades are deduplicated.
        """
        cdef Novelty novelty
        cdef SymbolIds* ids
        if trade:
            novelty = self._remember(memory, symbol, trade, facts)
        else:
            trade = STANDS_FOR_0
            novelty = self._remember_key(memory, symbol, trade, facts)
        if novelty == SEEN_BEFORE and tw_was_another(
            self._symbol(memory, symbol), trade, tw_print_of(facts)
        ):
            novelty = self._remember_another(memory, symbol, trade, facts)
            self.conflicts += novelty == SEEN_NEW
        if novelty == SEEN_BEFORE:
            self.duplicates += 1
            ids = self._symbol(memory, symbol)
            if ids.again == 0 or facts.time[0] < ids.again:
                ids.again = facts.time[0]
        return novelty

    cdef Novelty _remember(
        self, int32_t memory, int32_t symbol, uint64_t trade, const TradeFacts* facts
    ) noexcept nogil:
        """Remember an id if it is new, with room made for it."""
        cdef Novelty novelty = tw_remember(
            &self.memories[memory], symbol, trade, facts, tw_slot_of
        )
        if novelty != SEEN_ASK:
            return novelty
        if not self._make_room(memory, symbol, trade):
            return SEEN_ASK
        return tw_remember(&self.memories[memory], symbol, trade, facts, tw_slot_of)

    cdef Novelty _remember_another(
        self, int32_t memory, int32_t symbol, uint64_t trade, const TradeFacts* facts
    ) noexcept nogil:
        """Remember a trade whose id another one had, if it is new."""
        cdef uint64_t key = tw_fold_multiply(
            trade ^ KEY_OF_ANOTHER[0], tw_print_of(facts) ^ KEY_OF_ANOTHER[1]
        )
        return self._remember_key(memory, symbol, key if key else STANDS_FOR_0, facts)

    cdef Novelty _remember_key(
        self, int32_t memory, int32_t symbol, uint64_t key, const TradeFacts* facts
    ) noexcept nogil:
        """Remember what stands for an id, if it is new.

        It is looked up in the set, and is never the greatest id, whatever number it is.
        """
        cdef SymbolIds* ids = self._symbol(memory, symbol)
        cdef uint64_t greatest
        cdef Novelty novelty
        if ids == NULL:
            return SEEN_ASK
        greatest = ids.greatest
        ids.greatest = MOST_UINT64
        novelty = self._remember(memory, symbol, key, facts)
        ids.greatest = greatest
        if novelty == SEEN_NEW:
            self.journal.entries[self.journal.n - 1].greatest = greatest
        return novelty

    cdef bint _make_room(self, int32_t memory, int32_t symbol, uint64_t trade) noexcept nogil:
        """What one more id needs: a place of its own, one in the journal, and perhaps the set."""
        cdef SymbolIds* ids = self._symbol(memory, symbol)
        return (
            ids != NULL
            and (self.journal.n < self.journal.capacity or self._grow_journal())
            and (trade > ids.greatest or _make_set(ids))
        )

    cdef bint _grow_journal(self) noexcept nogil:
        cdef size_t capacity = max(<size_t>64, 2 * self.journal.capacity)
        cdef void* grown = realloc(self.journal.entries, capacity * sizeof(Remembered))
        if grown == NULL:
            return False
        self.journal.entries = <Remembered*>grown
        if capacity > FORGIVEN:
            grown = realloc(
                self.journal.saved, (capacity - FORGIVEN) * sizeof(self.journal.saved[0])
            )
            if grown == NULL:
                return False
            self.journal.saved = <Eight*>grown
        self.journal.capacity = capacity
        return True

    cdef void undo(self) noexcept nogil:
        """Forget the ids remembered and the duplicates counted since `begin`, the last first.

        Where one of the first of them put a tail away, the oldest eight ids are gone; what stands
        in their place counts no more. They are not of the last KNOWN_IDS.
        """
        cdef Remembered* entry
        cdef SymbolIds* ids
        cdef Eight* place
        self.duplicates = self.duplicates_before
        self.conflicts = self.conflicts_before
        while self.journal.n:
            self.journal.n -= 1
            entry = &self.journal.entries[self.journal.n]
            ids = entry.symbol
            ids.n -= 1
            ids.greatest = entry.greatest
            if ids.set_end > ids.n:
                _take_out(ids, ids.tail.ids[ids.n % TAIL_IDS])
            if ids.n % TAIL_IDS == 0 and ids.n:
                place = tw_place_of_tail(ids)
                ids.tail = place[0]
                if self.journal.n >= FORGIVEN:
                    place[0] = self.journal.saved[self.journal.n - FORGIVEN]

    cdef SymbolIds* _symbol(self, int32_t memory, int32_t symbol) noexcept nogil:
        """The ids of a symbol, with memory for them."""
        cdef Chunk* chunk = self._chunk(&self.memories[memory], symbol // CHUNK_SYMBOLS)
        cdef SymbolIds* ids
        cdef Eight** rows
        if chunk == NULL:
            return NULL
        ids = &chunk.symbols[symbol % CHUNK_SYMBOLS]
        rows = &chunk.rows[symbol % CHUNK_SYMBOLS // GROUP_SYMBOLS]
        if rows[0] == NULL:
            rows[0] = <Eight*>_lines_of(GROUP_SYMBOLS * LAST_IDS // TAIL_IDS * sizeof(Eight))
        if rows[0] != NULL:
            ids.eights = rows[0] + symbol % GROUP_SYMBOLS
        return ids if rows[0] != NULL else NULL

    cdef Chunk* _chunk(self, Memory* memory, uint32_t number) noexcept nogil:
        cdef Chunk** chunk
        if number >= memory.n_chunks and not self._grow_chunks(memory, number):
            return NULL
        chunk = &memory.chunks[number]
        if chunk[0] == NULL:
            chunk[0] = <Chunk*>_lines_of(sizeof(Chunk))
            if chunk[0] != NULL:
                memset(chunk[0], 0, sizeof(Chunk))
        return chunk[0]

    cdef bint _grow_chunks(self, Memory* memory, uint32_t number) noexcept nogil:
        """A longer table; the chunks stay where they are, as the journal says where ids are."""
        cdef uint32_t n = max(<uint32_t>4, memory.n_chunks)
        cdef Chunk** grown
        while n <= number:
            n *= 2
        grown = <Chunk**>realloc(memory.chunks, n * sizeof(Chunk*))
        if grown == NULL:
            return False
        memset(grown + memory.n_chunks, 0, (n - memory.n_chunks) * sizeof(Chunk*))
        memory.chunks = grown
        memory.n_chunks = n
        return True
