"""What is asked of every kind of followed book: who waits, and one call for who listens."""

from libc.stdint cimport int64_t

cdef enum:
    WAITS = 1   # for a snapshot: the same number among the phases of each kind


cdef class BookNews:
    cdef readonly int64_t n_waiting     # symbols that wait for a snapshot
    cdef readonly int64_t n_breaks      # chains, since the start: cheap to poll
    cdef readonly int64_t n_ahead       # symbols with a hole that another connection may fill
    cdef int64_t n_symbols              # of which there is memory, by code
    cdef object on_news                 # called when something has happened; once
    cdef bint is_heard                  # it is no None, and was not called

    cdef void tell(self) noexcept nogil
    cdef int phase_of(self, int64_t symbol) noexcept nogil
