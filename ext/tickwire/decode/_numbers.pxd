"""Symbols by the numbers that a venue's acknowledgements give them on a connection."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

cdef struct Numbered:
    int64_t number
    int32_t code            # of the symbol, and 1; 0: the slot is free

# Borrowed by the message being decoded from the connection's `Numbers`.
cdef struct NumberTable:
    Numbered* slots
    uint64_t mask           # n_slots - 1, a power of two; 0 before the first number
    int64_t n

# The code of the symbol that has a number; -1: none has.
cdef inline int32_t symbol_numbered(const NumberTable* table, int64_t number) noexcept nogil:
    cdef uint64_t at
    if table == NULL or table.slots == NULL:
        return -1
    at = (<uint64_t>number * <uint64_t>0x9E3779B97F4A7C15) >> 32
    while table.slots[at & table.mask].code:
        if table.slots[at & table.mask].number == number:
            return table.slots[at & table.mask].code - 1
        at += 1
    return -1


@cython.final
cdef class Numbers:
    cdef NumberTable table  # its slots are owned
