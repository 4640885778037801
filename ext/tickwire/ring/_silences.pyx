"""Silences between rows, measured as rows are swept.

Rules of this file
------------------
- A silence is measured from row to row: of a stream, and of all streams of a session together. One
  that is longer than its limit is noted; of the others the longest is kept, to learn limits from.
- Most runs of rows end no silence that matters, which `is_long` says before any row is looked at.
  Where rows were read late it cannot: there `is_quiet` says so of each message, and only the first
  row of a message is looked at. Before that `is_calm` says it of many rows at once, by the first
  and the last. A feed that is behind must not become slower by it.
- A silence over a reconnect is noted, and never learned.
- A reader that was late reads many rows at once. Where ts_event is when a row happened, a silence
  is measured from when the row before it was due, so that it is found among them.
- Where all companions of a stream (of its session; of all sessions, for a session) pause too, as
  where a machine is busy, the cause is none of its own. What is left without such pauses has its
  own limit, which they do not lengthen: one stream that falls silent alone is found by it.
- Rows without ts_event do not tell whether a silence was the venue's or the network's. What was
  only late comes at its end all at once, so the rows of the next moment are counted.
- Everything here happens in the writer's thread.
"""

from libc.stdint cimport INT64_MIN, int32_t, int64_t
from libc.stdlib cimport calloc, free

from tickwire.ring._ring cimport Ring

from inspect import signature

from tickwire.ring.stream import TIMELY, Silence

cdef extern from *:
    """
    #define TW_COMPARED_ROWS 8
    typedef int64_t tw_row_pair __attribute__((vector_size(16), aligned(8), may_alias));

    /* As vectors, by hand: a loop this short is unrolled before the compiler would make it wide. */
    static inline int tw_are_all(const int64_t* at, int64_t value)
    {
        const tw_row_pair* pairs = (const tw_row_pair*)at;
        tw_row_pair same = {value, value};
        tw_row_pair other =
            ((pairs[0] ^ same) | (pairs[1] ^ same)) | ((pairs[2] ^ same) | (pairs[3] ^ same));
        return (other[0] | other[1]) == 0;
    }

    typedef uint64_t tw_times_pair __attribute__((vector_size(16), aligned(8), may_alias));

    /* Whether a time is before the one that precedes it, among n + 1 of them; n is even. Baseline
       x86-64 compares no 64-bit numbers as vectors: the sign of a difference tells. */
    static inline int tw_goes_back(const int64_t* at, int n)
    {
        tw_times_pair signs = {0, 0};
        for (int i = 0; i < n; i += 2)
            signs |= *(const tw_times_pair*)(at + i + 1) - *(const tw_times_pair*)(at + i);
        return (int)((signs[0] | signs[1]) >> 63);
    }
    """
    const int COMPARED_ROWS "TW_COMPARED_ROWS"
    bint tw_are_all(const int64_t* at, int64_t value) noexcept nogil
    bint tw_goes_back(const int64_t* at, int n) noexcept nogil

cdef enum:
    MOST_NOTED = 1024       # between two looks
    CALM_ROWS = 16          # that are passed over at once


