"""Books that begin in band, symbol by symbol: which of their messages may be published."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from tickwire.book._chains cimport Chain, Follow
from tickwire.book._followed cimport Followed, FollowedBooks, tw_witness
from tickwire.book._rules cimport Delta


@cython.final
cdef class BookFollower(FollowedBooks):
    cdef readonly str chain
    cdef readonly str begin
    cdef readonly int64_t n_followed    # messages that were compared with one before, and fit
    cdef readonly int64_t n_withheld    # messages that were not published
    cdef public bint is_shared          # several connections bring the same
    cdef readonly bint counts_all       # the chain is a connection's
    cdef bint is_numbered
    cdef bint begins_anyhow             # with its first message, whatever that is
    cdef bint goes_on_anyhow            # after a break, too
    cdef Follow follow
    cdef Chain spec

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

    cdef tw_witness* witnesses_of(self, int32_t symbol) noexcept nogil
    cdef bint pass_on(self, int32_t symbol, int32_t conn) noexcept nogil
    cdef int start(
        self, int32_t symbol, const Delta* delta, int32_t conn, int64_t ts_recv_ns
    ) noexcept nogil
    cdef int refuse(self) noexcept nogil
    cdef int hole(
        self, int32_t symbol, const Delta* delta, int32_t conn, int64_t ts_recv_ns
    ) noexcept nogil
