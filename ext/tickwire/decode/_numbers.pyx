"""Symbols by the numbers that a venue's acknowledgements give them on a connection.

Rules of this file
------------------
- A table belongs to one connection: another one has other numbers.
- It is written when an acknowledgement comes, and read per message without the GIL; both in the
  thread that decodes.
- At most half of the slots are taken, so that a search ends.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free

cdef enum:
    FIRST_SLOTS = 64
    MOST_NUMBERS = 1 << 20  # of a connection; no venue has as many, but a sender may make them up


@cython.final
cdef class Numbers:
    """The numbers of one connection."""

    def __dealloc__(self):
        free(self.table.slots)

    def __len__(self):
        return self.table.n

    def put(self, int64_t number, int32_t code):
        """Let a number mean a symbol from now on.

        Parameters
        ----------
        number
            The venue's.
        code
            The symbol's, in the feed's dictionary.

        Raises
        ------
        ValueError
            There are too many.
        """
        cdef uint64_t at
        cdef Numbered* slot
        if 2 * (self.table.n + 1) > <int64_t>self.table.mask:
            self._grow()
        at = (<uint64_t>number * <uint64_t>0x9E3779B97F4A7C15) >> 32
        slot = &self.table.slots[at & self.table.mask]
        while slot.code and slot.number != number:
            at += 1
            slot = &self.table.slots[at & self.table.mask]
        self.table.n += slot.code == 0
        slot.number = number
        slot.code = code + 1

    def _grow(self):
        cdef NumberTable old = self.table
        cdef uint64_t n_slots = max(<uint64_t>FIRST_SLOTS, 2 * (old.mask + 1))
        cdef uint64_t at
        cdef Numbered* slots
        if old.n >= MOST_NUMBERS:
            raise ValueError(f"more than {MOST_NUMBERS} numbers on a connection")
        slots = <Numbered*>calloc(n_slots, sizeof(Numbered))
        if slots == NULL:
            raise MemoryError
        self.table = NumberTable(slots, n_slots - 1, 0)
        if old.slots != NULL:
            for at in range(old.mask + 1):
                if old.slots[at].code:
                    self.put(old.slots[at].number, old.slots[at].code - 1)
        free(old.slots)

    def find(self, int64_t number):
        """Give the code of the symbol that has a number; None: none has."""
        cdef int32_t code = symbol_numbered(&self.table, number)
        return None if code < 0 else code
