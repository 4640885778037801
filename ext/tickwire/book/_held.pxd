"""Book deltas that wait for their snapshot, bounded."""

cimport cython
from libc.stdint cimport int32_t, int64_t

from tickwire.book._rules cimport Delta


@cython.final
cdef class HeldDelta:
    cdef readonly int32_t symbol    # its code
    cdef Delta delta
    cdef readonly bytes payload     # the whole message
    cdef readonly int64_t ts_recv_ns
    cdef readonly int64_t mono_ns
    cdef readonly int32_t conn
    cdef readonly object origin     # whose message it is; opaque here


@cython.final
cdef class HeldDeltas:
    cdef dict by_symbol             # symbol code -> deque of HeldDelta, never empty
    cdef readonly int64_t n_bytes   # of all payloads
    cdef readonly int64_t most_bytes
    cdef readonly int64_t n_dropped  # those that went because of the bound

    # In the order of the ids, each once, where several connections bring them; else of arrival.
    cdef int add(self, HeldDelta held, bint in_order) except -1
    # None without.
    cdef HeldDelta oldest(self, int32_t symbol)
    cdef HeldDelta newest(self, int32_t symbol)
    cdef int remove_oldest(self, int32_t symbol) except -1
    # Gives how many.
    cdef int64_t drop(self, int32_t symbol) except -1
