"""The sweep over a ring's rows: whose each was, and what its stream has had by it.

Rules of this file
------------------
- No message pays for it: rows are looked at once, some time after they were published.
- A stream is a symbol of a session (`_stream_table`); rows of connections that no session has
  adopted are passed over. Their silences are measured as they are swept (`_silences`).
- Of a session that is divided by channel, rows are those of the part of their channel. Rows of a
  channel that no part names count for each: they show that none of them can be judged by it.
- Where rows of many streams alternate, each is a run of one row. What is true of nearly all of them
  is looked at first (`note_singles`), and such a row costs less than half of a run.
- Everything here happens in the writer's thread.
"""

from libc.stdint cimport INT64_MAX, INT64_MIN, int16_t, int32_t, int64_t

from tickwire.ring._ring cimport Ring
from tickwire.ring._silences cimport (
    BURST_NS,
    PAUSE_NS,
    STEP_BACK_NS,
    SilenceLog,
    go_on,
    late_after,
    tw_companions,
    tw_flow,
)
from tickwire.ring._stream_table cimport StreamTable, tw_session_streams, tw_stream

cdef enum:
    RUN_ROWS = 32           # that are compared at once
    DRIFT_SHIFT = 13        # 120 ppm: more than two clocks differ


cdef class Sweep:
    """The part of a ring's streams that looks at rows.

    Attributes
    ----------
    silences : SilenceLog
        Those that were too long.
    """

    cdef int begin(self, Ring ring) except -1:
        """Look at the rows of a ring from now on."""
        self.core = ring.core
        table = ring.table
        self.symbols = <const int32_t*> self.core.columns[<int> table.index("symbol")].values
        self.conns = <const int32_t*> self.core.columns[<int> table.index("conn")].values
        self.venues = <const int16_t*> self.core.columns[<int> table.index("venue")].values
        self.events = <const int64_t*> self.core.columns[<int> table.index("ts_event")].values
        self.channels = NULL
        if any(column.name == "channel" for column in table.columns):
            self.channels = <const int16_t*> self.core.columns[<int> table.index("channel")].values
        self.swept = self.core.published
        self.table = StreamTable()
        self.silences = SilenceLog(ring)
        return 0

    def sweep(self):
        """Look at the rows that were published since the last call."""
        self.look()

    cdef void look(self) noexcept nogil:
        """Note the rows that were published since the last call.

        Shape    none.
        Units    none.
        Returns  nothing.
        Threads  writer only.
        Memory   as `note`.
        Source   docs/design.md, "Streams".
        """
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
            if session >= 0 and row == begin + 1 and self.is_plain(session):
                row = self.note_singles(session, conn, begin, stop)
                if row > begin:
                    continue
                row = begin + 1
            if session >= 0 and self.table.n_shared == 0:
                self.note_session(session, symbol, conn, begin, row)
            elif session >= 0:
                self.note_shared(session, symbol, conn, begin, row)

    cdef bint is_plain(self, int32_t session) noexcept nogil:
        # Whether a session has rows of its connections alone, and all of them.
        return (
            self.table.n_shared == 0 and not self.silences.by_recv
            and (self.table.sessions[session].next_part < 0 or self.channels == NULL)
        )

    cdef int64_t note_singles(
        self, int32_t session, int32_t conn, int64_t begin, int64_t stop
    ) noexcept nogil:
        # Notes rows of a session as `note_run` does those of runs of one row, as far as each is of
        # another stream than the one before and nothing but an ordinary row: its stream has had
        # rows, none of them is waited for, no silence is over, and its venue's clock is what it
        # was. Gives the first that is not; `begin` where that is none.
        cdef int64_t mask = self.core.mask
        cdef const int32_t* symbols = self.symbols
        cdef const int32_t* conns = self.conns
        cdef const int64_t* events = self.events
        cdef const int64_t* times = self.core.recv_mono
        cdef const int64_t* recvs = self.core.ts_recv
        cdef bint is_timely = self.silences.is_timely
        cdef tw_session_streams* of_session = &self.table.sessions[session]
        cdef tw_flow* common = &of_session.flow
        # Copies, as a compiler must not keep in registers what a row's stores might change.
        cdef tw_companions companions = of_session.companions
        cdef tw_companions all_of_ring = self.silences.all
        cdef int64_t first = of_session.first, n_streams = of_session.n
        cdef int64_t n_set_back = of_session.n_set_back, burst_from = common.burst_from
        cdef int64_t most = min(common.longest_alone, PAUSE_NS)
        cdef int64_t due = common.last_due
        cdef int64_t row = begin
        cdef int64_t at, event, read
        cdef int32_t symbol, last_symbol = -1
        cdef tw_stream* stream
        cdef tw_flow* flow
        cdef tw_flow* last = NULL
        while row < stop:
            at = row & mask
            symbol = symbols[at]
            if (
                symbol == last_symbol or conns[at] != conn or symbol < 0
                or not 0 <= symbol - first < n_streams
            ):
                break
            stream = &of_session.at[symbol - first]
            flow = &stream.flow
            event, read = events[at], times[at]
            if (
                (event == INT64_MIN) != (stream.least_delay == INT64_MAX)
                or event != INT64_MIN and event + STEP_BACK_NS < flow.last_event
                or read - flow.last_due > flow.longest_alone or read - due > most
                or stream.hole_to != 0 or stream.n_set_back != n_set_back
                or flow.n_rows == stream.n_at_mark
                or read - flow.burst_from <= BURST_NS or read - burst_from <= BURST_NS
            ):
                break
            due = read
            if event != INT64_MIN:
                stream.least_delay = min(
                    stream.least_delay + ((read - flow.last_mono) >> DRIFT_SHIFT), read - event
                )
                if is_timely:
                    due = min(read, event + stream.least_delay)
            flow.n_rows += 1
            flow.last_recv = recvs[at]
            flow.last_event = event
            flow.last_mono = read
            flow.last_due = due
            flow.conn = conn
            flow.paused = go_on(&companions, due)
            go_on(&all_of_ring, due)
            last, last_symbol = flow, symbol
            row += 1
        if last == NULL:
            return begin
        of_session.companions, self.silences.all = companions, all_of_ring
        common.n_rows += row - begin
        common.last_recv, common.last_event = last.last_recv, last.last_event
        common.last_mono, common.last_due = last.last_mono, last.last_due
        common.conn, common.paused = conn, all_of_ring.paused
        return row

    cdef void note_shared(
        self, int32_t session, int32_t symbol, int32_t conn, int64_t begin, int64_t row
    ) noexcept nogil:
        # As `note_session`, for every session of the rows' venue that has adopted their connection.
        cdef int16_t venue = self.venues[begin & self.core.mask]
        cdef tw_session_streams* sessions = self.table.sessions
        cdef int32_t i
        if sessions[session].venue in (-1, venue):
            self.note_session(session, symbol, conn, begin, row)
        for i in range(self.table.n_shared):
            session = self.table.shared[i].session
            if self.table.shared[i].conn == conn and sessions[session].venue in (-1, venue):
                self.note_session(session, symbol, conn, begin, row)

    cdef void note_session(
        self, int32_t session, int32_t symbol, int32_t conn, int64_t begin, int64_t row
    ) noexcept nogil:
        # As `note_run`; where the session is divided, by runs of one channel.
        cdef int64_t stop
        if self.table.sessions[session].next_part < 0 or self.channels == NULL:
            self.note_run(session, symbol, conn, begin, row)
            return
        while begin < row:
            stop = self.channel_end(begin + 1, row, self.channels[begin & self.core.mask])
            self.note_channel(session, symbol, conn, begin, stop)
            begin = stop

    cdef void note_channel(
        self, int32_t session, int32_t symbol, int32_t conn, int64_t begin, int64_t row
    ) noexcept nogil:
        # As `note_run`, for the part of the rows' channel; for each where none names it.
        cdef const tw_session_streams* sessions = self.table.sessions
        cdef int16_t channel = self.channels[begin & self.core.mask]
        cdef int32_t part = session
        while part >= 0 and sessions[part].channel != channel:
            part = sessions[part].next_part
        if part >= 0:
            self.note_run(part, symbol, conn, begin, row)
            return
        part = session
        while part >= 0:
            self.note_run(part, symbol, conn, begin, row)
            part = sessions[part].next_part

    cdef int64_t channel_end(self, int64_t row, int64_t stop, int16_t channel) noexcept nogil:
        """The first row from `row` on of another channel; `stop` where none is."""
        cdef int64_t mask = self.core.mask
        while row < stop and self.channels[row & mask] == channel:
            row += 1
        return row

    cdef void note_run(
        self, int32_t session, int32_t symbol, int32_t conn, int64_t begin, int64_t row
    ) noexcept nogil:
        # Notes rows begin..row - 1, of one symbol and connection, as rows of a session.
        cdef int64_t mask = self.core.mask
        cdef tw_stream* stream = self.table.stream(session, symbol)
        cdef tw_session_streams* of_session = &self.table.sessions[session]
        cdef tw_flow* flow
        cdef tw_flow* common
        cdef int64_t last = self.silences.times()[(row - 1) & mask]
        cdef int64_t event, late, read
        cdef bint is_set_back, is_unknown
        if stream == NULL:
            return
        flow = &stream.flow
        common = &of_session.flow
        late = 0  # of a row that no delay tells
        if not self.silences.by_recv:
            late = late_after(common.last_due, common.last_mono, last)
        is_unknown = stream.n_set_back != of_session.n_set_back
        if is_unknown:
            stream.n_set_back = of_session.n_set_back
            stream.least_delay = INT64_MAX
        if self.silences.is_long(flow, common, last):
            self.silences.measure(
                flow, common, &of_session.companions, session, symbol, begin,
                row, stream.least_delay, stream.hole_to,
            )
        read = self.silences.times()[begin & mask]
        if read - flow.burst_from <= BURST_NS:
            flow.n_burst += self.n_within(begin, row, flow.burst_from)
        if read - common.burst_from <= BURST_NS:
            common.n_burst += self.n_within(begin, row, common.burst_from)
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
        # Set back, or right again after it ran ahead, a venue's clock has delays of its own: by the
        # old ones every row would seem late, of the session's other streams too, which may have had
        # none meanwhile. A row that the venue repeats does so for a moment.
        event = self.events[(row - 1) & mask]
        is_set_back = event != INT64_MIN and (
            event + STEP_BACK_NS < max(flow.last_event, self.events[begin & mask])
        )
        flow.n_rows += row - begin
        flow.last_recv = self.core.ts_recv[(row - 1) & mask]
        flow.last_event = event
        flow.last_mono = self.core.recv_mono[(row - 1) & mask]
        flow.conn = conn
        common.n_rows += row - begin
        common.last_recv = flow.last_recv
        common.last_event = flow.last_event
        common.last_mono = flow.last_mono
        common.conn = conn
        if is_set_back:
            stream.least_delay = flow.last_mono - event
        elif event != INT64_MIN:
            stream.least_delay = min(stream.least_delay, flow.last_mono - event)
        if is_set_back and not is_unknown:  # known by now, of one that follows another
            of_session.n_set_back += 1
            stream.n_set_back = of_session.n_set_back
        flow.last_due = self.silences.due(row - 1, stream.least_delay, stream.hole_to)
        if is_set_back or is_unknown:
            flow.last_due = min(flow.last_due, last - late)
        common.last_due = flow.last_due
        flow.paused = go_on(&of_session.companions, flow.last_due)
        common.paused = go_on(&self.silences.all, flow.last_due)

    cdef int64_t n_within(self, int64_t begin, int64_t stop, int64_t since) noexcept nogil:
        """How many of the rows begin..stop - 1 were read within BURST_NS after a moment."""
        cdef const int64_t* times = self.silences.times()
        cdef int64_t row, n = 0
        for row in range(begin, stop):
            n += since <= times[row & self.core.mask] <= since + BURST_NS
        return n

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
