"""Books that begin in band, symbol by symbol: which of their messages may be published.

Rules of this file
------------------
- A symbol goes UNSEEN -> LIVE with a snapshot, and each change must follow the last one. A change
  before a snapshot, or a break of the chain, leads to WAITING: what comes is refused until the next
  snapshot. So the rows that are published make right books, and `gaps` has the rest.
- Whether a change follows is for the chain to say (`_chains`).
- A symbol belongs to the connection whose snapshot came last. Where several connections bring the
  same and the numbers are the symbol's own (`is_shared`), the changes of all are taken; a hole is
  no break then before another connection has had time to fill it.
- A chain of a whole connection breaks all symbols that belong to it.
- Where several connections bring the same and the numbers are not the symbol's own (`takes_turns`),
  a message of all is known by its text. The first copy of a change is taken from whichever
  connection is *in step*: it began the book, or has brought a copy of a change that was taken, or
  another one has brought the last of its own that was not. All that such a one brings afterwards is
  the book's next change, or a copy. A hole, or the end of a connection, puts it out of step and
  costs nothing while another one is in step; only the last one breaks the book.
"""

cimport cython
from libc.stdint cimport INT64_MIN, int32_t, int64_t, uint64_t

from tickwire.book._chains cimport follow_named, missing_of
from tickwire.book._followed cimport (
    TW_MOST_WITNESSES,
    Cause,
    Followed,
    FollowedBooks,
    Phase,
    tw_witness,
    tw_witness_begin,
    tw_witness_heir,
    tw_witness_is_turn,
    tw_witness_keep_step,
    tw_witness_leave,
    tw_witness_of,
    tw_witness_start,
    tw_witnesses_clear,
)
from tickwire.book._rules cimport HOLE, OLD, Delta, Relation
from tickwire.book._splice cimport ADMIT, REFUSE

from tickwire.book._chains import NUMBERED
from tickwire.book._followed import PHASES
from tickwire.book._splice import VERDICTS

cdef extern from "tickwire/base/clock.h" nogil:
    int64_t tw_mono_ns()

BEGINNINGS = ("in_band", "first_message", "empty")


