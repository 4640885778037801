"""The memory of messages that the legs of a source share; the theory is in the declaration."""

from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

import os

cdef extern from "tickwire/base/hash.h" nogil:
    uint64_t tw_hash(const uint8_t* bytes, size_t n, uint64_t seed)

cdef enum:
    FORGOTTEN_AT_ONCE = 4           # with each new message: twice as fast as they may come
    FULL_COUNT = 255
    KEPT_COUNT = 127


cdef class Legs:
    """The legs of one group of streams, and the messages that they have brought.

    Parameters
    ----------
    lateness
        By the number of a leg, where to note how much later than the first its copies came.
    """

    def __cinit__(self, lateness=()):
        self.seed = int.from_bytes(os.urandom(8), "little")
        self.lateness = [*lateness][:MAX_LEGS]
        self.lateness += [None] * (MAX_LEGS - len(self.lateness))
        for slot in range(MAX_LEGS):
            self.is_there[slot] = False

    def __dealloc__(self):
        free(self.prints)
        free(self.slots)

    def join(self, int number, *, bint is_complete=True):
        """Take one more connection for a leg, from now on.

        Parameters
        ----------
        number
            The leg's, 0 to 7; by it all is counted. Two connections may be the same leg.
        is_complete
            Whether it is to bring all from now on; else from `Leg.complete` on.

        Returns
        -------
        Leg
            What its connection has.

        Raises
        ------
        ValueError
            There is no such number, or there are eight connections already.
        """
        cdef int slot
        cdef int64_t position
        cdef Print* one
        cdef Leg leg
        if not 0 <= number < MAX_LEGS:
            raise ValueError(f"leg {number}: 0 to {MAX_LEGS - 1}")
        for slot in range(MAX_LEGS):
            if not self.is_there[slot]:
                break
        else:
            raise ValueError(f"more than {MAX_LEGS} connections at a time")
        self.is_there[slot] = True
        self.expected[slot] = self.end if is_complete else INT64_MAX
        self.newest[slot] = self.end - 1
        self.numbers[slot] = number
        self.behind[slot] = False
        leg = Leg.__new__(Leg)
        leg.legs, leg.number, leg.slot = self, number, slot
        leg.lateness = self.lateness[number]
        # What was sent before it joined, a venue sends a new connection once at most.
        for position in range(self.begin, self.end):
            one = &self.prints[position & (self.capacity - 1)]
            one.copies[slot] = one.n - 1 if one.repeats else 1
        return leg

    def clear(self):
        """Forget the messages and give back their memory; no connection may be there.

        Raises
        ------
        ValueError
            One is.
        """
        if self.n_legs:
            raise ValueError("a connection is there")
        free(self.prints)
        free(self.slots)
        self.prints = NULL
        self.slots = NULL
        self.capacity = self.begin = self.end = 0

    @property
    def n_legs(self):
        """Connections that are there."""
        return sum(self.is_there[slot] for slot in range(MAX_LEGS))

    @property
    def n_messages(self):
        """Messages that are remembered."""
        return self.end - self.begin

    def count(self, int number, str what):
        """Give what a leg has done.

        Parameters
        ----------
        number
            The leg's.
        what
            `first`: messages that it brought before the others; `late`: copies; `lost`: messages
            that only others brought; `refused`: left out, as it was too late to recognise copies.
        """
        if not 0 <= number < MAX_LEGS:
            raise ValueError(f"leg {number}: 0 to {MAX_LEGS - 1}")
        return {
            "first": self.n_first[number],
            "late": self.n_late[number],
            "lost": self.n_lost[number],
            "refused": self.n_refused[number],
        }[what]

    cdef bint is_copy(self, Leg leg, uint64_t hash, int64_t mono_ns) noexcept nogil:
        """Tell whether a message is to be left out, and count it then.

        Shape    one message, by the hash of its text.
        Units    ns of the monotonic clock.
        Returns  True where it is a copy, or where its leg is too late to tell.
        Threads  the loop's thread only.
        Memory   none allocated.
        Source   the theory, in the declaration.
        """
        cdef Print* found
        cdef int64_t position
        cdef int slot = leg.slot
        if slot < 0:
            return False
        self.copied_book = -1
        if self.behind[slot]:
            self.n_refused[leg.number] += 1
            return True
        found = self.find(hash)
        if found == NULL:
            return False
        if found.repeats and found.copies[slot] >= found.n:
            return False
        self.copied_book = found.book
        self.copied_ns = found.mono_ns
        position = self.position_of(found)
        if position > self.newest[slot]:
            self.newest[slot] = position
        # A venue that repeats itself on one connection is not late.
        if found.repeats or found.copies[slot] == 0:
            self.n_late[leg.number] += 1
            if leg.lateness is not None:
                leg.lateness.record(mono_ns - found.mono_ns, 1)
        if found.copies[slot] < FULL_COUNT:
            found.copies[slot] += 1
        return True

    cdef void note(
        self, Leg leg, uint64_t hash, int64_t mono_ns, bint repeats, int32_t book
    ) noexcept nogil:
        """Remember a message that has been taken, which was no copy.

        Shape    one message, by the hash of its text.
        Units    ns of the monotonic clock.
        Returns  nothing.
        Threads  the loop's thread only.
        Memory   the log doubles, up to MAX_PRINTS; past it, the oldest message is forgotten.
        Source   the theory, in the declaration.
        """
        cdef Print* one
        cdef Print before
        cdef int64_t position
        cdef int slot = leg.slot
        if slot < 0:
            return
        self.forget_old(mono_ns)
        if self.end - self.begin == self.capacity and not self.grow():
            if self.capacity == 0:
                return
            self.forget_first(True)
        one = self.find(hash)
        if one != NULL:     # another message of the same text: its place is at the end now
            before = one[0]
            position = self.position_of(one)
            self.take_out(position)
            one.is_dead = True
        else:
            memset(&before, 0, sizeof(Print))
            before.hash = hash
            before.repeats = repeats
        if before.n == FULL_COUNT:
            before.n = KEPT_COUNT
            for position in range(MAX_LEGS):
                before.copies[position] -= min(before.copies[position], FULL_COUNT - KEPT_COUNT)
        before.n += 1
        before.copies[slot] = before.n
        before.mono_ns = mono_ns
        before.book = book
        self.prints[self.end & (self.capacity - 1)] = before
        self.put(self.end)
        self.newest[slot] = self.end
        self.end += 1
        self.n_first[leg.number] += 1

    cdef Print* find(self, uint64_t hash) noexcept nogil:
        cdef uint64_t mask = 2 * self.capacity - 1
        cdef uint64_t at
        cdef uint32_t place
        if self.capacity == 0:
            return NULL
        at = hash & mask
        while True:
            place = self.slots[at]
            if place == 0:
                return NULL
            if self.prints[place - 1].hash == hash:
                return &self.prints[place - 1]
            at = (at + 1) & mask

    cdef int64_t position_of(self, const Print* found) noexcept nogil:
        return self.begin + ((found - self.prints - self.begin) & (self.capacity - 1))

    cdef void put(self, int64_t position) noexcept nogil:
        cdef uint64_t mask = 2 * self.capacity - 1
        cdef int64_t place = position & (self.capacity - 1)
        cdef uint64_t at = self.prints[place].hash & mask
        while self.slots[at] != 0:
            at = (at + 1) & mask
        self.slots[at] = <uint32_t>(place + 1)

    cdef void take_out(self, int64_t position) noexcept nogil:
        """Take a message out of the table, and close the hole that it leaves."""
        cdef uint64_t mask = 2 * self.capacity - 1
        cdef uint32_t place = <uint32_t>(position & (self.capacity - 1)) + 1
        cdef uint64_t hole = self.prints[place - 1].hash & mask
        cdef uint64_t at, home
        while self.slots[hole] != place:
            hole = (hole + 1) & mask
        at = hole
        while True:
            at = (at + 1) & mask
            if self.slots[at] == 0:
                break
            home = self.prints[self.slots[at] - 1].hash & mask
            if ((at - home) & mask) >= ((at - hole) & mask):
                self.slots[hole] = self.slots[at]
                hole = at
        self.slots[hole] = 0

    cdef void forget_old(self, int64_t now_ns) noexcept nogil:
        for _ in range(FORGOTTEN_AT_ONCE):
            if self.begin == self.end:
                return
            if now_ns - self.prints[self.begin & (self.capacity - 1)].mono_ns < KEEP_NS:
                return
            if not self.all_passed(self.begin):
                return
            self.forget_first(False)

    cdef void forget_first(self, bint forced) noexcept nogil:
        cdef Print* one = &self.prints[self.begin & (self.capacity - 1)]
        cdef int slot
        if not one.is_dead:
            for slot in range(MAX_LEGS):
                if forced and self.is_there[slot] and self.newest[slot] < self.begin:
                    self.behind[slot] = True
                self.count_lost(slot, self.begin)
            self.take_out(self.begin)
        self.begin += 1

    cdef bint all_passed(self, int64_t position) noexcept nogil:
        cdef int slot
        for slot in range(MAX_LEGS):
            if self.is_there[slot] and self.newest[slot] < position:
                return False
        return True

    cdef void count_lost(self, int slot, int64_t position) noexcept nogil:
        cdef Print* one = &self.prints[position & (self.capacity - 1)]
        if self.is_there[slot] and self.expected[slot] <= position and one.copies[slot] < one.n:
            self.n_lost[self.numbers[slot]] += one.n - one.copies[slot]

    cdef bint grow(self) noexcept nogil:
        cdef int64_t capacity = max(<int64_t>FEWEST_PRINTS, 2 * self.capacity)
        cdef Print* prints
        cdef Print* before = self.prints
        cdef uint32_t* slots
        cdef int64_t position
        if capacity > MAX_PRINTS:
            return False
        prints = <Print*>calloc(capacity, sizeof(Print))
        slots = <uint32_t*>calloc(2 * capacity, sizeof(uint32_t))
        if prints == NULL or slots == NULL:
            free(prints)
            free(slots)
            return False
        for position in range(self.begin, self.end):
            prints[position & (capacity - 1)] = before[position & (self.capacity - 1)]
        free(before)
        free(self.slots)
        self.prints = prints
        self.slots = slots
        self.capacity = capacity
        for position in range(self.begin, self.end):
            if not prints[position & (capacity - 1)].is_dead:
                self.put(position)
        return True


