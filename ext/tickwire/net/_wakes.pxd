"""What a task waits for that a read of a socket wakes."""

cimport cython
from cpython.object cimport PyObject


@cython.final
@cython.freelist(16)
cdef class Waiter:
    cdef object loop
    cdef object callback                    # of the task; None before it waits, and once woken
    cdef object context                     # of the callback
    cdef object message                     # of a cancellation
    cdef public bint _asyncio_future_blocking
    cdef int state
    cdef PyObject* following                # woken in the same read, owned

    cdef bint wake(self, bint at_read_end) except -1
    cdef bint wake_here(self) except -1
    cdef int tell(self) except -1
    cdef int schedule(self) except -1

cdef Waiter new_waiter(object loop)

# A read of a connection, from before its bytes are parsed until nothing is left to do for it.
cdef void begin_read(const void* reader) noexcept
cdef void end_read(bint may_tell) noexcept
# What is being read for in this thread; NULL outside of a read.
cdef const void* reader_now() noexcept
