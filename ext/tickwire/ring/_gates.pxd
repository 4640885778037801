"""The writer's view of the consumers' gates; see ext/tickwire/ring/ring_block.h."""

from libc.stdint cimport int64_t

from tickwire.ring._memory cimport tw_ring_header

# The lowest row, at most `row`, that a gate holds against the writer. `leased`: only leases hold.
cdef int64_t first_held(tw_ring_header* header, int64_t row, bint leased) noexcept nogil
# How many gates stand at `row`; -1 where one stands elsewhere, or is leased.
cdef int count_at(tw_ring_header* header, int64_t row) noexcept nogil
# Move every gate that is not leased up to `row`; gives the lowest row that one stood at, or `row`.
cdef int64_t push_gates(tw_ring_header* header, int64_t row) noexcept nogil