cdef class Leg:
    """A connection among the legs; made by `Legs.join`."""

    cdef uint64_t hash_of(self, const uint8_t* text, size_t n) noexcept nogil:
        return tw_hash(text, n, self.legs.seed)

    cdef bint is_copy(self, uint64_t hash, int64_t mono_ns) noexcept nogil:
        return self.legs.is_copy(self, hash, mono_ns)

    cdef void note(self, uint64_t hash, int64_t mono_ns, bint repeats, int32_t book) noexcept nogil:
        self.legs.note(self, hash, mono_ns, repeats, book)

    def leave(self):
        """Be no leg any more, because the connection has ended; what it has not brought is lost."""
        cdef Legs legs = self.legs
        cdef int64_t position
        if self.slot < 0:
            return
        for position in range(max(legs.begin, legs.expected[self.slot]), legs.end):
            if not legs.prints[position & (legs.capacity - 1)].is_dead:
                legs.count_lost(self.slot, position)
        legs.is_there[self.slot] = False
        self.slot = -1

    def complete(self):
        """Note that it brings all from now on: what it does not bring is lost."""
        if self.slot >= 0 and self.legs.expected[self.slot] == INT64_MAX:
            self.legs.expected[self.slot] = self.legs.end

    @property
    def is_quiet(self):
        """Whether it has brought nothing since it is to bring all, and others have."""
        cdef Legs legs = self.legs
        return self.slot >= 0 and legs.end > legs.expected[self.slot] > legs.newest[self.slot]

    @property
    def is_behind(self):
        """Whether it is too late for copies to be recognised; its messages are left out."""
        return self.slot >= 0 and bool(self.legs.behind[self.slot])

    def offer(self, const uint8_t[::1] text, int64_t mono_ns, *, bint repeats=False):
        """Offer a message as a decoder does, and take it.

        Parameters
        ----------
        text
            Its text, at least one byte.
        mono_ns
            When it was read, by the monotonic clock.
        repeats
            Whether another message may have the same text.

        Returns
        -------
        bool
            Whether it is no copy.
        """
        cdef uint64_t hash = self.hash_of(&text[0], text.shape[0])
        if self.is_copy(hash, mono_ns):
            return False
        self.note(hash, mono_ns, repeats, -1)
        return True
