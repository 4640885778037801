"""Silences between rows: of each stream, and of all streams of a session together."""

cimport cython
from libc.stdint cimport int32_t, int64_t

from tickwire.ring._ring cimport Ring
from tickwire.ring._tw_ring cimport tw_ring

# The rows of a stream, or of all streams of a session, so far: how many, the last one, and how long
# they were silent. Times in ns, INT64_MIN where a row has none.
ctypedef struct tw_flow:
    int64_t n_rows
    int64_t last_recv
    int64_t last_event
    int64_t last_mono
    int64_t conn            # of the last row
    int64_t longest         # silence between two rows of a connection since the last `learn`
    int64_t limit           # a longer silence is noted

# A silence: the rows before and after it, ns. code -1: of all streams of the session.
ctypedef struct tw_silence:
    int32_t session
    int32_t code
    int64_t limit
    int64_t from_recv, from_event, from_mono
    int64_t to_recv, to_event, to_mono


@cython.final
cdef class SilenceLog:
    cdef Ring ring
    cdef tw_ring* core
    cdef const int32_t* conns       # columns of the ring
    cdef const int64_t* events
    cdef public bint by_recv        # silences are measured by ts_recv: a replay's clock
    cdef tw_silence* noted          # and not taken
    cdef readonly int32_t n_noted
    cdef readonly int64_t n_dropped     # those that were one too many

    cdef inline const int64_t* times(self) noexcept nogil:
        return self.core.ts_recv if self.by_recv else self.core.recv_mono

    cdef inline bint is_long(self, const tw_flow* flow, int64_t last) noexcept nogil:
        """Whether a run may have a silence that has to be measured.

        Shape    the time of the run's last row, of `times`.
        Units    ns.
        Returns  whether. Never raises.
        Threads  writer only.
        Memory   none allocated.
        Source   docs/design.md, "Streams".
        """
        return last - (flow.last_recv if self.by_recv else flow.last_mono) > flow.longest

    cdef void measure(
        self, tw_flow* own, tw_flow* common, int32_t session, int32_t code, int64_t begin,
        int64_t stop,
    ) noexcept nogil
    cdef void step(
        self, tw_flow* flow, tw_silence* silence, bint is_same, bint has_row
    ) noexcept nogil
