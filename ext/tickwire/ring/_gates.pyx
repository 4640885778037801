"""The writer's view of the consumers' gates.

Rules of this file
------------------
- Who loses a row is decided by one compare-and-exchange on a gate: the consumer's, which moves its
  position past rows that it has copied, or the writer's (drop_oldest), which moves it past rows
  that it is about to overwrite. Each row is taken or dropped, and counted once.
- A gate that is leased is never moved by the writer.
"""

from libc.stdint cimport int64_t

from tickwire.ring._memory cimport (
    TW_GATE_FREE,
    TW_GATES,
    tw_compare_exchange,
    tw_load_acquire,
    tw_ring_header,
)


cdef int64_t first_held(tw_ring_header* header, int64_t row, bint leased) noexcept nogil:
    # Acquire: what the consumer read before it moved its gate stays before what is written over it.
    cdef int64_t gate
    cdef int i
    for i in range(TW_GATES):
        gate = tw_load_acquire(&header.gates[i].value)
        if gate >> 1 < row and (gate & 1 or not leased):
            row = gate >> 1
    return row


cdef int count_at(tw_ring_header* header, int64_t row) noexcept nogil:
    # Acquire: as above.
    cdef int64_t gate
    cdef int n = 0
    cdef int i
    for i in range(TW_GATES):
        gate = tw_load_acquire(&header.gates[i].value)
        if gate == TW_GATE_FREE:
            continue
        if gate != row << 1:
            return -1
        n += 1
    return n


cdef int64_t push_gates(tw_ring_header* header, int64_t row) noexcept nogil:
    cdef int64_t first = row
    cdef int64_t gate
    cdef int i
    for i in range(TW_GATES):
        gate = tw_load_acquire(&header.gates[i].value)
        while gate >> 1 < row and not gate & 1:
            if tw_compare_exchange(&header.gates[i].value, gate, row << 1):
                first = min(first, gate >> 1)
                break
            gate = tw_load_acquire(&header.gates[i].value)
    return first
