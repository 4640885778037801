"""A table's ring: the writer's side.

The writer fills the row `head` of every column, counts it with `head += 1`, and makes all rows
below `head` visible with `publish`. Until then `rollback` takes them back. Positions are rows since
the ring was made; the slot of row r is `r & mask`.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef enum:
    MAX_COLUMNS = 64


@cython.final
cdef class Ring:
    cdef readonly object table          # schema.Table
    cdef readonly int64_t capacity      # rows, a power of two
    cdef int64_t mask                   # capacity - 1
    cdef readonly int64_t seq_base      # the value of column seq in row 0
    cdef int64_t head                   # next row to fill; writer only
    cdef int64_t published              # rows below are visible; the writer's copy of the cursor
    cdef int64_t limit                  # rows below may be filled: cached from the gating sequences
    cdef int n_columns
    cdef int kinds[MAX_COLUMNS]         # schema.Kind
    cdef void* columns[MAX_COLUMNS]     # memory of column i; text: see put_text
    cdef int64_t* recv_mono             # hidden column: monotonic ns of the read, filled like others

    # True if row `head` may be filled. False: the ring is full and its policy is `block`.
    cdef inline bint has_room(self) noexcept nogil:
        return self.head < self.limit or self.refresh_limit()

    cdef bint refresh_limit(self) noexcept nogil
    # Text of row `head` in the text column `i`, exactly once per row and text column.
    # False: no room in the column's text memory (policy `block`).
    cdef bint put_text(self, int i, const uint8_t* value, size_t n) noexcept nogil
    cdef bint put_null(self, int i) noexcept nogil      # text columns only
    cdef void rollback(self, int64_t head) noexcept nogil
    cdef void publish(self) noexcept nogil