@cython.final
cdef class BookFollower(FollowedBooks):
    """Decide which messages of books may be published.

    One for each source; all calls come from the thread that decodes.

    Parameters
    ----------
    chain
        One of `CHAINS`.
    begin
        One of `BEGINNINGS`: a snapshot, the first message after a subscription, or nothing.
    step
        From one number to the next, of a counted chain.
    restart
        The number from which a service counts again; None without.
    """

    def __cinit__(self, str chain, str begin="in_band", *, int64_t step=1, restart=None):
        if begin not in BEGINNINGS:
            raise ValueError(f"unknown beginning {begin!r}: one of {', '.join(BEGINNINGS)}")
        self.chain = chain
        self.begin = begin
        self.follow = follow_named(chain)
        self.spec.step = step
        self.spec.restart = INT64_MIN if restart is None else restart
        self.is_numbered = chain in NUMBERED
        self.counts_all = chain == "per_connection"
        self.takes_turns = not self.is_numbered and begin == "in_band"
        self.begins_anyhow = begin != "in_band"
        self.goes_on_anyhow = begin == "empty"

    cdef int refuse(self) noexcept nogil:
        self.n_withheld += 1
        return REFUSE

    cdef int admit(
        self, int32_t symbol, const Delta* delta, bint is_snapshot, int32_t conn,
        int64_t ts_recv_ns, uint64_t hash
    ) noexcept nogil:
        """Say whether a message of a book may be published.

        Shape    one message; `symbol` is its code in the feed's dictionary, >= 0; `hash` is that
                 of its text, where other connections may bring it too.
        Units    the venue's numbers, INT64_MIN where it sent none; ns since the epoch.
        Returns  ADMIT or REFUSE. Never raises.
        Threads  the decoder's only.
        Memory   grows when a symbol is new, by doubling; else none.
        Source   the venue's chain, in `_chains`.
        """
        cdef Followed* state
        cdef Relation relation
        cdef bint is_others
        if symbol < 0 or (symbol >= self.n_symbols and not self.grow(<int64_t> symbol + 1)):
            return self.refuse()
        state = &self.symbols[symbol]
        is_others = state.phase == Phase.LIVE and state.conn != conn
        if is_snapshot or (self.spec.restart != INT64_MIN and delta.last == self.spec.restart):
            # Of two connections that bring the same, the one that is behind has nothing new.
            if is_others and self.is_shared and self.is_numbered and delta.last <= state.last_id \
                    and delta.last != self.spec.restart and not state.is_ahead:
                return self.refuse()
            # Without a hash it is no leg: another connection brings nothing any more.
            if hash != 0 and self.takes_turns and state.phase == Phase.LIVE and \
                    self.pass_on(symbol, conn):
                tw_witness_begin(self.witnesses_of(symbol), conn, tw_mono_ns())
                return self.refuse()
            return self.start(symbol, delta, conn, ts_recv_ns)
        if state.phase != Phase.LIVE:
            if self.goes_on_anyhow or (self.begins_anyhow and state.phase == Phase.UNSEEN):
                return self.start(symbol, delta, conn, ts_recv_ns)
            self.enter(state, Phase.WAITING)
            return self.refuse()
        if self.takes_turns:
            if not tw_witness_is_turn(self.witnesses_of(symbol), conn, hash):
                return self.refuse()
        elif is_others and not (self.is_shared and self.is_numbered):
            return self.refuse()
        relation = self.follow(&self.spec, state.last_id, delta)
        if relation == OLD:
            return self.refuse()
        if relation == HOLE:
            return self.hole(symbol, delta, conn, ts_recv_ns)
        self.n_ahead -= state.is_ahead
        state.is_ahead = False
        state.last_id = delta.last
        state.before_ns = state.good_ns
        state.good_ns = ts_recv_ns
        self.n_followed += not self.counts_all
        return ADMIT

    cdef int start(
        self, int32_t symbol, const Delta* delta, int32_t conn, int64_t ts_recv_ns
    ) noexcept nogil:
        cdef Followed* state = &self.symbols[symbol]
        if self.takes_turns:
            state.begun_mono_ns = tw_mono_ns()
            tw_witness_start(self.witnesses_of(symbol), conn, state.begun_mono_ns)
        self.enter(state, Phase.LIVE)
        state.conn = conn
        state.last_id = delta.last
        state.has_begun = True
        state.begun_ns = state.before_ns = state.good_ns = ts_recv_ns
        self.n_begun += 1
        self.tell()
        return ADMIT

    # Turns.

    cdef tw_witness* witnesses_of(self, int32_t symbol) noexcept nogil:
        return &self.witnesses[symbol * TW_MOST_WITNESSES]

    cdef bint pass_on(self, int32_t symbol, int32_t conn) noexcept nogil:
        # Let another connection have a symbol; False where none could go on with it.
        cdef Followed* state = &self.symbols[symbol]
        cdef tw_witness* next = tw_witness_heir(self.witnesses_of(symbol), conn, tw_mono_ns())
        if next == NULL:
            return False
        next.is_in_step = True
        if state.conn == conn:
            state.conn = next.conn
        return True

    cdef bint has(self, int32_t symbol, int64_t mono_ns) noexcept nogil:
        if not 0 <= symbol < self.n_symbols:
            return False
        return self.symbols[symbol].phase == Phase.LIVE and \
            mono_ns >= self.symbols[symbol].begun_mono_ns

    cdef void keep_step(self, int32_t symbol, int32_t conn) noexcept nogil:
        tw_witness_keep_step(self.witnesses_of(symbol), conn, tw_mono_ns())

    def leave(self, int32_t symbol, int32_t conn) -> None:
        """Note that a connection has ended, and others bring the symbol: one of them goes on.

        Where none is in step with it, its chain breaks.
        """
        if not self.takes_turns or not 0 <= symbol < self.n_symbols:
            return
        tw_witness_leave(self.witnesses_of(symbol), conn)
        if self.symbols[symbol].phase == Phase.LIVE and self.symbols[symbol].conn == conn:
            if not self.pass_on(symbol, conn):
                self.break_chain(&self.symbols[symbol], 0, Cause.CONNECTION)

    cdef int hole(
        self, int32_t symbol, const Delta* delta, int32_t conn, int64_t ts_recv_ns
    ) noexcept nogil:
        cdef Followed* state = &self.symbols[symbol]
        if self.is_shared and self.is_numbered:
            if delta.last <= state.last_id:
                return self.refuse()    # behind, by more than one
            if not state.is_ahead:
                state.is_ahead = True
                state.ahead_ns = tw_mono_ns()
                self.n_ahead += 1
                self.tell()
            with gil:
                state.n_ahead = missing_of(self.chain, &self.spec, state.last_id, delta)
            return self.refuse()
        with gil:
            self.break_chain(
                state, missing_of(self.chain, &self.spec, state.last_id, delta), Cause.NUMBERS
            )
        if self.goes_on_anyhow:
            return self.start(symbol, delta, conn, ts_recv_ns)
        return self.refuse()

    cdef void mismatch(self, int32_t symbol) noexcept nogil:
        cdef Followed* state = &self.symbols[symbol]
        if state.phase == Phase.LIVE:
            self.n_withheld += 1
            state.good_ns = state.before_ns
            self.break_chain(state, 0, Cause.CHECKSUM)

    cdef int break_connection(
        self, int32_t conn, int64_t n_missing, int64_t good_ns, int64_t found_ns
    ) except -1:
        cdef int64_t code
        cdef tw_witness* own
        cdef bint has_heir
        for code in range(self.n_symbols):
            has_heir = False
            if self.takes_turns and self.symbols[code].phase == Phase.LIVE:
                own = tw_witness_of(self.witnesses_of(<int32_t> code), conn)
                has_heir = self.pass_on(<int32_t> code, conn)
                if own != NULL and has_heir:    # out of step
                    tw_witness_begin(self.witnesses_of(<int32_t> code), conn, tw_mono_ns())
            if has_heir:
                continue
            if self.symbols[code].phase == Phase.LIVE and self.symbols[code].conn == conn:
                self.symbols[code].good_ns = good_ns
                self.break_chain(&self.symbols[code], n_missing, Cause.CONNECTION)
        self.broken_connections.append((conn, n_missing, good_ns, found_ns))
        self.n_breaks += 1
        self.tell()
        return 0

    # From Python.

    def doubt(self, int32_t symbol, int64_t good_ns) -> bool:
        """Break the chain of a symbol whose book was found to be wrong by other means.

        Parameters
        ----------
        symbol
            The symbol's code.
        good_ns
            ts_recv up to which the book is known to be right.

        Returns
        -------
        bool
            False where it has no book now.
        """
        if self.phase(symbol) != PHASES[Phase.LIVE]:
            return False
        cdef Followed* state = &self.symbols[symbol]
        state.good_ns = min(good_ns, state.good_ns)
        self.break_chain(state, 0, Cause.ORACLE)
        return True

    def offer(
        self, int32_t symbol, *, int64_t first=INT64_MIN, int64_t last=INT64_MIN,
        int64_t prev=INT64_MIN, bint is_snapshot=False, int32_t conn=0, int64_t ts_recv=0,
        uint64_t text_hash=0,
    ) -> str:
        """Ask as the decoder does.

        Parameters
        ----------
        symbol
            The symbol's code.
        first, last, prev
            The message's numbers; left out where it has none.
        is_snapshot
            Whether it is one.
        conn, ts_recv
            Its connection, and when it came.
        text_hash
            Of its text, where other connections may bring it too.

        Returns
        -------
        str
            `admit` or `refuse`.
        """
        cdef Delta delta = Delta(first=first, last=last, prev=prev)
        return VERDICTS[self.admit(symbol, &delta, is_snapshot, conn, ts_recv, text_hash)]

    def copy(self, int32_t symbol, int32_t conn, int64_t mono_ns) -> bool:
        """Offer a copy of a change, as the decoder does.

        Parameters
        ----------
        symbol, conn
            The symbol's code, and the connection that brings it.
        mono_ns
            When the first copy was taken, by the monotonic clock.

        Returns
        -------
        bool
            Whether it is left out; False where that was before the book's snapshot.
        """
        if not self.has(symbol, mono_ns):
            return False
        self.keep_step(symbol, conn)
        return True

    def break_counted(self, int32_t conn, int64_t n_missing, int64_t good_ns, int64_t found_ns):
        """Note a hole of a connection, as the decoder does.

        Parameters
        ----------
        conn, n_missing
            The connection, and how many of its messages are missing.
        good_ns, found_ns
            `ts_recv` of the last message before, and of the first one after.
        """
        self.break_connection(conn, n_missing, good_ns, found_ns)

    def give_up_holes(self, int64_t wait_ns):
        """Break the chains whose hole no connection has filled in some time.

        Parameters
        ----------
        wait_ns
            How long one may take; 0: break all.
        """
        cdef int64_t now_ns = tw_mono_ns()
        cdef int64_t code
        cdef Followed* state
        for code in range(self.n_symbols if self.n_ahead else 0):
            state = &self.symbols[code]
            if state.is_ahead and now_ns - state.ahead_ns >= wait_ns:
                self.break_chain(state, state.n_ahead, Cause.NUMBERS)

    def hand_over(self, int32_t symbol, int32_t conn) -> None:
        """Note that only this connection brings a symbol from now on.

        A chain whose numbers are not the symbol's own breaks, where another one had begun it.
        """
        if not 0 <= symbol < self.n_symbols:
            return
        cdef Followed* state = &self.symbols[symbol]
        if state.phase != Phase.LIVE or state.conn == conn:
            return
        if self.is_numbered:
            state.conn = conn
        else:
            self.break_chain(state, 0, Cause.CONNECTION)

    def reset(self, int32_t symbol) -> None:
        """Forget a symbol: its connection has ended, or it is asked for again."""
        if 0 <= symbol < self.n_symbols:
            self.enter(&self.symbols[symbol], Phase.UNSEEN)
            if self.takes_turns:
                tw_witnesses_clear(self.witnesses_of(symbol))
