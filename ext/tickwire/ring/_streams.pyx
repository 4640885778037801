"""What a ring has had of each stream: rows, the last one, and the first one since a mark.

Rules of this file
------------------
- No message pays for it: rows are looked at once, some time after they were published, by `sweep`.
  Who asks for a stream sweeps first; the ring does before it writes over rows, or begins again at
  its front.
- A stream is a symbol of a session. Rows name their connection, and a session adopts each of its
  connections before that brings rows; rows of other connections are passed over.
- Silences are measured from row to row as rows are swept: of each stream, and of all streams of a
  session together. One that is longer than its limit is noted; of the others the longest is kept,
  to learn limits from.
- Everything here happens in the writer's thread.
"""

from libc.stdint cimport INT64_MAX, INT64_MIN, int32_t, int64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from tickwire.ring._ring cimport Ring

from inspect import signature

import numpy as np

from tickwire.ring.stream import Silence, Stream

cdef enum:
    FEWEST_SLOTS = 64
    FEWEST_STREAMS = 16
    RUN_ROWS = 32           # that are compared at once
    DRIFT_SHIFT = 13        # 120 ppm: more than two clocks differ
    MOST_SILENCES = 1024    # between two looks

STATE = np.dtype([
    ("n_rows", np.int64), ("n_at_mark", np.int64),
    ("last_recv", np.int64), ("last_event", np.int64), ("last_mono", np.int64),
    ("first_recv", np.int64), ("first_event", np.int64), ("first_mono", np.int64),
    ("conn", np.int64), ("least_delay", np.int64), ("hole_from", np.int64),
    ("hole_to", np.int64), ("n_recovered", np.int64), ("recovered_from", np.int64),
    ("mark_conn", np.int64), ("longest", np.int64), ("limit", np.int64),
])


cdef void sweep(void* streams) noexcept nogil:
    (<Streams> streams).sweep()


