"""The rings that a decoder writes, by number.

Cython cannot hold an array of extension objects without the GIL, so they are attributes, and the
few calls that need the object choose by number. What every row needs is in `Target`, whose pointers
reach into the rings and live as long as they.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t

from tickwire.decode._bytecode cimport MAX_TARGETS
from tickwire.ring._ring cimport Ring, TextResult

cdef extern from "tickwire/decode/step.h" nogil:
    ctypedef struct TextColumn "tw_text_column":
        int64_t* ends
        uint8_t* arena
        int64_t arena_mask
        const int64_t* limit
        int64_t most
        uint8_t* valid

cdef struct Target:
    int64_t* head           # Ring.head_at
    int64_t* limit          # Ring.limit
    int64_t* published      # Ring.published_at
    int64_t* rewind_at      # Ring.rewind_at
    int64_t window_rows     # Ring.window_rows
    int64_t* message_start  # Ring.message_start
    int64_t* recv_mono      # hidden column
    void** columns
    int64_t mask
    int64_t most_rows       # of one message: half the ring
    int64_t row_bytes       # of a row in all columns
    TextColumn* texts       # by column; of text columns only


@cython.final
cdef class Targets:
    cdef int n
    cdef bint is_due        # a ring may begin again: `rewind`; who publishes looks, and sets it
    cdef Target at[MAX_TARGETS]
    cdef Ring ring_0, ring_1, ring_2, ring_3, ring_4, ring_5
    cdef Ring ring_6, ring_7, ring_8, ring_9, ring_10, ring_11

    cdef bint refresh_limit(self, int target) noexcept nogil
    cdef TextResult put_text(self, int target, int column, const uint8_t* value, size_t n) \
        noexcept nogil
    cdef void put_null(self, int target, int column) noexcept nogil
    cdef void rollback(self, int target, int64_t head) noexcept nogil
    cdef void publish(self, int target) noexcept nogil
    # Rings whose consumers keep up with a flood begin again at their front. Between two reads only.
    cdef void rewind(self) noexcept nogil
    cdef void rewind_one(self, int target) noexcept nogil
    cdef bint is_flooded(self, Target* target) noexcept nogil

    cdef inline bint has_room(self, int target) noexcept nogil:
        return self.at[target].head[0] < self.at[target].limit[0] or self.refresh_limit(target)