cdef class SilenceLog:
    """The silences of a ring's streams that were too long, until they are taken.

    Parameters
    ----------
    ring
        Of a table whose rows have ts_event and conn.

    Attributes
    ----------
    by_recv : bool
        Whether they are measured by ts_recv, as a replay's are.
    n_noted : int
        How many wait to be taken.
    n_dropped : int
        How many were one too many.
    """

    __signature__ = signature(lambda ring: None)

    def __cinit__(self, Ring ring not None):
        self.ring = ring
        self.core = ring.core
        table = ring.table
        self.conns = <const int32_t*> self.core.columns[<int> table.index("conn")].values
        self.events = <const int64_t*> self.core.columns[<int> table.index("ts_event")].values
        self.is_timely = table.name in TIMELY
        self.noted = <tw_silence*> calloc(MOST_NOTED, sizeof(tw_silence))
        if self.noted == NULL:
            raise MemoryError("no memory for silences")

    def __dealloc__(self):
        free(self.noted)

    cdef void measure(
        self, tw_flow* own, tw_flow* common, tw_companions* companions, int32_t session,
        int32_t code, int64_t begin, int64_t stop, int64_t least_delay, int64_t hole_to,
    ) noexcept nogil:
        """Measure the silences before and between the rows of a run, of its stream and session.

        Shape    positions begin..stop - 1, rows of one stream and connection; all streams of the
                 session; the stream's least delay, and its hole as for `due`.
        Units    ns.
        Returns  nothing. Never raises.
        Threads  writer only.
        Memory   none allocated; silences past MOST_NOTED are counted.
        Source   docs/design.md, "Streams".
        """
        cdef int64_t mask = self.core.mask
        cdef const int64_t* times = self.times()
        cdef int64_t conn = self.conns[begin & mask]
        cdef int64_t row = begin
        cdef int64_t next_calm = begin
        cdef int64_t read, event, due, newest
        cdef bint is_first
        cdef tw_silence of_own = silence_after(own, session, code)
        cdef tw_silence of_all = silence_after(common, session, -1)
        if least_delay == INT64_MAX:
            of_own.from_event = INT64_MIN   # its clock was set since: it says nothing of this one
        if self.by_recv:
            of_own.from_mono = of_own.from_recv
            of_all.from_mono = of_all.from_recv
        while row < stop:
            if row >= next_calm and stop - row >= CALM_ROWS:
                if self.is_calm(
                    own, common, companions, &of_own, &of_all, row, least_delay, hole_to
                ):
                    row += CALM_ROWS
                    continue
                next_calm = row + CALM_ROWS
            read, event = times[row & mask], self.events[row & mask]
            if event != INT64_MIN and event + STEP_BACK_NS < of_own.from_event:
                least_delay = read - event  # the venue's clock was set back
            due = self.due(row, least_delay, hole_to)
            newest = max(of_own.from_event, of_all.from_event)
            if event != INT64_MIN and (
                of_own.from_event == INT64_MIN or event + STEP_BACK_NS < newest
                # The one before had no delay to go by, and was late.
                or least_delay != INT64_MAX
                and own.last_due + PAUSE_NS < of_own.from_event + least_delay
            ):
                due = min(due, read - late_after(common.last_due, of_all.from_mono, read))
            if not self.is_quiet(own, common, companions, &of_own, &of_all, read, event, due):
                is_first = row == begin
                of_own.to_recv = of_all.to_recv = self.core.ts_recv[row & mask]
                of_own.to_event = of_all.to_event = event
                of_own.to_mono = of_all.to_mono = read
                of_own.to_due = of_all.to_due = due
                if not is_first:
                    of_own.from_recv = of_all.from_recv = self.core.ts_recv[(row - 1) & mask]
                self.step(
                    own, &of_own, go_on(companions, due), not is_first or own.conn == conn,
                    not is_first or own.n_rows > 0,
                )
                self.step(
                    common, &of_all, go_on(&self.all, due), not is_first or common.conn == conn,
                    not is_first or common.n_rows > 0,
                )
            own.last_due = common.last_due = due
            of_own.from_event = of_all.from_event = event
            of_own.from_mono = of_all.from_mono = read
            row = self.message_end(row + 1, stop, read, event)

    cdef bint is_quiet(
        self, tw_flow* own, tw_flow* common, tw_companions* companions, const tw_silence* of_own,
        const tw_silence* of_all, int64_t read, int64_t event, int64_t due,
    ) noexcept nogil:
        # Whether a row ends no silence that is longer than all of late, and no pause: it is noted.
        cdef int64_t own_ns = silence_ns(of_own.from_event, event, read, own.last_due, due)
        cdef int64_t all_ns = silence_ns(of_all.from_event, event, read, common.last_due, due)
        if (
            own_ns > own.longest_alone
            or all_ns > common.longest_alone
            or due - companions.last_due > PAUSE_NS
            or due - self.all.last_due > PAUSE_NS
        ):
            return False
        own.paused = go_on(companions, due)
        common.paused = go_on(&self.all, due)
        return True

    cdef bint is_calm(
        self, tw_flow* own, tw_flow* common, tw_companions* companions, tw_silence* of_own,
        tw_silence* of_all, int64_t row, int64_t least_delay, int64_t hole_to,
    ) noexcept nogil:
        # Whether CALM_ROWS rows end no silence and no pause, which then are the rows before. Where
        # no time goes back, each was due between the first and the last: no two of them are further
        # apart than these, and what came before.
        cdef int64_t at = row & self.core.mask
        cdef int64_t last = at + CALM_ROWS - 1
        cdef const int64_t* times = self.times()
        cdef const int64_t* events = self.events
        cdef int64_t first_due, last_due, oldest
        if last > self.core.mask:
            return False
        if events[last] != INT64_MIN and (
            of_own.from_event == INT64_MIN or events[at] < max(of_own.from_event, of_all.from_event)
            or events[at] < hole_to
            # The one before was late, or a row is early: `measure` says when such a one was due.
            or late_after(common.last_due, of_all.from_mono, times[at]) > 0
            and least_delay != INT64_MAX
            and own.last_due + PAUSE_NS < of_own.from_event + least_delay
        ):
            return False
        # From a time to none is no step back to `tw_goes_back`; from none to a time is one.
        if (
            events[last] < events[last - 1] or events[last] < events[at]
            or tw_goes_back(events + at, CALM_ROWS - 2)
        ):
            return False
        first_due = self.due(row, least_delay, hole_to)
        last_due = self.due(row + CALM_ROWS - 1, least_delay, hole_to)
        oldest = min(first_due, min(own.last_due, common.last_due))
        if (
            last_due - oldest > min(own.longest_alone, common.longest_alone)
            or last_due - min(companions.last_due, self.all.last_due) > PAUSE_NS
        ):
            return False
        own.paused = go_on(companions, last_due)
        common.paused = go_on(&self.all, last_due)
        own.last_due = common.last_due = last_due
        of_own.from_event = of_all.from_event = events[last]
        of_own.from_mono = of_all.from_mono = times[last]
        return True

    cdef int64_t message_end(
        self, int64_t row, int64_t stop, int64_t read, int64_t event
    ) noexcept nogil:
        # The first row from `row` on that was read, or happened, at another time: others of one
        # message end no silence. `stop` where none is.
        cdef int64_t mask = self.core.mask
        cdef const int64_t* times = self.times()
        cdef const int64_t* events = self.events
        cdef int64_t at
        while row < stop:
            at = row & mask
            if times[at] != read or events[at] != event:
                return row
            row += 1
            at = row & mask
            while stop - row >= COMPARED_ROWS and at + COMPARED_ROWS <= mask + 1:
                # Rows lie in the order of their reads.
                if not tw_are_all(events + at, event) or times[at + COMPARED_ROWS - 1] != read:
                    stop = row + COMPARED_ROWS  # the end is among them
                    break
                row += COMPARED_ROWS
                at = row & mask
        return stop

    cdef void step(
        self, tw_flow* flow, tw_silence* silence, int64_t paused, bint is_same, bint has_row
    ) noexcept nogil:
        # Notes or learns one silence, where a row is before it, and goes on to the next. `is_same`:
        # both rows are of one connection. `paused`: all pauses of its companions so far.
        silence.ns = silence_ns(
            silence.from_event, silence.to_event, silence.to_mono, flow.last_due, silence.to_due
        )
        silence.from_due = flow.last_due
        silence.alone = max(0, silence.ns - (paused - flow.paused))
        flow.paused = paused
        if has_row and (silence.ns > flow.limit or silence.alone > flow.limit_alone):
            silence.is_alone = silence.ns <= flow.limit
            silence.limit = flow.limit_alone if silence.is_alone else flow.limit
            if silence.to_event == INT64_MIN:
                flow.burst_from = silence.to_mono
                flow.n_burst = 0
            if self.n_noted == MOST_NOTED:
                self.n_dropped += 1
            else:
                self.noted[self.n_noted] = silence[0]
                self.n_noted += 1
        elif has_row and is_same:
            flow.longest = max(flow.longest, silence.ns)
            flow.longest_alone = max(flow.longest_alone, silence.alone)

    def take(self, int32_t session):
        """Give the silences of a session that were noted since the last call, and forget them.

        Returns
        -------
        list of Silence
            In the order of their ends; those of all its streams have no code.
        """
        cdef int32_t n, kept = 0
        cdef tw_silence* each
        found = []
        for n in range(self.n_noted):
            each = &self.noted[n]
            if each.session != session:
                self.noted[kept] = each[0]
                kept += 1
                continue
            found.append(
                Silence(
                    None if each.code < 0 else each.code,
                    each.limit,
                    each.from_recv, time_of(each.from_event), each.from_mono,
                    each.to_recv, time_of(each.to_event), each.to_mono,
                    each.ns, each.alone, each.is_alone, each.from_due, each.to_due,
                )
            )
        self.n_noted = kept
        return found


cdef tw_silence silence_after(const tw_flow* flow, int32_t session, int32_t code) noexcept nogil:
    return tw_silence(
        session=session, code=code, limit=flow.limit,
        from_recv=flow.last_recv, from_event=flow.last_event, from_mono=flow.last_mono,
        to_recv=0, to_event=0, to_mono=0, from_due=0, to_due=0, ns=0, alone=0, is_alone=False,
    )


cdef inline int64_t silence_ns(
    int64_t from_event, int64_t to_event, int64_t read, int64_t from_due, int64_t to_due
) noexcept nogil:
    # The shorter of both clocks': a reader that stood still is no silence of the venue's. `due`:
    # when the rows could have been read. A clock that was set back says nothing.
    if from_event == INT64_MIN or to_event + STEP_BACK_NS < from_event:
        return to_due - from_due
    return min(min(read, to_due) - from_due, to_event - from_event)


cdef object time_of(int64_t ns):
    return None if ns == INT64_MIN else ns
