"""Which stream a row is of: a symbol of a session, which has adopted the row's connection.

Rules of this file
------------------
- Rows name their connection, and a session adopts each of its connections before that brings rows;
  rows of other connections have no stream.
- A connection's slot is free again once its session has adopted another one in its place.
- In a replay several sources may take one connection of the capture: then several sessions adopt
  it, and each has the rows of its own venue.
- A session may be divided by channel: rows of each of its channels are then those of a part, which
  has a number as sessions have, so that no channel's rows hide that another is silent.
"""

from libc.stdint cimport INT64_MAX, int32_t, int64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memset

cdef enum:
    FEWEST_SLOTS = 64
    FEWEST_STREAMS = 16


cdef class StreamTable:
    """Sessions, the connections that they have adopted, and their streams.

    Attributes
    ----------
    n_sessions : int
        How many sessions have adopted a connection, or have a lower number than such.
    """

    def __dealloc__(self):
        cdef int32_t session
        for session in range(self.n_sessions):
            free(self.sessions[session].at)
        free(self.sessions)
        free(self.adopted)
        free(self.shared)

    def adopt(self, int32_t conn, int32_t session, int32_t leg=0, int32_t venue=-1):
        """Take the rows of a connection for those of a session; see `Streams.adopt`."""
        if conn < 0 or session < 0:
            raise ValueError(f"conn {conn} and session {session}: 0 or more")
        if not 0 <= leg < MAX_LEGS:
            raise ValueError(f"leg {leg}: 0 to {MAX_LEGS - 1}")
        self.reserve(session)
        cdef int32_t holder = self.session_of(conn)
        self.sessions[session].conns[leg] = conn
        self.sessions[session].venue = venue
        if holder < 0 or holder == session:
            self.put(conn, session)
        else:
            self.share(conn, session)

    def divide(self, int32_t session, parts):
        """Know a session's rows by channel; see `Streams.divide`."""
        cdef int32_t part, channel, last = session
        given = list(parts)
        numbers = [number for _, number in given]
        if min(numbers, default=-1) < 0 or numbers[0] != session or len({*numbers}) < len(numbers):
            raise ValueError(f"parts {numbers} of session {session}: itself first, each once")
        for _, part in given:
            self.reserve(part)
        for channel, part in given:
            self.sessions[part].channel = channel
            self.sessions[part].next_part = -1
            if part != session:
                self.sessions[last].next_part = part
                last = part

    def find(self, int32_t conn):
        """Give the session that has adopted a connection; None where none has."""
        cdef int32_t session = self.session_of(conn)
        return None if session < 0 else session

    @property
    def n_streams(self):
        """How many streams there is memory for, with rows or without."""
        return sum([self.sessions[session].n for session in range(self.n_sessions)])

    cdef bint grow(self, int32_t session, int32_t code) noexcept nogil:
        # Twice as many streams, on the side where the code is, until it is one of them.
        cdef tw_session_streams* streams = &self.sessions[session]
        cdef int64_t first = streams.first
        cdef int64_t n = streams.n
        cdef int64_t i
        cdef tw_stream* grown
        if n == 0:
            first = code & ~<int64_t> (FEWEST_STREAMS - 1)
            n = FEWEST_STREAMS
        while code >= first + n:
            n *= 2
        while code < first:
            i = min(first, n)
            first -= i
            n += i
        grown = <tw_stream*> calloc(n, sizeof(tw_stream))
        if grown == NULL:
            return False
        for i in range(n):
            grown[i].mark_conn = -1
            grown[i].least_delay = INT64_MAX
            grown[i].flow.limit = INT64_MAX
            grown[i].flow.limit_alone = INT64_MAX
            grown[i].recovered_from = INT64_MAX
        if streams.n > 0:
            memcpy(&grown[streams.first - first], streams.at, streams.n * sizeof(tw_stream))
        free(streams.at)
        streams.at = grown
        streams.first = first
        streams.n = n
        return True

    cdef int reserve(self, int32_t session) except -1:
        cdef tw_session_streams* grown
        cdef int leg
        if session < self.n_sessions:
            return 0
        grown = <tw_session_streams*> realloc(
            self.sessions, (session + 1) * sizeof(tw_session_streams)
        )
        if grown == NULL:
            raise MemoryError("no memory for streams")
        self.sessions = grown
        while self.n_sessions <= session:
            memset(&grown[self.n_sessions], 0, sizeof(tw_session_streams))
            for leg in range(MAX_LEGS):
                grown[self.n_sessions].conns[leg] = -1
            grown[self.n_sessions].flow.limit = INT64_MAX
            grown[self.n_sessions].flow.limit_alone = INT64_MAX
            grown[self.n_sessions].channel = -1
            grown[self.n_sessions].next_part = -1
            self.n_sessions += 1
        return 0

    cdef int share(self, int32_t conn, int32_t session) except -1:
        cdef tw_adopted* grown
        cdef int32_t i
        for i in range(self.n_shared):
            if self.shared[i].conn == conn and self.shared[i].session == session:
                return 0
        grown = <tw_adopted*> realloc(self.shared, (self.n_shared + 1) * sizeof(tw_adopted))
        if grown == NULL:
            raise MemoryError("no memory for streams")
        self.shared = grown
        grown[self.n_shared].conn = conn
        grown[self.n_shared].session = session
        self.n_shared += 1
        return 0

    cdef bint is_held(self, const tw_adopted* slot) noexcept nogil:
        cdef int leg
        for leg in range(MAX_LEGS):
            if self.sessions[slot.session].conns[leg] == slot.conn:
                return True
        return False

    cdef int put(self, int32_t conn, int32_t session) except -1:
        # A slot whose connection has been followed by another is free to take.
        cdef tw_adopted* slot
        cdef tw_adopted* before = self.adopted
        cdef int64_t n_before = self.n_slots
        cdef int64_t i
        if before != NULL:
            slot = &before[conn & (n_before - 1)]
            if slot.conn in (-1, conn) or not self.is_held(slot):
                slot.conn = conn
                slot.session = session
                return 0
        self.n_slots = max(FEWEST_SLOTS, 2 * n_before)
        self.adopted = <tw_adopted*> calloc(self.n_slots, sizeof(tw_adopted))
        if self.adopted == NULL:
            self.adopted = before
            self.n_slots = n_before
            raise MemoryError("no memory for streams")
        for i in range(self.n_slots):
            self.adopted[i].conn = -1
        for i in range(n_before):
            if before[i].conn >= 0:
                self.adopted[before[i].conn & (self.n_slots - 1)] = before[i]
        free(before)
        return self.put(conn, session)
