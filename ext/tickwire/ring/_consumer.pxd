"""A ring's reader: takes and leases rows as record batches, from any thread."""

cimport cython
from libc.stdint cimport int64_t

from tickwire.ring._attachment cimport Attachment
from tickwire.ring._batch cimport Layout, Row
from tickwire.ring._export cimport Extent, Rows

cdef enum:
    MAX_RUNS = 4096


@cython.final
cdef class Consumer(Attachment):
    # Rows taken since the last `record`, as runs of rows of the same read.
    cdef object run_starts      # numpy int64: recv_mono, ns
    cdef object run_counts      # numpy int64: rows
    cdef int64_t* starts        # their memory, MAX_RUNS each
    cdef int64_t* counts
    cdef int64_t n_runs
    cdef Extent extent
    cdef Layout layout          # of light batches; None before the first

    # What `take` gives, None where there is nothing, and the same as a `Batch`; after `enter`.
    cdef object take_rows(self, int64_t limit)
    cdef object take_light(self, int64_t limit)
    cdef Layout find_layout(self)
    cdef object import_rows(self, Rows* rows, bint borrows)
    cdef Row view_rows(self)
    cdef bint is_empty(self) noexcept nogil
    cdef int64_t first_mono_ns(self) noexcept nogil
    cdef Rows* copy_rows(self, int64_t limit, int64_t* n_dropped) except? NULL
    cdef object take_held(self, int64_t limit)
    cdef int64_t begin_take(self, int64_t limit) noexcept nogil
    cdef int64_t commit_take(self) noexcept nogil
    cdef void note_runs(self, int64_t first, int64_t stop) noexcept nogil
