"""Carried state; see the declaration."""

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free, realloc


cdef class LastValues:
    """What was last known of each symbol.

    Parameters
    ----------
    n_kinds
        Tables that carry.
    """

    def __cinit__(self, int n_kinds):
        self.n_kinds = n_kinds

    def __dealloc__(self):
        cdef int64_t i
        if self.by_symbol != NULL:
            for i in range(<int64_t>self.n_kinds * self.n_symbols):
                free(self.by_symbol[i])
        free(self.by_symbol)
        free(self.journal)
        free(self.journal_of)

    cdef Carried* change(self, int32_t kind, int32_t symbol) noexcept nogil:
        cdef int64_t at
        if symbol >= self.n_symbols and not _grow_symbols(self, symbol):
            return NULL
        at = <int64_t>kind * self.n_symbols + symbol
        if self.by_symbol[at] == NULL:
            self.by_symbol[at] = <Carried*>calloc(1, sizeof(Carried))
            if self.by_symbol[at] == NULL:
                return NULL
        if self.n_journal == self.journal_capacity and not _grow_journal(self):
            return NULL
        self.journal_of[self.n_journal] = self.by_symbol[at]
        self.journal[self.n_journal] = self.by_symbol[at][0]
        self.n_journal += 1
        return self.by_symbol[at]

    cdef void undo(self) noexcept nogil:
        while self.n_journal:
            self.n_journal -= 1
            self.journal_of[self.n_journal][0] = self.journal[self.n_journal]


cdef bint _grow_symbols(LastValues self, int32_t symbol) noexcept nogil:
    cdef int32_t n_symbols = max(64, self.n_symbols)
    cdef Carried** grown
    cdef int64_t kind, i
    while n_symbols <= symbol:
        n_symbols *= 2
    grown = <Carried**>calloc(<size_t>self.n_kinds * n_symbols, sizeof(Carried*))
    if grown == NULL:
        return False
    for kind in range(self.n_kinds):
        for i in range(self.n_symbols):
            grown[kind * n_symbols + i] = self.by_symbol[kind * self.n_symbols + i]
    free(self.by_symbol)
    self.by_symbol = grown
    self.n_symbols = n_symbols
    return True


cdef bint _grow_journal(LastValues self) noexcept nogil:
    cdef size_t capacity = max(<size_t>16, 2 * self.journal_capacity)
    cdef Carried* journal = <Carried*>realloc(self.journal, capacity * sizeof(Carried))
    cdef Carried** journal_of
    if journal == NULL:
        return False
    self.journal = journal
    journal_of = <Carried**>realloc(self.journal_of, capacity * sizeof(Carried*))
    if journal_of == NULL:
        return False
    self.journal_of = journal_of
    self.journal_capacity = capacity
    return True
