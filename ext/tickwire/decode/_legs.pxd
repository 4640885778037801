"""Deduplicated messages: several connections bring the same streams, and the first copy wins.

Theory. Connections of a source that ask for the same are its legs. A message is known by a hash of
its text: a venue sends the same text to all of them. The first copy is decoded; any other is left
out before anything of it is read. What a hash of the whole text cannot know, as trades that a venue
puts together in another way, is left to their ids.

A text with a time, an id or a number of the venue's can only be one message, however often it
comes. A text without (a ticker, all mids) may be sent twice and mean it: there the copies of each
leg are counted, and a copy is new where its leg has brought more of them than any other.

Messages are remembered in a circular log, with a table of hashes beside it (open addressing). They
are forgotten in order, `KEEP_NS` after they came, and not before each leg has brought them or
something newer: so a leg may be late by as much as `MAX_PRINTS` messages of the others. A leg that
is later than that brings nothing any more (`is_behind`): its new messages cannot be recognised.

A message that counts not at all, because a ring is full, is not remembered: it is offered again.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from tickwire.observe._histogram cimport Histogram

cdef enum:
    MAX_LEGS = 8                    # connections at a time
    FEWEST_PRINTS = 1024
    MAX_PRINTS = 1 << 20            # 32 MiB, and 8 MiB of table
    KEEP_NS = 10_000_000_000

# One message.
cdef struct Print:
    uint64_t hash
    int64_t mono_ns                 # when its first copy was read; of a text that repeats, its last
    uint8_t copies[MAX_LEGS]        # by slot
    uint8_t n                       # messages of this text: 1 where it does not repeat
    uint8_t repeats                 # another message may have the same text
    uint8_t is_dead                 # a later place in the log has it
    int32_t book                    # the symbol of the book that it changed; -1: of none


@cython.final
cdef class Legs:
    cdef uint64_t seed
    cdef Print* prints              # circular: the message at position p at p & (capacity - 1)
    cdef uint32_t* slots            # twice as many: place in `prints` + 1; 0 is free
    cdef int64_t capacity           # a power of two; 0 before the first message
    cdef int64_t begin              # positions
    cdef int64_t end
    cdef uint8_t is_there[MAX_LEGS]  # by slot: it has a connection
    cdef int64_t expected[MAX_LEGS]  # position from which on it is to bring all
    cdef int64_t newest[MAX_LEGS]   # the latest message that it has brought
    cdef int numbers[MAX_LEGS]      # the number of its leg
    cdef uint8_t behind[MAX_LEGS]
    # By the number of the leg.
    cdef int64_t n_first[MAX_LEGS]
    cdef int64_t n_late[MAX_LEGS]
    cdef int64_t n_lost[MAX_LEGS]
    cdef int64_t n_refused[MAX_LEGS]
    cdef list lateness              # of each, a Histogram or None
    # Of the last copy: the book that its message changed, or -1, and when that was taken.
    cdef int32_t copied_book
    cdef int64_t copied_ns

    # Whether a message is a copy of one that has been taken, and is to be left out.
    cdef bint is_copy(self, Leg leg, uint64_t hash, int64_t mono_ns) noexcept nogil
    # A message that is none has been taken; `book`: the symbol of the book that it changed, or -1.
    cdef void note(
        self, Leg leg, uint64_t hash, int64_t mono_ns, bint repeats, int32_t book
    ) noexcept nogil

    cdef Print* find(self, uint64_t hash) noexcept nogil
    cdef int64_t position_of(self, const Print* found) noexcept nogil
    cdef void put(self, int64_t position) noexcept nogil
    cdef void take_out(self, int64_t position) noexcept nogil
    cdef void forget_old(self, int64_t now_ns) noexcept nogil
    cdef void forget_first(self, bint forced) noexcept nogil
    cdef bint all_passed(self, int64_t position) noexcept nogil
    cdef void count_lost(self, int slot, int64_t position) noexcept nogil
    cdef bint grow(self) noexcept nogil


@cython.final
cdef class Leg:
    cdef readonly Legs legs
    cdef readonly int number
    cdef int slot                   # -1: it has left
    cdef Histogram lateness         # None: not measured

    # Of a message's text.
    cdef uint64_t hash_of(self, const uint8_t* text, size_t n) noexcept nogil
    cdef bint is_copy(self, uint64_t hash, int64_t mono_ns) noexcept nogil
    cdef void note(self, uint64_t hash, int64_t mono_ns, bint repeats, int32_t book) noexcept nogil
