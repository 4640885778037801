"""What a ring has had of each stream: the rows of one symbol from one session."""

cimport cython
from libc.stdint cimport int32_t, int64_t

from tickwire.ring._ring cimport Ring
from tickwire.ring._tw_ring cimport tw_ring

# Times in ns, INT64_MIN where a row has none. `first`: of the first row since the mark, if
# n_rows > n_at_mark.
ctypedef struct tw_stream:
    int64_t n_rows
    int64_t n_at_mark
    int64_t last_recv
    int64_t last_event
    int64_t last_mono
    int64_t first_recv
    int64_t first_event
    int64_t first_mono
    int64_t conn            # of the last row
    int64_t least_delay     # monotonic time of the read - ts_event, the smallest; INT64_MAX: none
    int64_t hole_from       # ts_event of rows to count as recovered: from here
    int64_t hole_to         # up to below here; 0: none are counted
    int64_t n_recovered
    int64_t recovered_from  # ts_event of the oldest of them; INT64_MAX: none
    int64_t mark_conn       # rows of this connection and older ones move the mark; -1: none does
    int64_t longest         # silence between two rows of a connection since the last `learn`
    int64_t limit           # a longer silence is noted

cdef enum:
    MAX_LEGS = 8            # connections of a session at a time

# The streams of a session, by the code of their symbol.
ctypedef struct tw_session_streams:
    tw_stream* at
    int64_t n
    int64_t conns[MAX_LEGS]     # that it adopted last, by leg
    int64_t n_rows          # of all its streams, and what the last of them all was
    int64_t last_recv
    int64_t last_event
    int64_t last_mono
    int64_t last_conn
    int64_t longest         # as a stream's
    int64_t limit

# A silence: the rows before and after it, ns. code -1: of all streams of the session.
ctypedef struct tw_silence:
    int32_t session
    int32_t code
    int64_t limit
    int64_t from_recv, from_event, from_mono
    int64_t to_recv, to_event, to_mono

# Slot conn & mask; a conn of -1 is free.
ctypedef struct tw_adopted:
    int32_t conn
    int32_t session


@cython.final
@cython.no_gc_clear     # the ring must be there when this goes
cdef class Streams:
    cdef readonly Ring ring
    cdef tw_ring* core
    cdef const int32_t* symbols     # columns of the ring
    cdef const int32_t* conns
    cdef const int64_t* events
    cdef int64_t swept              # position; rows below are counted
    cdef int32_t n_sessions
    cdef tw_session_streams* sessions
    cdef int64_t n_slots            # of `adopted`, a power of two
    cdef tw_adopted* adopted
    cdef public bint by_recv        # silences are measured by ts_recv: a replay's clock
    cdef tw_silence* silences       # noted and not taken
    cdef readonly int32_t n_silences
    cdef readonly int64_t n_unnoted     # silences that were one too many

    cpdef void sweep(self) noexcept nogil
    cdef void note(self, int64_t first, int64_t stop) noexcept nogil
    cdef tw_stream* find(self, int32_t conn, int32_t code) noexcept nogil
    cdef int64_t run_end(
        self, int64_t row, int64_t stop, int32_t symbol, int32_t conn
    ) noexcept nogil
    cdef void note_silences(
        self, tw_stream* stream, int32_t session, int32_t code, int64_t begin, int64_t stop
    ) noexcept nogil
    cdef void note_silence(self, const tw_silence* silence) noexcept nogil
    cdef void count_recovered(self, tw_stream* stream, int64_t begin, int64_t stop) noexcept nogil
    cdef int reserve(self, int32_t session) except -1
    cdef int put(self, int32_t conn, int32_t session) except -1
    cdef bint is_held(self, const tw_adopted* slot) noexcept nogil