cdef class Streams:
    """The streams of a ring: how many rows, when the last one came, when the first since a mark.

    Parameters
    ----------
    ring
        Of a table whose rows have symbol, ts_event and conn. It has one object of this kind at a
        time; rows that were published before are not counted.

    Attributes
    ----------
    ring : Ring
        As given.

    Raises
    ------
    ValueError
        The ring has one already.
    """

    __signature__ = signature(lambda ring: None)

    def __cinit__(self, Ring ring not None):
        self.ring = ring
        self.core = ring.core
        if self.core.sweep != NULL:
            raise ValueError(f"the ring of {ring.table.name} has its streams already")
        table = ring.table
        self.symbols = <const int32_t*> self.core.columns[<int> table.index("symbol")].values
        self.conns = <const int32_t*> self.core.columns[<int> table.index("conn")].values
        self.events = <const int64_t*> self.core.columns[<int> table.index("ts_event")].values
        self.swept = self.core.published
        self.silences = <tw_silence*> calloc(MOST_SILENCES, sizeof(tw_silence))
        if self.silences == NULL:
            raise MemoryError("no memory for streams")
        self.core.sweeper = <void*> self
        self.core.sweep = sweep

    def __dealloc__(self):
        cdef int32_t session
        if self.core != NULL and self.core.sweeper == <void*> self:
            self.core.sweep = NULL
            self.core.sweeper = NULL
        for session in range(self.n_sessions):
            free(self.sessions[session].at)
        free(self.sessions)
        free(self.adopted)
        free(self.silences)

    def __repr__(self):
        return f"<Streams of {self.ring.table.name}: {self.n_sessions} sessions>"

    def adopt(self, int32_t conn, int32_t session, int32_t leg=0):
        """Take the rows of a connection for those of a session, from now on.

        Parameters
        ----------
        conn
            The connection's number, before it brings its first row.
        session
            The session's, counted from 0.
        leg
            Which of the session's connections it is, where it has several at a time: 0 to 7. The
            one that was this before has ended.

        Raises
        ------
        ValueError
            A number is negative, or there is no such leg.
        """
        if conn < 0 or session < 0:
            raise ValueError(f"conn {conn} and session {session}: 0 or more")
        if not 0 <= leg < MAX_LEGS:
            raise ValueError(f"leg {leg}: 0 to {MAX_LEGS - 1}")
        self.sweep()
        self.reserve(session)
        self.sessions[session].conns[leg] = conn
        self.put(conn, session)

    cpdef void sweep(self) noexcept nogil:
        """Look at the rows that were published since the last call."""
        cdef int64_t first = self.swept
        # Before a jump everything was swept: between these two there are no rows.
        if first < self.core.header.lap.value:
            first = self.core.header.lap.value
        self.swept = self.core.published
        self.note(first, self.core.published)

    cdef void note(self, int64_t first, int64_t stop) noexcept nogil:
        """Note rows, as runs of one symbol and connection.

        Shape    positions first..stop - 1, all published and none written over.
        Units    ns.
        Returns  nothing.
        Threads  writer only.
        Memory   a session's streams grow where a new symbol has come.
        Source   docs/design.md, "Streams".
        """
        cdef int64_t mask = self.core.mask
        cdef int64_t row = first
        cdef int64_t begin
        cdef int32_t symbol, conn, session
        cdef tw_stream* stream
        cdef tw_session_streams* streams
        cdef const int64_t* times = self.core.ts_recv if self.by_recv else self.core.recv_mono
        cdef int64_t last, last_of_all
        while row < stop:
            begin = row
            symbol = self.symbols[row & mask]
            conn = self.conns[row & mask]
            row = self.run_end(row + 1, stop, symbol, conn)
            stream = self.find(conn, symbol)
            if stream == NULL:
                continue
            session = self.adopted[conn & (self.n_slots - 1)].session
            streams = &self.sessions[session]
            last = stream.last_recv if self.by_recv else stream.last_mono
            last_of_all = streams.last_recv if self.by_recv else streams.last_mono
            if times[(row - 1) & mask] - last > stream.longest or (
                times[(row - 1) & mask] - last_of_all > streams.longest
            ):
                self.note_silences(stream, session, symbol, begin, row)
            if stream.n_rows == stream.n_at_mark and conn <= stream.mark_conn:
                stream.n_at_mark += row - begin
            elif stream.n_rows == stream.n_at_mark:
                stream.first_recv = self.core.ts_recv[begin & mask]
                stream.first_event = self.events[begin & mask]
                stream.first_mono = self.core.recv_mono[begin & mask]
            stream.n_rows += row - begin
            if stream.hole_to != 0:
                self.count_recovered(stream, begin, row)
            if stream.least_delay != INT64_MAX:  # it forgets, as clocks drift
                stream.least_delay += (
                    self.core.recv_mono[begin & mask] - stream.last_mono
                ) >> DRIFT_SHIFT
            if self.events[begin & mask] != INT64_MIN:
                stream.least_delay = min(
                    stream.least_delay,
                    self.core.recv_mono[begin & mask] - self.events[begin & mask],
                )
            stream.last_recv = self.core.ts_recv[(row - 1) & mask]
            stream.last_event = self.events[(row - 1) & mask]
            stream.last_mono = self.core.recv_mono[(row - 1) & mask]
            stream.conn = conn
            streams.n_rows += row - begin
            streams.last_recv = stream.last_recv
            streams.last_event = stream.last_event
            streams.last_mono = stream.last_mono
            streams.last_conn = conn
            if stream.last_event != INT64_MIN:
                stream.least_delay = min(stream.least_delay, stream.last_mono - stream.last_event)

    cdef void note_silences(
        self, tw_stream* stream, int32_t session, int32_t code, int64_t begin, int64_t stop
    ) noexcept nogil:
        """Measure the silences before and between the rows of a run, of its stream and session."""
        cdef tw_session_streams* streams = &self.sessions[session]
        cdef int64_t mask = self.core.mask
        cdef int64_t row, silence
        cdef int64_t conn = self.conns[begin & mask]
        cdef tw_silence own = tw_silence(
            session=session, code=code, limit=stream.limit,
            from_recv=stream.last_recv, from_event=stream.last_event, from_mono=stream.last_mono,
            to_recv=0, to_event=0, to_mono=0,
        )
        cdef tw_silence common = tw_silence(
            session=session, code=-1, limit=streams.limit,
            from_recv=streams.last_recv, from_event=streams.last_event,
            from_mono=streams.last_mono, to_recv=0, to_event=0, to_mono=0,
        )
        for row in range(begin, stop):
            own.to_recv = common.to_recv = self.core.ts_recv[row & mask]
            own.to_event = common.to_event = self.events[row & mask]
            own.to_mono = common.to_mono = self.core.recv_mono[row & mask]
            if self.by_recv:
                own.to_mono = common.to_mono = own.to_recv
                if row == begin:
                    own.from_mono = own.from_recv
                    common.from_mono = common.from_recv
            silence = silence_ns(&own)
            if row > begin or stream.n_rows:
                if silence > own.limit:
                    self.note_silence(&own)
                elif silence > stream.longest and (row > begin or stream.conn == conn):
                    stream.longest = silence
            silence = silence_ns(&common)
            if row > begin or streams.n_rows:
                if silence > common.limit:
                    self.note_silence(&common)
                elif silence > streams.longest and (row > begin or streams.last_conn == conn):
                    streams.longest = silence
            own.from_recv = common.from_recv = own.to_recv
            own.from_event = common.from_event = own.to_event
            own.from_mono = common.from_mono = own.to_mono

    cdef void note_silence(self, const tw_silence* silence) noexcept nogil:
        if self.n_silences == MOST_SILENCES:
            self.n_unnoted += 1
            return
        self.silences[self.n_silences] = silence[0]
        self.n_silences += 1

    cdef int64_t run_end(
        self, int64_t row, int64_t stop, int32_t symbol, int32_t conn
    ) noexcept nogil:
        """The first row from `row` on of another symbol or connection; `stop` where none is."""
        cdef int64_t mask = self.core.mask
        cdef const int32_t* symbols = self.symbols
        cdef const int32_t* conns = self.conns
        cdef int64_t at
        cdef int32_t other
        cdef int i
        while row < stop:
            at = row & mask
            if symbols[at] != symbol or conns[at] != conn:
                return row
            row += 1
            at = row & mask
            while stop - row >= RUN_ROWS and at + RUN_ROWS <= mask + 1:
                other = 0
                for i in range(RUN_ROWS):  # of fixed length: compiled to a few vector instructions
                    other |= (symbols[at + i] ^ symbol) | (conns[at + i] ^ conn)
                if other != 0:
                    stop = row + RUN_ROWS  # the end is among them
                    break
                row += RUN_ROWS
                at = row & mask
        return stop

    cdef void count_recovered(self, tw_stream* stream, int64_t begin, int64_t stop) noexcept nogil:
        cdef int64_t row
        for row in range(begin, stop):
            if stream.hole_from <= self.events[row & self.core.mask] < stream.hole_to:
                stream.n_recovered += 1
                stream.recovered_from = min(
                    stream.recovered_from, self.events[row & self.core.mask]
                )

    cdef tw_stream* find(self, int32_t conn, int32_t code) noexcept nogil:
        """The stream of a row; NULL where no session has its connection, or memory is short."""
        cdef tw_adopted* slot
        cdef tw_session_streams* streams
        cdef tw_stream* grown
        cdef int64_t n
        if self.adopted == NULL or conn < 0 or code < 0:
            return NULL
        slot = &self.adopted[conn & (self.n_slots - 1)]
        if slot.conn != conn:
            return NULL
        streams = &self.sessions[slot.session]
        if code >= streams.n:
            n = max(FEWEST_STREAMS, streams.n)
            while n <= code:
                n *= 2
            grown = <tw_stream*> realloc(streams.at, n * sizeof(tw_stream))
            if grown == NULL:
                return NULL
            memset(&grown[streams.n], 0, (n - streams.n) * sizeof(tw_stream))
            streams.at = grown
            while streams.n < n:
                grown[streams.n].mark_conn = -1
                grown[streams.n].least_delay = INT64_MAX
                grown[streams.n].limit = INT64_MAX
                grown[streams.n].recovered_from = INT64_MAX
                streams.n += 1
        return &streams.at[code]

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
            grown[self.n_sessions].limit = INT64_MAX
            self.n_sessions += 1
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

    def get(self, int32_t session, int32_t code):
        """Give a stream as it stands now.

        Parameters
        ----------
        session
            The session's number.
        code
            The symbol's, in the feed's dictionary.

        Returns
        -------
        Stream or None
            None where no row of it has come.
        """
        self.sweep()
        if not 0 <= session < self.n_sessions or not 0 <= code < self.sessions[session].n:
            return None
        cdef tw_stream* stream = &self.sessions[session].at[code]
        if stream.n_rows == 0:
            return None
        cdef bint has_first = stream.n_rows > stream.n_at_mark
        return Stream(
            n_rows=stream.n_rows,
            n_since_mark=stream.n_rows - stream.n_at_mark,
            conn=stream.conn,
            last_recv_ns=stream.last_recv,
            last_event_ns=time_of(stream.last_event),
            last_mono_ns=stream.last_mono,
            first_recv_ns=stream.first_recv if has_first else None,
            first_event_ns=time_of(stream.first_event) if has_first else None,
            first_mono_ns=stream.first_mono if has_first else None,
            late_ns=late_ns(stream),
            n_recovered=stream.n_recovered,
            recovered_from_ns=None
            if stream.recovered_from == INT64_MAX
            else stream.recovered_from,
        )

    def states(self, int32_t session):
        """Give all streams of a session as they stand now: for looks at many at once.

        Parameters
        ----------
        session
            The session's number.

        Returns
        -------
        numpy.ndarray
            A copy, shape (n,), of the fields of `STATE`, int64; times in ns. The index is the
            symbol's code; those behind the end have had no row. `first_*` count where n_rows is
            above n_at_mark; a row without a venue's time has INT64_MIN.
        """
        self.sweep()
        cdef int64_t n = self.sessions[session].n if 0 <= session < self.n_sessions else 0
        if n == 0:
            return np.zeros(0, STATE)
        return np.frombuffer(
            (<const char*> self.sessions[session].at)[: n * sizeof(tw_stream)], STATE
        )

    def last_rows(self, int32_t session, const int64_t[::1] codes):
        """Give when the last row of each symbol was read.

        Parameters
        ----------
        session
            The session's number.
        codes
            The symbols', shape (n,); a negative one stands for every symbol.

        Returns
        -------
        numpy.ndarray
            Shape (n,), int64, monotonic ns; 0 where no row has come.
        """
        self.sweep()
        cdef int64_t n = self.sessions[session].n if 0 <= session < self.n_sessions else 0
        cdef tw_stream* at = self.sessions[session].at if n > 0 else NULL
        cdef int64_t last = 0
        cdef int64_t i
        for i in range(n):
            if at[i].n_rows > 0:
                last = max(last, at[i].last_mono)
        result = np.zeros(codes.shape[0], np.int64)
        cdef int64_t[::1] times = result
        for i in range(codes.shape[0]):
            if codes[i] < 0:
                times[i] = last
            elif codes[i] < n and at[codes[i]].n_rows > 0:
                times[i] = at[codes[i]].last_mono
        return result

    def mark(self, int32_t session, int32_t code, int32_t after_conn=-1):
        """Forget the first row of a stream: the next one is the first since this mark.

        Parameters
        ----------
        session, code
            As for `get`; nothing happens where no row of it has come.
        after_conn
            Rows of this connection and of older ones are not it either: what they have brought may
            be published late.
        """
        cdef tw_stream* stream
        self.sweep()
        if 0 <= session < self.n_sessions and 0 <= code < self.sessions[session].n:
            stream = &self.sessions[session].at[code]
            stream.n_at_mark = stream.n_rows
            stream.mark_conn = after_conn

    def expect(self, int32_t session, int32_t code, int64_t event_from_ns, int64_t mono_to_ns):
        """Count the rows to come that happened within a hole: those that a venue repeats.

        Parameters
        ----------
        session, code
            As for `get`; nothing happens where no row with a ts_event has come.
        event_from_ns
            Where the hole begins, by the venue's clock.
        mono_to_ns
            Where it ends, by the monotonic clock; the quickest rows tell the venue's time for it.
        """
        cdef tw_stream* stream
        self.sweep()
        if 0 <= session < self.n_sessions and 0 <= code < self.sessions[session].n:
            stream = &self.sessions[session].at[code]
            stream.n_recovered = 0
            stream.recovered_from = INT64_MAX
            stream.hole_from = event_from_ns
            stream.hole_to = 0
            if stream.least_delay != INT64_MAX:
                stream.hole_to = mono_to_ns - stream.least_delay

    def longest(self, int32_t session):
        """Give the longest silence of a session, of all its streams together, as a stream's.

        Returns
        -------
        (int, int)
            Rows so far, and the silence, in ns, since the last `learn`.
        """
        self.sweep()
        if not 0 <= session < self.n_sessions:
            return 0, 0
        return self.sessions[session].n_rows, self.sessions[session].longest

    def learn(self, int32_t session, int64_t[::1] limits, int64_t limit):
        """Note silences from now on that are longer than these limits, and forget the longest.

        Parameters
        ----------
        session
            The session's number.
        limits
            By code, shape (n,), int64, C-contiguous, ns; streams behind the end keep theirs.
        limit
            Of all streams of the session together.
        """
        cdef int64_t code
        self.sweep()
        if not 0 <= session < self.n_sessions:
            return
        cdef tw_session_streams* streams = &self.sessions[session]
        for code in range(min(streams.n, limits.shape[0])):
            streams.at[code].limit = limits[code]
            streams.at[code].longest = 0
        streams.limit = limit
        streams.longest = 0

    def take_silences(self, int32_t session):
        """Give the silences of a session that were noted since the last call, and forget them.

        Returns
        -------
        list of Silence
            In the order of their ends; those of all its streams have no code.
        """
        cdef int32_t n, kept = 0
        cdef tw_silence* each
        self.sweep()
        found = []
        for n in range(self.n_silences):
            each = &self.silences[n]
            if each.session != session:
                self.silences[kept] = each[0]
                kept += 1
                continue
            found.append(
                Silence(
                    None if each.code < 0 else each.code,
                    each.limit,
                    each.from_recv, time_of(each.from_event), each.from_mono,
                    each.to_recv, time_of(each.to_event), each.to_mono,
                )
            )
        self.n_silences = kept
        return found


cdef int64_t silence_ns(const tw_silence* silence) noexcept nogil:
    # The shorter of both clocks': a reader that stood still is no silence of the venue's.
    cdef int64_t ns = silence.to_mono - silence.from_mono
    if silence.from_event != INT64_MIN and silence.to_event != INT64_MIN:
        ns = min(ns, silence.to_event - silence.from_event)
    return ns


cdef int64_t late_ns(const tw_stream* stream) noexcept:
    if stream.least_delay == INT64_MAX or stream.last_event == INT64_MIN:
        return 0
    return stream.last_mono - stream.last_event - stream.least_delay


cdef object time_of(int64_t ns):
    return None if ns == INT64_MIN else ns
