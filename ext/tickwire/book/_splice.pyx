"""The splice of a REST snapshot into a stream of book deltas, symbol by symbol.

Rules of this file
------------------
- A symbol goes UNSEEN -> WAITING (its deltas are held) -> SNAPPED (a snapshot has come, the delta
  that overlaps it has not) -> LIVE (each delta follows the last one). A break of the chain leads
  back to WAITING, and the delta that showed it is the first one held.
- Whether a delta follows is for the venue's rule to say (`_rules`).
- Where several connections bring the same deltas (`is_shared`), one may be ahead of the others. A
  hole is no break then, before the others have had time to fill it: the delta is held, and what
  fills the hole releases it.
- When the snapshot has come, the deltas held are released: the decoder asks for one after the
  other (`next_due`) and publishes them before any newer message, as rings have room.
- A connection that ends takes away what waits for a snapshot, but not what is being released: its
  chains are forgotten only behind that.
"""

cimport cython
from libc.stdint cimport INT64_MIN, int32_t, int64_t
from libc.stdlib cimport free
from libc.string cimport memset

from tickwire.book._held cimport HeldDelta, HeldDeltas
from tickwire.book._news cimport WAITS, BookNews
from tickwire.book._rules cimport HOLE, OLD, Delta, Relation, rule_named

cdef extern from "tickwire/book/grown.h" nogil:
    void* tw_grown(void* slots, int64_t n, int64_t size, size_t slot_bytes)

cdef extern from "tickwire/base/clock.h" nogil:
    int64_t tw_mono_ns()

cdef enum Phase:
    UNSEEN = 0
    WAITING = WAITS
    SNAPPED = 2
    LIVE = 3

PHASES = ("unseen", "waiting", "snapped", "live")
# Python's names for what `Admit` says.
VERDICTS = ("admit", "hold", "refuse")


cdef int64_t missing_ids(int64_t last_id, const Delta* delta) noexcept nogil:
    """How many ids lie between a book and a delta; 0 where they go backwards, or too far."""
    if delta.first <= last_id or last_id < 0:
        return 0
    return delta.first - last_id - 1


