"""What a ring has had of each stream: rows, the last one, and the first one since a mark.

Rules of this file
------------------
- No message pays for it: rows are looked at once, some time after they were published, by `sweep`.
  Who asks for a stream sweeps first; the ring does before it writes over rows, or begins again at
  its front.
- A stream is a symbol of a session (`_stream_table`); rows of connections that no session has
  adopted are passed over. Their silences are measured as they are swept (`_silences`).
- Everything here happens in the writer's thread.
"""

from libc.stdint cimport INT64_MAX, INT64_MIN, int16_t, int32_t, int64_t

from tickwire.ring._ring cimport Ring
from tickwire.ring._silences cimport SilenceLog, go_on, tw_flow
from tickwire.ring._stream_table cimport StreamTable, tw_session_streams, tw_stream

from inspect import signature

import numpy as np

from tickwire.ring.stream import Stream

cdef enum:
    RUN_ROWS = 32           # that are compared at once
    DRIFT_SHIFT = 13        # 120 ppm: more than two clocks differ

STATE = np.dtype([  # a `tw_stream`
    ("n_rows", np.int64), ("last_recv", np.int64), ("last_event", np.int64),
    ("last_mono", np.int64), ("last_due", np.int64), ("conn", np.int64), ("longest", np.int64),
    ("limit", np.int64), ("longest_alone", np.int64), ("limit_alone", np.int64),
    ("paused", np.int64), ("n_at_mark", np.int64), ("first_recv", np.int64),
    ("first_event", np.int64), ("first_mono", np.int64), ("least_delay", np.int64),
    ("hole_from", np.int64), ("hole_to", np.int64), ("n_recovered", np.int64),
    ("recovered_from", np.int64), ("mark_conn", np.int64),
])


cdef void sweep(void* streams) noexcept nogil:
    (<Streams> streams).sweep()


