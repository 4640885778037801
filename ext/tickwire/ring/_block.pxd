"""A ring's memory: see ext/tickwire/ring/ring_block.h."""

cimport cython
from libc.stdint cimport uint8_t, uint64_t

from tickwire.ring._memory cimport tw_mapping, tw_column_entry, tw_ring_header


@cython.final
cdef class Block:
    cdef tw_mapping* mapping
    cdef tw_ring_header* header
    cdef tw_column_entry* directory      # header.n_columns of them

    cdef uint8_t* at(self, uint64_t offset) noexcept nogil     # NULL for offset 0
