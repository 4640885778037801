"""How a ring's marks move: on, as consumers let them, and to the front, where all keep up."""

from libc.stdint cimport int64_t

from tickwire.ring._memory cimport tw_ring_header
from tickwire.ring._ring cimport Ring

# Move `floor`, `kept` and the limits on where consumers or the policy allow it. Returns whether
# `kept` grew. Writer only.
cdef bint advance(Ring ring) noexcept nogil
# What Ring.rewind does once a window is full; returns whether the ring begins again. Writer only.
cdef bint begin_again(Ring ring) noexcept nogil
# The position in `word`, which is shifted left by `shift`, as a count of rows. Any thread.
cdef int64_t rows_below(tw_ring_header* header, const int64_t* word, int shift) noexcept nogil
