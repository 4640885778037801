"""Table state carried across messages, for venues that send only what changed.

Per table and symbol the last value of each carried column, so that what a snapshot's declaration
has set is there for that of the changes. `undo` takes back what messages have changed since
`begin`.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from tickwire.ring._tw_ring cimport MAX_COLUMNS

cdef struct Carried:
    uint64_t have                   # bit per column
    int64_t values[MAX_COLUMNS]     # the bits of each


@cython.final
cdef class LastValues:
    cdef Carried** by_symbol        # [kind * n_symbols + symbol]
    cdef int32_t n_kinds
    cdef int32_t n_symbols
    cdef Carried** journal_of
    cdef Carried* journal
    cdef size_t n_journal
    cdef size_t journal_capacity

    # The state of a symbol, noted for `undo`; NULL where there is no memory.
    cdef Carried* change(self, int32_t kind, int32_t symbol) noexcept nogil
    cdef inline void begin(self) noexcept nogil:
        self.n_journal = 0
    cdef void undo(self) noexcept nogil
