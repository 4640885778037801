"""How a consumer waits for rows and takes them: one object per wait, and no coroutine of Python."""

cimport cython
from libc.stdint cimport int64_t

from tickwire.net._wakes cimport LoopCalls, Waiter
from tickwire.observe._histogram cimport Histogram
from tickwire.ring._batch cimport Row
from tickwire.ring._consumer cimport Consumer
from tickwire.ring._ring cimport Ring
from tickwire.ring._waiters cimport RowsWaiter


# Who waits for the rows of a consumer. The ring holds it, so it does not hold the consumer.
@cython.final
cdef class Getters(RowsWaiter):
    cdef Ring ring
    cdef Consumer rows
    cdef LoopCalls calls            # of the loop in which they wait; None before the first
    cdef Waiter first               # who is woken next; None: none waits
    cdef list others                # those behind it, in order
    cdef double linger_s            # 0: a publish wakes at once
    cdef int64_t enough_rows        # so many end a linger
    cdef object timer               # of a linger that runs
    cdef bint is_armed              # the ring calls
    cdef bint is_late               # ... at the end of the linger
    cdef bint is_over               # the linger is
    cdef int64_t near_end_ns        # a read from then on ends the linger, monotonic

    cdef void add(self, Waiter waiter) except *
    cdef Waiter take_first(self)
    cdef bint is_due(self) except -1
    cdef int wake_next(self, bint at_read_end) except -1
    cpdef Waiter wait(self)
    cpdef void arm(self)
    cpdef void note_taken(self)


cdef class Taking:
    cdef readonly Getters _getters
    cdef readonly Consumer rows
    cdef public object _put         # deque of batches
    cdef public object _putters     # deque of futures
    cdef public object _joiners     # deque of futures
    cdef public object _left        # rows still to give once it is shut down; else None
    cdef public Histogram _latency
    cdef public bint _detached
    cdef public int64_t _unfinished
    cdef bint checks                # `_before_take` has something to do
    cdef int64_t max_rows
    cdef int form
    cdef readonly Row _row          # of rows: the one that is given

    cdef object poll(self)
    cdef object take(self)
    cdef int note_ages(self) except -1


@cython.final
cdef class Next:
    cdef Taking consumer            # None once it is over
    cdef Waiter waiter              # that the task waits for
    cdef bint has_item

    cdef object step(self)
    cdef void give_up(self)
