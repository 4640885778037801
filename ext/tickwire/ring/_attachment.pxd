"""Where a reader stands in its ring: the gate that it holds, and what the gate says."""

from libc.stdint cimport int64_t

from tickwire.ring._memory cimport tw_gate, tw_mapping
from tickwire.ring._ring cimport Ring
from tickwire.ring._tw_ring cimport tw_ring


cdef class Attachment:
    cdef readonly Ring ring
    cdef tw_ring* core          # the ring's
    cdef tw_mapping* mapping    # of the gate; held, for the collector may clear `ring` first
    cdef tw_gate* gate          # in the ring's header; NULL once closed
    cdef bint commits           # what was taken stays in the ring until `commit`
    cdef int64_t lease_stop     # rows below are leased; -1 without a lease
    cdef bint busy              # a take or lease is under way; guarded by the GIL
    cdef int64_t most           # rows not released, at the most
    cdef object __weakref__

    cdef void tell_room(self) noexcept
    cdef int64_t next_stop(self, int64_t first, int64_t max_rows) noexcept nogil
    cdef void note_depth(self) noexcept nogil
    cdef int64_t enter(self, object max_rows) except -1