cdef class Streams:
    """The streams of a ring: how many rows, when the last one came, when the first since a mark.

    Parameters
    ----------
    ring
        Of a table whose rows have venue, symbol, ts_event and conn. It has one object of this kind
        at a time; rows that were published before are not counted.

    Attributes
    ----------
    ring : Ring
        As given.
    silences : SilenceLog
        Those that were too long.

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
        self.venues = <const int16_t*> self.core.columns[<int> table.index("venue")].values
        self.events = <const int64_t*> self.core.columns[<int> table.index("ts_event")].values
        self.swept = self.core.published
        self.table = StreamTable()
        self.silences = SilenceLog(ring)
        self.core.sweeper = <void*> self
        self.core.sweep = sweep

    def __dealloc__(self):
        if self.core != NULL and self.core.sweeper == <void*> self:
            self.core.sweep = NULL
            self.core.sweeper = NULL

    def __repr__(self):
        return f"<Streams of {self.ring.table.name}: {self.table.n_sessions} sessions>"

    def adopt(self, int32_t conn, int32_t session, int32_t leg=0, *, venue=None):
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
        venue
            Where several sessions adopt one connection, as those of a replay's sources do, each has
            the rows of its venue; None: of every one.

        Raises
        ------
        ValueError
            A number is negative, or there is no such leg.
        """
        self.sweep()
        cdef int32_t code = -1 if venue is None else self.ring.dictionaries.venue.code(venue)
        self.table.adopt(conn, session, leg, code)

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
        while row < stop:
            begin = row
            symbol = self.symbols[row & mask]
            conn = self.conns[row & mask]
            row = self.run_end(row + 1, stop, symbol, conn)
            session = self.table.session_of(conn)
            if session >= 0 and self.table.n_shared == 0:
                self.note_run(session, symbol, conn, begin, row)
            elif session >= 0:
                self.note_shared(session, symbol, conn, begin, row)

    cdef void note_shared(
        self, int32_t session, int32_t symbol, int32_t conn, int64_t begin, int64_t row
    ) noexcept nogil:
        # As `note_run`, for every session of the rows' venue that has adopted their connection.
        cdef int16_t venue = self.venues[begin & self.core.mask]
        cdef tw_session_streams* sessions = self.table.sessions
        cdef int32_t i
        if sessions[session].venue in (-1, venue):
            self.note_run(session, symbol, conn, begin, row)
        for i in range(self.table.n_shared):
            session = self.table.shared[i].session
            if self.table.shared[i].conn == conn and sessions[session].venue in (-1, venue):
                self.note_run(session, symbol, conn, begin, row)

    cdef void note_run(
        self, int32_t session, int32_t symbol, int32_t conn, int64_t begin, int64_t row
    ) noexcept nogil:
        # Notes rows begin..row - 1, of one symbol and connection, as rows of a session.
        cdef int64_t mask = self.core.mask
        cdef tw_stream* stream = self.table.stream(session, symbol)
        cdef tw_flow* flow
        cdef tw_flow* common
        cdef int64_t last = self.silences.times()[(row - 1) & mask]
        if stream == NULL:
            return
        flow = &stream.flow
        common = &self.table.sessions[session].flow
        if self.silences.is_long(flow, common, last):
            self.silences.measure(
                flow, common, &self.table.sessions[session].companions, session, symbol, begin,
                row, stream.least_delay, stream.hole_to,
            )
        if flow.n_rows == stream.n_at_mark and conn <= stream.mark_conn:
            stream.n_at_mark += row - begin
        elif flow.n_rows == stream.n_at_mark:
            stream.first_recv = self.core.ts_recv[begin & mask]
            stream.first_event = self.events[begin & mask]
            stream.first_mono = self.core.recv_mono[begin & mask]
        if stream.hole_to != 0:
            self.count_recovered(stream, begin, row)
        if stream.least_delay != INT64_MAX:  # it forgets, as clocks drift
            stream.least_delay += (
                self.core.recv_mono[begin & mask] - flow.last_mono
            ) >> DRIFT_SHIFT
        if self.events[begin & mask] != INT64_MIN:
            stream.least_delay = min(
                stream.least_delay,
                self.core.recv_mono[begin & mask] - self.events[begin & mask],
            )
        flow.n_rows += row - begin
        flow.last_recv = self.core.ts_recv[(row - 1) & mask]
        flow.last_event = self.events[(row - 1) & mask]
        flow.last_mono = self.core.recv_mono[(row - 1) & mask]
        flow.conn = conn
        common.n_rows += row - begin
        common.last_recv = flow.last_recv
        common.last_event = flow.last_event
        common.last_mono = flow.last_mono
        common.conn = conn
        if flow.last_event != INT64_MIN:
            stream.least_delay = min(stream.least_delay, flow.last_mono - flow.last_event)
        flow.last_due = common.last_due = self.silences.due(
            row - 1, stream.least_delay, stream.hole_to
        )
        flow.paused = go_on(&self.table.sessions[session].companions, flow.last_due)
        common.paused = go_on(&self.silences.all, flow.last_due)

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
        cdef tw_stream* stream = self.table.get(session, code)
        if stream == NULL or stream.flow.n_rows == 0:
            return None
        cdef bint has_first = stream.flow.n_rows > stream.n_at_mark
        return Stream(
            n_rows=stream.flow.n_rows,
            n_since_mark=stream.flow.n_rows - stream.n_at_mark,
            conn=stream.flow.conn,
            last_recv_ns=stream.flow.last_recv,
            last_event_ns=time_of(stream.flow.last_event),
            last_mono_ns=stream.flow.last_mono,
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
        cdef tw_session_streams* streams
        if not 0 <= session < self.table.n_sessions or self.table.sessions[session].n == 0:
            return np.zeros(0, STATE)
        streams = &self.table.sessions[session]
        result = np.zeros(streams.first + streams.n, STATE)
        result[streams.first:] = np.frombuffer(
            (<const char*> streams.at)[: streams.n * sizeof(tw_stream)], STATE
        )
        return result

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
        cdef tw_session_streams* streams
        cdef tw_flow* flow
        cdef int64_t i, at, each
        result = np.zeros(codes.shape[0], np.int64)
        if not 0 <= session < self.table.n_sessions:
            return result
        cdef int64_t[::1] times = result
        streams = &self.table.sessions[session]
        for i in range(codes.shape[0]):
            if codes[i] < 0:
                for each in range(streams.n):
                    flow = &streams.at[each].flow
                    if flow.n_rows > 0:
                        times[i] = max(times[i], flow.last_mono)
                continue
            at = codes[i] - streams.first
            if 0 <= at < streams.n and streams.at[at].flow.n_rows > 0:
                times[i] = streams.at[at].flow.last_mono
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
        self.sweep()
        cdef tw_stream* stream = self.table.get(session, code)
        if stream != NULL:
            stream.n_at_mark = stream.flow.n_rows
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
        self.sweep()
        cdef tw_stream* stream = self.table.get(session, code)
        if stream != NULL:
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
        (int, int, int)
            Rows so far, and the longest silence and the longest alone since the last `learn`, ns.
        """
        self.sweep()
        if not 0 <= session < self.table.n_sessions:
            return 0, 0, 0
        cdef tw_flow* common = &self.table.sessions[session].flow
        return common.n_rows, common.longest, common.longest_alone

    def learn(self, int32_t session, const int64_t[:, ::1] limits):
        """Note silences from now on that are longer than these limits, and forget the longest.

        Parameters
        ----------
        session
            The session's number.
        limits
            Of silences, and of those alone: shape (2, n + 1), int64, C-contiguous, ns; by code, and
            in the last column for all streams of the session together. Streams behind the end keep
            theirs.
        """
        cdef int64_t code
        self.sweep()
        if not 0 <= session < self.table.n_sessions:
            return
        cdef tw_session_streams* streams = &self.table.sessions[session]
        cdef int64_t n = limits.shape[1] - 1
        for code in range(streams.first, min(streams.first + streams.n, n)):
            set_limits(
                &streams.at[code - streams.first].flow, limits[0, code], limits[1, code]
            )
        set_limits(&streams.flow, limits[0, n], limits[1, n])

    def take_silences(self, int32_t session):
        """Give the silences of a session that were noted since the last call, and forget them.

        Returns
        -------
        list of Silence
            In the order of their ends; those of all its streams have no code.
        """
        self.sweep()
        return self.silences.take(session)


cdef void set_limits(tw_flow* flow, int64_t limit, int64_t limit_alone) noexcept nogil:
    flow.limit = limit
    flow.limit_alone = limit_alone
    flow.longest = flow.longest_alone = 0


cdef int64_t late_ns(const tw_stream* stream) noexcept:
    if stream.least_delay == INT64_MAX or stream.flow.last_event == INT64_MIN:
        return 0
    return stream.flow.last_mono - stream.flow.last_event - stream.least_delay


cdef object time_of(int64_t ns):
    return None if ns == INT64_MIN else ns
