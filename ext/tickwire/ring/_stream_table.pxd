"""Which stream a row is of: a symbol of a session, which has adopted the row's connection."""

cimport cython
from libc.stdint cimport int32_t, int64_t

from tickwire.ring._silences cimport tw_companions, tw_flow

# Times in ns, INT64_MIN where a row has none. `first`: of the first row since the mark, if n_rows
# of its flow > n_at_mark.
ctypedef struct tw_stream:
    tw_flow flow
    int64_t n_at_mark
    int64_t first_recv
    int64_t first_event
    int64_t first_mono
    int64_t least_delay     # monotonic time of the read - ts_event, the smallest; INT64_MAX: none
    int64_t hole_from       # ts_event of rows to count as recovered: from here
    int64_t hole_to         # up to below here; 0: none are counted
    int64_t n_recovered
    int64_t recovered_from  # ts_event of the oldest of them; INT64_MAX: none
    int64_t mark_conn       # rows of this connection and older ones move the mark; -1: none does
    int64_t n_set_back      # of its session, when it last had rows

cdef enum:
    MAX_LEGS = 8            # connections of a session at a time

# The streams of a session, by the code of their symbol: those from `first` on. Symbols of a session
# have codes near each other, so that a thousand sessions of a venue take what one of all would.
ctypedef struct tw_session_streams:
    tw_stream* at
    int64_t first
    int64_t n
    int64_t conns[MAX_LEGS]     # that it adopted last, by leg
    int32_t venue               # code of its venue
    int32_t channel             # code of the channel that its rows have; -1: of any
    int32_t next_part           # session of another channel of its connections; -1: none
    int64_t n_set_back          # how often its venue's clock was seen to be set back
    tw_flow flow                # of all its streams together
    tw_companions companions    # the same, as those of each

# Slot conn & mask; a conn of -1 is free.
ctypedef struct tw_adopted:
    int32_t conn
    int32_t session


@cython.final
cdef class StreamTable:
    cdef readonly int32_t n_sessions
    cdef tw_session_streams* sessions
    cdef int64_t n_slots            # of `adopted`, a power of two
    cdef tw_adopted* adopted
    cdef readonly int32_t n_shared
    cdef tw_adopted* shared         # more sessions of a connection: sources of a replay share one

    cdef inline int32_t session_of(self, int32_t conn) noexcept nogil:
        """The session that has adopted a connection.

        Shape    any number.
        Units    none.
        Returns  its number; -1 where none has. Never raises.
        Threads  writer only.
        Memory   none allocated.
        Source   docs/design.md, "Streams".
        """
        if self.adopted == NULL or conn < 0:
            return -1
        cdef tw_adopted* slot = &self.adopted[conn & (self.n_slots - 1)]
        return slot.session if slot.conn == conn else -1

    cdef inline tw_stream* stream(self, int32_t session, int32_t code) noexcept nogil:
        """The stream of a symbol.

        Shape    a session that there is; any code.
        Units    none.
        Returns  the stream, valid until the next call; NULL for a negative code, or without memory.
        Threads  writer only.
        Memory   a session's streams grow where a new symbol has come.
        Source   docs/design.md, "Streams".
        """
        cdef tw_session_streams* streams = &self.sessions[session]
        if code < 0:
            return NULL
        if not 0 <= code - streams.first < streams.n and not self.grow(session, code):
            return NULL
        return &streams.at[code - streams.first]

    cdef inline tw_stream* get(self, int32_t session, int32_t code) noexcept nogil:
        """A stream where there is one already; NULL where not.

        Shape    any numbers.
        Units    none.
        Returns  as `stream`.
        Threads  writer only.
        Memory   none allocated.
        Source   docs/design.md, "Streams".
        """
        if not 0 <= session < self.n_sessions or code < 0:
            return NULL
        cdef tw_session_streams* streams = &self.sessions[session]
        if not 0 <= code - streams.first < streams.n:
            return NULL
        return &streams.at[code - streams.first]

    cdef bint grow(self, int32_t session, int32_t code) noexcept nogil
    cdef int reserve(self, int32_t session) except -1
    cdef int share(self, int32_t conn, int32_t session) except -1
    cdef int put(self, int32_t conn, int32_t session) except -1
    cdef bint is_held(self, const tw_adopted* slot) noexcept nogil
