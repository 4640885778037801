"""What a ring has had of each stream, for Python: rows, the last one, the first since a mark.

Rules of this file
------------------
- Who asks for a stream sweeps first (`_sweep`); the ring does before it writes over rows, or begins
  again at its front.
- A stream is a symbol of a session (`_stream_table`); rows of connections that no session has
  adopted are passed over.
- Everything here happens in the writer's thread.
"""

from libc.stdint cimport INT64_MAX, INT64_MIN, int32_t, int64_t

from tickwire.ring._ring cimport Ring
from tickwire.ring._silences cimport tw_flow
from tickwire.ring._stream_table cimport tw_session_streams, tw_stream
from tickwire.ring._sweep cimport Sweep

from inspect import signature

import numpy as np

from tickwire.ring.stream import Stream

STATE = np.dtype([  # a `tw_stream`
    ("n_rows", np.int64), ("last_recv", np.int64), ("last_event", np.int64),
    ("last_mono", np.int64), ("last_due", np.int64), ("conn", np.int64), ("longest", np.int64),
    ("limit", np.int64), ("longest_alone", np.int64), ("limit_alone", np.int64),
    ("paused", np.int64), ("burst_from", np.int64), ("n_burst", np.int64),
    ("n_at_mark", np.int64), ("first_recv", np.int64),
    ("first_event", np.int64), ("first_mono", np.int64), ("least_delay", np.int64),
    ("hole_from", np.int64), ("hole_to", np.int64), ("n_recovered", np.int64),
    ("recovered_from", np.int64), ("mark_conn", np.int64), ("n_set_back", np.int64),
])


cdef void sweep(void* streams) noexcept nogil:
    (<Streams> streams).look()


cdef class Streams(Sweep):
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
        if ring.core.sweep != NULL:
            raise ValueError(f"the ring of {ring.table.name} has its streams already")
        self.begin(ring)
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
        self.look()
        cdef int32_t code = -1 if venue is None else self.ring.dictionaries.venue.code(venue)
        self.table.adopt(conn, session, leg, code)

    def divide(self, int32_t session, parts):
        """Know the rows of a session by their channel too, from now on.

        Parameters
        ----------
        session
            The session's number.
        parts
            By channel, the number under which its rows are known: that of the session for the
            first one, and one of no session's for each of the others. Rows of other channels
            count for all of them.

        Raises
        ------
        ValueError
            The ring's rows have no channel, or a number is another session's.
        """
        self.look()
        if self.channels == NULL:
            raise ValueError(f"rows of {self.ring.table.name} have no channel")
        code = self.ring.dictionaries.of("channel").code
        self.table.divide(session, [(code(name), part) for name, part in parts.items()])

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
        self.look()
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
        self.look()
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
        self.look()
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
        self.look()
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
        self.look()
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
        self.look()
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
        self.look()
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
        self.look()
        cdef tw_flow* flow
        cdef tw_stream* stream
        found = self.silences.take(session)
        for n, silence in enumerate(found):
            if silence.to_event_ns is not None:
                continue
            flow = &self.table.sessions[session].flow
            if silence.code is not None:
                stream = self.table.get(session, silence.code)
                if stream == NULL:
                    continue
                flow = &stream.flow
            if flow.burst_from == silence.to_mono_ns:
                found[n] = silence._replace(n_burst=flow.n_burst)
        return found


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
