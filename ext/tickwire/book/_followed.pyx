"""Where each symbol's book stands with its follower, and what has happened to it.

Rules of this file
------------------
- A symbol is UNSEEN, WAITING for a snapshot, or LIVE. What leads from one to another is for
  `_follower` to say.
- News is kept until it is taken (`_news`). Of several breaks between two looks the first says
  where the gap begins.
"""

from libc.stdint cimport int64_t
from libc.stdlib cimport free

from tickwire.book._news cimport BookNews

cdef extern from "tickwire/book/grown.h" nogil:
    void* tw_grown(void* slots, int64_t n, int64_t size, size_t slot_bytes)

# Python's names for Cause and Phase.
CAUSES = ("numbers", "checksum", "connection", "oracle")
PHASES = ("unseen", "waiting", "live")


cdef class FollowedBooks(BookNews):
    """Keep where each symbol stands, and what has happened since the last look."""

    def __cinit__(self, *_args, **_options):
        self.broken_connections = []

    def __dealloc__(self):
        free(self.symbols)
        free(self.witnesses)

    cdef bint grow(self, int64_t n) noexcept nogil:
        # Only when a new symbol comes; doubling keeps it rare.
        cdef int64_t size = max(n, 2 * self.n_symbols, 64)
        cdef Followed* larger
        cdef tw_witness* more
        cdef int64_t i
        if self.takes_turns:
            more = <tw_witness*> tw_grown(
                self.witnesses, self.n_symbols, size, TW_MOST_WITNESSES * sizeof(tw_witness)
            )
            if more == NULL:
                return False
            self.witnesses = more
            for i in range(self.n_symbols, size):
                tw_witnesses_clear(&more[i * TW_MOST_WITNESSES])
        larger = <Followed*> tw_grown(self.symbols, self.n_symbols, size, sizeof(Followed))
        if larger == NULL:
            return False
        self.symbols = larger
        self.n_symbols = size
        return True

    cdef int phase_of(self, int64_t symbol) noexcept nogil:
        return self.symbols[symbol].phase

    cdef void enter(self, Followed* state, int phase) noexcept nogil:
        if phase == Phase.WAITING and state.phase != Phase.WAITING:
            self.tell()
        self.n_waiting += (phase == Phase.WAITING) - (state.phase == Phase.WAITING)
        self.n_ahead -= state.is_ahead
        state.is_ahead = False
        state.phase = phase

    cdef void break_chain(self, Followed* state, int64_t n_missing, int cause) noexcept nogil:
        if not state.is_broken:
            state.broken_ns = state.good_ns
            state.n_missing = 0
            state.cause = cause
        state.n_missing += n_missing
        state.is_broken = True
        self.n_breaks += 1
        self.tell()
        self.enter(state, Phase.WAITING)

    # From Python.

    def take_news(self) -> list[tuple[int, str, int, int | None, int]]:
        """Give what has happened to symbols since the last call, each in the order of events.

        Returns
        -------
        list of tuple of int, str, int, int or None, and int
            Symbol code; `begun`, or what broke the chain, one of `CAUSES`;
            `ts_recv` of the snapshot, or of the last message before the break; how many messages or
            ids are missing, None where that is not known; the connection.
        """
        cdef int64_t code
        cdef Followed* state
        news = []
        for code in range(self.n_symbols):
            state = &self.symbols[code]
            begun = [(code, "begun", state.begun_ns, None, state.conn)] if state.has_begun else []
            broken = []
            if state.is_broken:
                n_missing = state.n_missing if state.n_missing > 0 else None
                broken = [(code, CAUSES[state.cause], state.broken_ns, n_missing, state.conn)]
            news += broken + begun if state.phase == Phase.LIVE else begun + broken
            state.has_begun = state.is_broken = False
        return news

    def take_broken_connections(self) -> list[tuple[int, int, int, int]]:
        """Give the connections of which messages are missing, since the last call.

        Returns
        -------
        list of tuple of int, int, int and int
            Its number, how many are missing, and `ts_recv` of the last message before and of the
            first one after.
        """
        broken, self.broken_connections = self.broken_connections, []
        return broken

    def phase(self, int32_t symbol) -> str:
        """Give where a symbol stands: `unseen`, `waiting` or `live`."""
        if symbol < 0 or symbol >= self.n_symbols:
            return PHASES[0]
        return PHASES[self.symbols[symbol].phase]
