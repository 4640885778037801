"""Silences between rows: of each stream, and of all streams of a session together."""

cimport cython
from libc.stdint cimport INT64_MAX, int32_t, int64_t

from tickwire.ring._ring cimport Ring
from tickwire.ring._tw_ring cimport tw_ring

# The rows of a stream, or of all streams of a session, so far: how many, the last one, and how long
# they were silent. Times in ns, INT64_MIN where a row has none.
ctypedef struct tw_flow:
    int64_t n_rows
    int64_t last_recv
    int64_t last_event
    int64_t last_mono
    int64_t last_due        # when the last row could have been read
    int64_t conn            # of the last row
    int64_t longest         # silence between two rows of a connection since the last `learn`
    int64_t limit           # a longer silence is noted
    int64_t longest_alone   # the same, without what was silent in its companions too
    int64_t limit_alone
    int64_t paused          # pauses of its companions, up to the last row
    int64_t burst_from      # the end of a noted silence of rows without ts_event; 0: none
    int64_t n_burst         # rows that were read within BURST_NS of it

# A silence: the rows before and after it, ns. code -1: of all streams of the session.
ctypedef struct tw_silence:
    int32_t session
    int32_t code
    int64_t limit
    int64_t from_recv, from_event, from_mono
    int64_t to_recv, to_event, to_mono
    int64_t from_due, to_due    # when these rows could have been read, as it was known then
    int64_t ns              # how long
    int64_t alone           # how long without the pauses of its companions
    bint is_alone           # the limit is one of silences alone

# The rows of all streams of a session, or of all sessions of a ring: when the last one was due, and
# the sum of the pauses between them.
ctypedef struct tw_companions:
    int64_t last_due
    int64_t paused

cdef enum:
    PAUSE_NS = 50_000_000   # a shorter time without rows of any companion is no pause
    BURST_NS = 20_000_000   # what was late only is read all at once

cpdef enum:     # in Python too: the ledger judges silences by the same
    STEP_BACK_NS = 500_000_000  # of ts_event: no disorder of rows, the venue's clock was set


cdef inline int64_t go_on(tw_companions* companions, int64_t due) noexcept nogil:
    """Note when a row of companions was due; one that was before the last one is no step back.

    Shape    the companions.
    Units    ns.
    Returns  the sum of their pauses. Never raises.
    Threads  writer only.
    Memory   none allocated.
    Source   docs/design.md, "Streams".
    """
    cdef int64_t ns = due - companions.last_due
    if ns > PAUSE_NS and companions.last_due != 0:
        companions.paused += ns
    companions.last_due = max(companions.last_due, due)
    return companions.paused


cdef inline int64_t late_after(int64_t last_due, int64_t last_read, int64_t read) noexcept nogil:
    """How late a row is that has no delay to go by: as late as the one that was read before it.

    Shape    when that row was due and read, and when this one was read.
    Units    ns.
    Returns  at least 0. Never raises.
    Threads  writer only.
    Memory   none allocated.
    Source   docs/design.md, "Streams".
    """
    return max(0, (last_read - last_due) - (read - last_read))


@cython.final
cdef class SilenceLog:
    cdef Ring ring
    cdef tw_ring* core
    cdef const int32_t* conns       # columns of the ring
    cdef const int64_t* events
    cdef bint is_timely             # a row's ts_event is when it happened
    cdef tw_companions all          # of the ring
    cdef public bint by_recv        # silences are measured by ts_recv: a replay's clock
    cdef tw_silence* noted          # and not taken
    cdef readonly int32_t n_noted
    cdef readonly int64_t n_dropped     # those that were one too many

    cdef inline const int64_t* times(self) noexcept nogil:
        return self.core.ts_recv if self.by_recv else self.core.recv_mono

    cdef inline int64_t due(
        self, int64_t row, int64_t least_delay, int64_t hole_to
    ) noexcept nogil:
        """When a row could have been read, by the quickest of its stream: a late one before it was.

        Shape    position of a row; the stream's least delay, INT64_MAX where it has none; up to
                 which ts_event a row is one that the venue repeats, which is read when it is due.
        Units    ns.
        Returns  a time of `times`. Never raises.
        Threads  writer only.
        Memory   none allocated.
        Source   docs/design.md, "Streams".
        """
        cdef int64_t read = self.times()[row & self.core.mask]
        cdef int64_t event = self.events[row & self.core.mask]
        # hole_to is 0 at least: a row without ts_event is below it.
        if not self.is_timely or self.by_recv or least_delay == INT64_MAX or event < hole_to:
            return read
        return min(read, event + least_delay)

    cdef inline bint is_long(
        self, const tw_flow* own, const tw_flow* common, int64_t last
    ) noexcept nogil:
        """Whether a run may have a silence that has to be measured.

        Shape    the flows of its stream and session; the time of its last row, of `times`.
        Units    ns.
        Returns  whether. Never raises.
        Threads  writer only.
        Memory   none allocated.
        Source   docs/design.md, "Streams".
        """
        return (
            last - own.last_due > own.longest_alone
            or last - common.last_due > min(common.longest_alone, PAUSE_NS)
        )

    cdef void measure(
        self, tw_flow* own, tw_flow* common, tw_companions* companions, int32_t session,
        int32_t code, int64_t begin, int64_t stop, int64_t least_delay, int64_t hole_to,
    ) noexcept nogil
    cdef void step(
        self, tw_flow* flow, tw_silence* silence, int64_t paused, bint is_same, bint has_row
    ) noexcept nogil
    cdef bint is_quiet(
        self, tw_flow* own, tw_flow* common, tw_companions* companions, const tw_silence* of_own,
        const tw_silence* of_all, int64_t read, int64_t event, int64_t due,
    ) noexcept nogil
    cdef bint is_calm(
        self, tw_flow* own, tw_flow* common, tw_companions* companions, tw_silence* of_own,
        tw_silence* of_all, int64_t row, int64_t least_delay, int64_t hole_to,
    ) noexcept nogil
    cdef int64_t message_end(
        self, int64_t row, int64_t stop, int64_t read, int64_t event
    ) noexcept nogil
