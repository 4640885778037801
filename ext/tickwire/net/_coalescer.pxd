"""Rests between reads: see `_coalescer.pyx`."""

cimport cython
from libc.stdint cimport int64_t

from tickwire.net._direct cimport DirectReader
from tickwire.observe._histogram cimport Histogram


@cython.final
cdef class RestTimer:
    cdef readonly int64_t rest_ns
    cdef object loop
    cdef object handle         # of the loop's own timer, where there is no timerfd
    cdef int fd                # the timerfd; -1 where the system has none
    cdef bint is_armed
    cdef int n_users
    cdef list resting          # coalescers whose rest ends next

    cdef int add(self, Coalescer coalescer) except -1
    cdef int arm(self) except -1
    cdef int use(self) except -1
    cdef int release(self) except -1


@cython.final
cdef class Coalescer:
    cdef object loop
    cdef object transport      # None once it ended
    cdef DirectReader reader   # None where only the transport can read
    cdef int fd                # the connection's socket, owned by the transport
    cdef Histogram rests       # how long each rest was that brought something, or None
    cdef RestTimer timer
    cdef bint is_auto
    cdef bint is_high          # the socket is readable from LOW_WATER_BYTES on only
    cdef bint is_resting
    cdef bint is_listed        # in the list of `timer`
    cdef int hits              # how often a rest brings something, of 256
    cdef int64_t last_ns       # monotonic, of the last read
    cdef int64_t window_ns     # monotonic, from when on messages are counted
    cdef int64_t n_window      # messages of the connection then

    cdef int after_read(self, Py_ssize_t n_bytes, int64_t mono_ns, int64_t n_messages) except -1
    cdef int set_high(self, bint is_high) except -1
    cdef int choose(self, int64_t mono_ns, int64_t n_messages) except -1
    cdef int pause(self) except -1
    cdef int wake(self) except -1
    cdef void learn(self, bint is_hit) noexcept
