"""The sweep over a ring's rows: whose each was, and what its stream has had by it."""

cimport cython
from libc.stdint cimport int16_t, int32_t, int64_t

from tickwire.ring._ring cimport Ring
from tickwire.ring._silences cimport SilenceLog
from tickwire.ring._stream_table cimport StreamTable, tw_stream
from tickwire.ring._tw_ring cimport tw_ring


@cython.no_gc_clear     # the ring calls it until it goes
cdef class Sweep:
    cdef readonly SilenceLog silences
    cdef readonly StreamTable table
    cdef tw_ring* core
    cdef const int32_t* symbols     # columns of the ring
    cdef const int32_t* conns
    cdef const int16_t* venues
    cdef const int16_t* channels    # NULL: its rows have none
    cdef const int64_t* events
    cdef int64_t swept              # position; rows below are counted

    @cython.final
    cdef int begin(self, Ring ring) except -1

    @cython.final
    cdef void look(self) noexcept nogil

    @cython.final
    cdef void note(self, int64_t first, int64_t stop) noexcept nogil

    @cython.final
    cdef void note_run(
        self, int32_t session, int32_t symbol, int32_t conn, int64_t begin, int64_t row
    ) noexcept nogil

    @cython.final
    cdef bint is_plain(self, int32_t session) noexcept nogil

    @cython.final
    cdef int64_t note_singles(
        self, int32_t session, int32_t conn, int64_t begin, int64_t stop
    ) noexcept nogil

    @cython.final
    cdef void note_shared(
        self, int32_t session, int32_t symbol, int32_t conn, int64_t begin, int64_t row
    ) noexcept nogil

    @cython.final
    cdef void note_session(
        self, int32_t session, int32_t symbol, int32_t conn, int64_t begin, int64_t row
    ) noexcept nogil

    @cython.final
    cdef void note_channel(
        self, int32_t session, int32_t symbol, int32_t conn, int64_t begin, int64_t row
    ) noexcept nogil

    @cython.final
    cdef int64_t channel_end(self, int64_t row, int64_t stop, int16_t channel) noexcept nogil

    @cython.final
    cdef int64_t n_within(self, int64_t begin, int64_t stop, int64_t since) noexcept nogil

    @cython.final
    cdef int64_t run_end(
        self, int64_t row, int64_t stop, int32_t symbol, int32_t conn
    ) noexcept nogil

    @cython.final
    cdef void count_recovered(self, tw_stream* stream, int64_t begin, int64_t stop) noexcept nogil
