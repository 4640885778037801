"""Books that begin in band, symbol by symbol: which of their messages may be published."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from tickwire.book._chains cimport Chain, Follow
from tickwire.book._rules cimport Delta

cdef struct Followed:
    uint8_t phase           # Phase
    uint8_t has_begun       # with a snapshot, since the last `take_news`
    uint8_t is_broken       # likewise
    uint8_t cause           # Cause, of the break
    uint8_t is_ahead        # a hole that another connection may fill
    int32_t conn            # whose snapshot it began with
    int64_t last_id
    int64_t n_missing       # messages or ids, at the break; 0 where they do not tell
    int64_t begun_ns        # ts_recv of the snapshot
    int64_t begun_mono_ns   # and when it was taken, by the monotonic clock
    int64_t good_ns         # ts_recv of the last message admitted
    int64_t before_ns       # and of the one before that
    int64_t broken_ns       # and of the last one before the break
    int64_t ahead_ns        # by the monotonic clock
    int64_t n_ahead         # messages or ids of that hole


# Where several connections bring the same book, whose changes have no numbers of its own.
cdef enum:
    MOST_WITNESSES = 8      # connections of a symbol at a time

cdef struct Witness:
    int32_t conn            # -1: none
    uint8_t is_in_step      # what it brings next is the book's next change, or has been taken
    uint8_t has_pending
    uint64_t pending        # hash of the last of its changes that was not taken
    int64_t begun_ns        # when its snapshot came, or a hole, by the monotonic clock


@cython.final
cdef class BookFollower:
    cdef readonly str chain
    cdef readonly str begin
    cdef readonly int64_t n_waiting     # symbols that wait for a snapshot
    cdef readonly int64_t n_breaks      # chains, since the start: cheap to poll
    cdef readonly int64_t n_begun       # snapshots that began a book, since the start
    cdef readonly int64_t n_followed    # messages that were compared with one before, and fit
    cdef readonly int64_t n_withheld    # messages that were not published
    cdef public bint is_shared          # several connections bring the same
    cdef readonly int64_t n_ahead       # symbols with a hole that another connection may fill
    cdef readonly bint counts_all       # the chain is a connection's
    cdef readonly bint takes_turns      # connections that bring the same take turns: witnesses
    cdef bint is_numbered
    cdef bint begins_anyhow             # with its first message, whatever that is
    cdef bint goes_on_anyhow            # after a break, too
    cdef Follow follow
    cdef Chain spec
    cdef Followed* symbols              # owned; indexed by symbol code
    cdef Witness* witnesses             # owned; MOST_WITNESSES of each symbol, where they count
    cdef int64_t n_symbols
    cdef list broken_connections
    cdef object on_news                 # called when something has happened
    cdef bint is_heard                  # it is no None, and was not called

    # ADMIT, or REFUSE: its rows are to be taken back.
    cdef int admit(
        self, int32_t symbol, const Delta* delta, bint is_snapshot, int32_t conn,
        int64_t ts_recv_ns, uint64_t hash
    ) noexcept nogil
    # Whether a change that was taken then is one of the present book: not before its snapshot.
    cdef bint has(self, int32_t symbol, int64_t mono_ns) noexcept nogil
    # A connection has brought a copy of such a change: it is in step.
    cdef void keep_step(self, int32_t symbol, int32_t conn) noexcept nogil
    # The checksum of what was admitted last does not match.
    cdef void mismatch(self, int32_t symbol) noexcept nogil
    # So many messages of a connection are missing between two that came then.
    cdef int break_connection(
        self, int32_t conn, int64_t n_missing, int64_t good_ns, int64_t found_ns
    ) except -1

    cdef bint grow(self, int64_t n) noexcept nogil
    cdef Witness* witness(self, int32_t symbol, int32_t conn, bint adds) noexcept nogil
    cdef Witness* heir(self, int32_t symbol, int32_t conn, bint may_be_quiet) noexcept nogil
    cdef bint is_turn(self, int32_t symbol, int32_t conn, uint64_t hash) noexcept nogil
    cdef bint pass_on(self, int32_t symbol, int32_t conn) noexcept nogil
    cdef int start(
        self, int32_t symbol, const Delta* delta, int32_t conn, int64_t ts_recv_ns
    ) noexcept nogil
    cdef int refuse(self) noexcept nogil
    cdef int hole(
        self, int32_t symbol, const Delta* delta, int32_t conn, int64_t ts_recv_ns
    ) noexcept nogil
    cdef void break_chain(self, Followed* state, int64_t n_missing, int cause) noexcept nogil
    cdef void tell(self) noexcept nogil
    cdef void enter(self, Followed* state, int phase) noexcept nogil