@cython.final
cdef class BookSplice(BookNews):
    """Decide which book deltas may be published, and hold those that cannot be yet.

    One for each source; all calls come from the thread that decodes.

    Parameters
    ----------
    rule
        One of `RULES`, as a venue's `BookRule` says.
    hold_bytes
        Bound of the deltas that wait for snapshots.
    """

    def __cinit__(self, str rule, int64_t hold_bytes=67_108_864):
        self.rule = rule
        self.compare = rule_named(rule)
        self.held = HeldDeltas(hold_bytes)
        self.releasing = {}

    def __dealloc__(self):
        free(self.symbols)

    cdef bint grow(self, int64_t n) noexcept nogil:
        # Only when a new symbol comes; doubling keeps it rare.
        cdef int64_t size = max(n, 2 * self.n_symbols, 64)
        cdef SymbolState* larger = <SymbolState*> tw_grown(
            self.symbols, self.n_symbols, size, sizeof(SymbolState)
        )
        if larger == NULL:
            return False
        self.symbols = larger
        self.n_symbols = size
        return True

    cdef int phase_of(self, int64_t symbol) noexcept nogil:
        return self.symbols[symbol].phase

    cdef int await_snapshot(self, SymbolState* state) noexcept nogil:
        if state.phase != Phase.WAITING:
            state.phase = Phase.WAITING
            self.n_waiting += 1
            self.tell()
        return Admit.HOLD

    cdef int admit(self, int32_t symbol, const Delta* delta) noexcept nogil:
        """Say whether a delta may be published, must wait, or is too old.

        Shape    one delta; `symbol` is its code in the feed's dictionary, >= 0.
        Units    the venue's update ids; INT64_MIN where it sent none.
        Returns  ADMIT, HOLD (also where the chain breaks) or REFUSE. Never raises.
        Threads  the decoder's only.
        Memory   grows when a symbol is new, by doubling; else none.
        Source   the venue's rule, in `_rules`.
        """
        cdef SymbolState* state
        cdef Relation relation
        if symbol < 0 or delta.first == INT64_MIN or delta.last == INT64_MIN:
            return Admit.REFUSE
        if symbol >= self.n_symbols and not self.grow(<int64_t> symbol + 1):
            return Admit.REFUSE
        state = &self.symbols[symbol]
        if state.phase == Phase.LIVE:
            relation = self.compare.after_delta(state.last_id, delta)
        elif state.phase == Phase.SNAPPED:
            relation = self.compare.after_snapshot(state.last_id, delta)
        else:
            return self.await_snapshot(state)
        if relation == OLD:
            return Admit.REFUSE
        if relation == HOLE:
            if self.is_shared or state.is_ahead:
                return self.await_other(state)
            self.break_chain(state, delta)
            return Admit.HOLD
        state.phase = Phase.LIVE
        state.last_id = delta.last
        if state.is_ahead:
            with gil:
                self.releasing.setdefault(symbol, False)
                self.n_releasing = len(self.releasing)
        return Admit.ADMIT

    cdef int await_other(self, SymbolState* state) noexcept nogil:
        if not state.is_ahead or state.ahead_id != state.last_id:
            self.n_ahead += not state.is_ahead
            state.is_ahead = True
            state.ahead_id = state.last_id
            state.ahead_ns = tw_mono_ns()
            self.tell()
        return Admit.HOLD

    cdef void catch_up(self, SymbolState* state) noexcept nogil:
        self.n_ahead -= state.is_ahead
        state.is_ahead = False

    cdef void break_chain(self, SymbolState* state, const Delta* delta) noexcept nogil:
        """A hole that nothing fills: the book needs another snapshot."""
        if state.phase != Phase.WAITING:
            state.is_broken = True
            state.n_missing = missing_ids(state.last_id, delta)
            self.n_breaks += 1
        self.await_snapshot(state)

    # From Python.

    def give_up_holes(self, int64_t wait_ns):
        """Break the chains whose hole no connection has filled in some time.

        Parameters
        ----------
        wait_ns
            How long one may take; 0: break all.
        """
        cdef int64_t now_ns = tw_mono_ns()
        cdef int64_t code
        cdef SymbolState* state
        cdef HeldDelta oldest
        for code in range(self.n_symbols if self.n_ahead else 0):
            state = &self.symbols[code]
            if not state.is_ahead or now_ns - state.ahead_ns < wait_ns or code in self.releasing:
                continue
            oldest = self.held.oldest(<int32_t> code)
            self.catch_up(state)
            if oldest is not None:
                self.break_chain(state, &oldest.delta)

    cdef int hold(
        self, int32_t symbol, const Delta* delta, bytes payload, int64_t ts_recv_ns,
        int64_t mono_ns, int32_t conn, object origin
    ) except -1:
        cdef HeldDelta held = HeldDelta()
        held.symbol = symbol
        held.delta = delta[0]
        held.payload = payload
        held.ts_recv_ns = ts_recv_ns
        held.mono_ns = mono_ns
        held.conn = conn
        held.origin = origin
        return self.held.add(held, self.is_shared or self.symbols[symbol].is_ahead)

    # Release.

    cdef HeldDelta next_due(self):
        cdef int32_t symbol
        cdef HeldDelta held
        while self.n_releasing:
            symbol = next(iter(self.releasing))
            # A hole between two held deltas leads back to WAITING: the rest needs a snapshot too.
            if self.symbols[symbol].phase != Phase.WAITING:
                held = self.held.oldest(symbol)
                if held is not None:
                    return held
            self.stop_releasing(symbol)
        return None

    cdef int settle(self, HeldDelta held) except -1:
        cdef int answer = self.admit(held.symbol, &held.delta)
        if answer != Admit.HOLD:
            self.held.remove_oldest(held.symbol)
        else:
            self.stop_releasing(held.symbol)
        return answer

    cdef int discard(self, HeldDelta held) except -1:
        return self.held.remove_oldest(held.symbol)

    cdef int stop_releasing(self, int32_t symbol) except -1:
        has_ended = self.releasing.pop(symbol)
        self.n_releasing = len(self.releasing)
        if self.held.oldest(symbol) is None:
            self.catch_up(&self.symbols[symbol])
        if has_ended:
            self.reset(symbol)
        return 0

    def drop_unreleased(self) -> list[tuple[int, int, int, int]]:
        """Forget the deltas that have their snapshot and did not fit into the rings.

        Returns
        -------
        list of tuple of int, int, int and int
            Symbol code, connection, and `ts_recv` of the first and the last delta, ns.
        """
        cdef HeldDelta first, last
        dropped = []
        for symbol in list(self.releasing):
            first, last = self.held.oldest(symbol), self.held.newest(symbol)
            if first is not None:
                dropped.append((symbol, first.conn, first.ts_recv_ns, last.ts_recv_ns))
            self.held.drop(symbol)
        self.releasing.clear()
        self.n_releasing = 0
        return dropped

    def end(self, int32_t symbol) -> None:
        """Forget a symbol, because its connection has ended.

        What has its snapshot and only waits for room is released first: it was received.
        """
        if symbol in self.releasing:
            self.releasing[symbol] = True
        else:
            self.reset(symbol)

    # From Python.

    def doubt(self, int32_t symbol) -> bool:
        """Break the chain of a symbol whose book was found to be wrong by other means.

        Parameters
        ----------
        symbol
            Its code.

        Returns
        -------
        bool
            False where it has no book now.
        """
        if self.phase(symbol) != PHASES[Phase.LIVE] or symbol in self.releasing:
            return False
        cdef SymbolState* state = &self.symbols[symbol]
        self.catch_up(state)
        state.is_broken = True
        state.n_missing = 0
        self.n_breaks += 1
        self.await_snapshot(state)
        return True

    def offer(
        self, int32_t symbol, int64_t first, int64_t last, int64_t prev, *, bytes payload=b"",
        int64_t ts_recv=0, int32_t conn=0,
    ) -> str:
        """Ask as the decoder does, and hold what must wait.

        Parameters
        ----------
        symbol
            The symbol's code.
        first, last, prev
            The delta's update ids.
        payload, ts_recv, conn
            Its message, when it came, and by which connection.

        Returns
        -------
        str
            `admit`, `hold` or `refuse`.
        """
        cdef Delta delta = Delta(first=first, last=last, prev=prev)
        cdef int answer = self.admit(symbol, &delta)
        if answer == Admit.HOLD:
            self.hold(symbol, &delta, payload, ts_recv, 0, conn, None)
        return VERDICTS[answer]

    def release(self) -> list[int]:
        """Let out all held deltas that the snapshots allow, as into rings with room for all.

        Returns
        -------
        list of int
            The last ids of those that may be published.
        """
        cdef HeldDelta held
        admitted = []
        while (held := self.next_due()) is not None:
            if self.settle(held) == Admit.ADMIT:
                admitted.append(held.delta.last)
        return admitted

    def wants(self, int32_t symbol, *, bint early=False) -> bool:
        """Tell whether a snapshot of the symbol would be used.

        Parameters
        ----------
        symbol
            Its code.
        early
            Before the first delta too, not only while deltas wait for it.
        """
        cdef int phase = Phase.UNSEEN
        if 0 <= symbol < self.n_symbols:
            phase = self.symbols[symbol].phase
        return phase == Phase.WAITING or (early and symbol >= 0 and phase == Phase.UNSEEN)

    def fits(self, int32_t symbol, int64_t last_id) -> bool:
        """Tell whether a snapshot with this id reaches the oldest delta held.

        False means that updates between the two are missing: fetch a newer one. True where
        nothing is held; the first delta to come then decides.
        """
        cdef HeldDelta oldest = self.held.oldest(symbol)
        return oldest is None or self.compare.after_snapshot(last_id, &oldest.delta) != HOLE

    def snapshot(self, int32_t symbol, int64_t last_id) -> None:
        """Note that the rows of a snapshot with this last update id have been published.

        The deltas held are due then: `n_releasing`.

        Raises
        ------
        ValueError
            Where `symbol` is no code.
        MemoryError
            Where there is no memory for it.
        """
        if symbol < 0:
            raise ValueError(f"{symbol} is no symbol code")
        if symbol >= self.n_symbols and not self.grow(<int64_t> symbol + 1):
            raise MemoryError
        cdef SymbolState* state = &self.symbols[symbol]
        if state.phase == Phase.WAITING:
            self.n_waiting -= 1
        state.phase = Phase.SNAPPED
        state.last_id = last_id
        if self.held.oldest(symbol) is not None:
            self.releasing.setdefault(symbol, False)
            self.n_releasing = len(self.releasing)

    def reset(self, symbol: int | None = None) -> None:
        """Forget a symbol, or all, and what is held for it."""
        cdef int64_t start = 0
        cdef int64_t stop = self.n_symbols
        cdef int64_t code
        if symbol is not None:
            if symbol < 0 or symbol >= self.n_symbols:
                return
            start = symbol
            stop = start + 1
        for code in range(start, stop):
            if self.symbols[code].phase == Phase.WAITING:
                self.n_waiting -= 1
            self.catch_up(&self.symbols[code])
            memset(&self.symbols[code], 0, sizeof(SymbolState))
            self.held.drop(<int32_t> code)
            self.releasing.pop(code, None)
        self.n_releasing = len(self.releasing)

    def take_broken(self) -> list[tuple[int, int | None]]:
        """Give the symbols whose chain broke since the last call.

        Returns
        -------
        list of tuple of int and int or None
            The symbol's code, and how many ids are missing; None where the ids do not tell.
        """
        cdef int64_t code
        broken = []
        for code in range(self.n_symbols):
            if self.symbols[code].is_broken:
                self.symbols[code].is_broken = False
                n_missing = self.symbols[code].n_missing
                broken.append((code, n_missing if n_missing > 0 else None))
        return broken

    def phase(self, int32_t symbol) -> str:
        """Give where a symbol stands: `unseen`, `waiting`, `snapped` or `live`."""
        if symbol < 0 or symbol >= self.n_symbols:
            return PHASES[0]
        return PHASES[self.symbols[symbol].phase]

    def last_id(self, int32_t symbol) -> int | None:
        """Give the last update id delivered, of the snapshot or of a delta; None before one."""
        if symbol < 0 or symbol >= self.n_symbols or self.symbols[symbol].phase < Phase.SNAPPED:
            return None
        return self.symbols[symbol].last_id
