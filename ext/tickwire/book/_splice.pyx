"""The splice of a REST snapshot into a stream of book deltas, symbol by symbol.

Rules of this file
------------------
- A symbol goes UNSEEN -> WAITING (its deltas are held) -> SNAPPED (a snapshot has come, the delta
  that overlaps it has not) -> LIVE (each delta follows the last one). A break of the chain leads
  back to WAITING, and the delta that showed it is the first one held.
- The ids of a delta are `first`, `last` (its first and last update) and `prev` (the update that
  must come just before it: Binance's `pu`, on spot `U - 1`).
- `first_is_next` (Binance spot): after a snapshot S drop `last <= S`; the first delta kept has
  `first <= S + 1 <= last`. `first_covers` (Binance futures): drop `last < S`; the first delta kept
  has `first <= S <= last`, or follows the snapshot exactly (`prev == S`), which the venue's words
  leave out although nothing is missing then. Afterwards always `prev == the last delta's last`.
"""

cimport cython
from libc.stdint cimport INT64_MIN, int32_t, int64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memset

from tickwire.ring._admission cimport Admission, Admit

cdef enum Phase:
    UNSEEN = 0
    WAITING = 1
    SNAPPED = 2
    LIVE = 3

PHASES = ("unseen", "waiting", "snapped", "live")
RULES = ("first_is_next", "first_covers")
# Python's names for what `Admit` says.
VERDICTS = ("admit", "hold", "refuse")


@cython.final
cdef class BookSplice(Admission):
    """Decide which book deltas may be published.

    One for each source; all calls come from the thread that decodes.

    Parameters
    ----------
    rule
        `first_is_next` or `first_covers`, as a venue's `BookRule` says.
    """

    def __cinit__(self, str rule):
        if rule not in RULES:
            raise ValueError(f"unknown book rule {rule!r}: one of {', '.join(RULES)}")
        self.rule = rule
        self.covers = rule == "first_covers"
        self.symbols = NULL
        self.n_symbols = 0

    def __dealloc__(self):
        free(self.symbols)

    cdef bint grow(self, int64_t n) noexcept nogil:
        # Only when a new symbol comes; doubling keeps it rare.
        cdef int64_t size = max(n, 2 * self.n_symbols, 64)
        cdef SymbolState* larger = <SymbolState*> realloc(
            self.symbols, <size_t> size * sizeof(SymbolState)
        )
        if larger == NULL:
            return False
        memset(
            larger + self.n_symbols, 0, <size_t> (size - self.n_symbols) * sizeof(SymbolState)
        )
        self.symbols = larger
        self.n_symbols = size
        return True

    cdef int hold(
        self, SymbolState* state, int64_t first, int64_t prev
    ) noexcept nogil:
        if state.phase != Phase.WAITING:
            state.phase = Phase.WAITING
            state.n_held = 0
            self.n_waiting += 1
        if state.n_held == 0:
            state.held_first = first
            state.held_prev = prev
        state.n_held += 1
        return Admit.HOLD

    cdef bint overlaps(self, int64_t last_id, int64_t first, int64_t prev) noexcept nogil:
        # Written without `last_id + 1`, which the largest id would overflow.
        return prev == last_id or first <= last_id or (not self.covers and first - 1 == last_id)

    cdef int admit(
        self, int32_t symbol, int64_t first, int64_t last, int64_t prev
    ) noexcept nogil:
        """Say whether a delta may be published, must wait, or is too old.

        Shape    one delta; `symbol` is its code in the feed's dictionary, >= 0.
        Units    the venue's update ids; INT64_MIN where it sent none.
        Returns  ADMIT, HOLD (also where the chain breaks) or REFUSE. Never raises.
        Threads  the decoder's only.
        Memory   grows when a symbol is new, by doubling; else none.
        Source   Binance, "How to manage a local order book correctly".
        """
        cdef SymbolState* state
        if symbol < 0 or first == INT64_MIN or last == INT64_MIN:
            return Admit.REFUSE
        if symbol >= self.n_symbols and not self.grow(<int64_t> symbol + 1):
            return Admit.REFUSE
        state = &self.symbols[symbol]
        if state.phase == Phase.LIVE:
            if prev == state.last_id:
                state.last_id = last
                return Admit.ADMIT
            if last <= state.last_id:
                return Admit.REFUSE  # a repetition: all of it has been delivered
            state.is_broken = True
            self.n_breaks += 1
            return self.hold(state, first, prev)
        if state.phase == Phase.SNAPPED:
            if last < state.last_id or (last == state.last_id and not self.covers):
                return Admit.REFUSE
            if not self.overlaps(state.last_id, first, prev):
                return self.hold(state, first, prev)
            state.phase = Phase.LIVE
            state.last_id = last
            return Admit.ADMIT
        return self.hold(state, first, prev)

    def offer(self, int32_t symbol, int64_t first, int64_t last, int64_t prev) -> str:
        """Ask as the decoder does, from Python.

        Parameters
        ----------
        symbol
            The symbol's code.
        first, last, prev
            The delta's update ids.

        Returns
        -------
        str
            `admit`, `hold` or `refuse`.
        """
        return VERDICTS[self.admit(symbol, first, last, prev)]

    def waiting(self) -> list[int]:
        """Give the codes of the symbols whose deltas wait for a snapshot."""
        return [
            code for code in range(self.n_symbols) if self.symbols[code].phase == Phase.WAITING
        ]

    def wants(self, int32_t symbol) -> bool:
        """Tell whether a snapshot of the symbol would be used: it is unseen or waits."""
        if symbol < 0 or symbol >= self.n_symbols:
            return symbol >= 0
        return self.symbols[symbol].phase in (Phase.UNSEEN, Phase.WAITING)

    def fits(self, int32_t symbol, int64_t last_id) -> bool:
        """Tell whether a snapshot with this id reaches the oldest delta held.

        False means that updates between the two are missing: fetch a newer one. True where
        nothing is held; the first delta to come then decides.
        """
        if symbol < 0 or symbol >= self.n_symbols:
            return symbol >= 0
        cdef SymbolState* state = &self.symbols[symbol]
        if state.phase != Phase.WAITING or state.n_held == 0:
            return True
        return self.overlaps(last_id, state.held_first, state.held_prev)

    def snapshot(self, int32_t symbol, int64_t last_id) -> None:
        """Note that the rows of a snapshot with this last update id have been published.

        The deltas held are then to be offered again, in order.

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
        state.n_held = 0

    def reset(self, symbol: int | None = None) -> None:
        """Forget a symbol, or all: the connection was lost, or what was held was dropped."""
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
            memset(&self.symbols[code], 0, sizeof(SymbolState))

    def take_broken(self) -> list[int]:
        """Give the codes of the symbols whose chain broke since the last call."""
        cdef int64_t code
        broken = []
        for code in range(self.n_symbols):
            if self.symbols[code].is_broken:
                self.symbols[code].is_broken = False
                broken.append(code)
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
