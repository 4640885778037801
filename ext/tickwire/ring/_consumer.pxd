"""A ring's reader: takes and leases rows as record batches, from any thread."""

cimport cython
from libc.stdint cimport int64_t

from tickwire.ring._export cimport Extent
from tickwire.ring._memory cimport tw_gate, tw_mapping
from tickwire.ring._ring cimport Ring
from tickwire.ring._tw_ring cimport tw_ring

cdef enum:
    MAX_RUNS = 4096


@cython.final
cdef class Consumer:
    cdef readonly Ring ring
    cdef tw_ring* core          # the ring's
    cdef tw_mapping* mapping    # of the gate; held, for the collector may clear `ring` first
    cdef tw_gate* gate          # in the ring's header; NULL once closed
    cdef bint commits           # `take` leaves rows in the ring until `commit`
    cdef int64_t lease_stop     # rows below are leased; -1 without a lease
    cdef bint busy              # a take or lease is under way; guarded by the GIL
    # Rows taken since the last `record`, as runs of rows of the same read.
    cdef object run_starts      # numpy int64: recv_mono, ns
    cdef object run_counts      # numpy int64: rows
    cdef int64_t* starts        # their memory, MAX_RUNS each
    cdef int64_t* counts
    cdef int64_t n_runs
    cdef int64_t most           # rows not released, at the most
    cdef Extent extent
    cdef object __weakref__

    cdef void tell_room(self) noexcept
    cdef int64_t next_stop(self, int64_t first, int64_t max_rows) noexcept nogil
    cdef void note_depth(self) noexcept nogil
    cdef int64_t enter(self, object max_rows) except -1
    cdef object take_held(self, int64_t limit)
    cdef int64_t begin_take(self, int64_t limit) noexcept nogil
    cdef int64_t commit_take(self) noexcept nogil
    cdef void note_runs(self, int64_t first, int64_t stop) noexcept nogil
