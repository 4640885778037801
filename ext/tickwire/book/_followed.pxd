"""Where each symbol's book stands with its follower, and what has happened to it."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from tickwire.book._news cimport WAITS, BookNews

cdef extern from "tickwire/book/witnesses.h" nogil:
    enum:
        TW_MOST_WITNESSES

    ctypedef struct tw_witness:
        int32_t conn
        uint8_t is_in_step
        uint8_t has_pending
        uint64_t pending
        int64_t begun_ns

    void tw_witnesses_clear(tw_witness* all)
    tw_witness* tw_witness_of(tw_witness* all, int32_t conn)
    tw_witness* tw_witness_begin(tw_witness* all, int32_t conn, int64_t now_ns)
    void tw_witness_start(tw_witness* all, int32_t conn, int64_t now_ns)
    tw_witness* tw_witness_heir(tw_witness* all, int32_t conn, int64_t now_ns)
    bint tw_witness_is_turn(tw_witness* all, int32_t conn, uint64_t hash)
    void tw_witness_keep_step(tw_witness* all, int32_t conn, int64_t now_ns)
    void tw_witness_leave(tw_witness* all, int32_t conn)

cdef enum Phase:
    UNSEEN = 0
    WAITING = WAITS
    LIVE = 2

cdef enum Cause:
    NUMBERS = 0
    CHECKSUM = 1
    CONNECTION = 2
    ORACLE = 3

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


cdef class FollowedBooks(BookNews):
    cdef readonly int64_t n_begun       # snapshots that began a book, since the start
    cdef readonly bint takes_turns      # connections that bring the same take turns: witnesses
    cdef Followed* symbols              # owned; indexed by symbol code
    cdef tw_witness* witnesses          # owned; TW_MOST_WITNESSES of each symbol, or NULL
    cdef list broken_connections

    cdef bint grow(self, int64_t n) noexcept nogil
    cdef void enter(self, Followed* state, int phase) noexcept nogil
    cdef void break_chain(self, Followed* state, int64_t n_missing, int cause) noexcept nogil
