"""What a task waits for that a read of a socket wakes."""

cimport cython

cdef extern from "tickwire/net/reads.h":
    ctypedef struct tw_reads:
        int depth
        const void* reader
        int n_in_a_row
        void* first
        void* last

cdef enum:
    # Two of one connection in a row there are where each of several is read once in a turn.
    READS_ALONE = 3


# What each wake asks of an event loop, bound once.
@cython.final
cdef class LoopCalls:
    cdef object loop
    cdef object get_loop        # gives the loop: a weak reference, as nothing is called quicker
    cdef object is_running
    cdef object get_debug
    cdef object done            # a future of the loop, with whose result tasks are resumed

    cdef bint may_resume(self) except -1


@cython.final
cdef class Waiter:
    cdef LoopCalls calls
    cdef object callback                    # of the task; None before it waits, and afterwards
    cdef object context                     # of the callback
    cdef object message                     # of a cancellation
    cdef public bint _asyncio_future_blocking
    cdef int state
    cdef void* following                    # woken in the same read, owned

    cdef bint wake(self, bint at_read_end) except -1
    cdef bint wake_here(self) except -1
    cdef int tell(self) except -1
    cdef int schedule(self) except -1

cdef Waiter new_waiter(LoopCalls calls)

# The reads that this thread is in.
cdef tw_reads* reads_here() noexcept
cdef void tell_woken(tw_reads* reads, bint may_tell) noexcept


cdef inline tw_reads* begin_read(const void* reader) noexcept:
    """A read of a connection begins: tasks are resumed at its end.

    Shape    whose read it is.
    Units    none.
    Returns  what `end_read` takes. Never raises.
    Threads  the loop's thread.
    Memory   none allocated.
    Source   docs/design.md, "Who resumes a task".
    """
    cdef tw_reads* reads = reads_here()
    reads.depth += 1
    if reader != reads.reader:
        reads.reader = reader
        reads.n_in_a_row = 0
    if reads.n_in_a_row < READS_ALONE:
        reads.n_in_a_row += 1
    return reads


cdef inline void end_read(tw_reads* reads, bint may_tell) noexcept:
    """Nothing is left to do for a read: resume who was woken in it, or let the loop do so.

    Shape    what `begin_read` gave; `may_tell`: resume them here.
    Units    none.
    Returns  nothing. Never raises.
    Threads  the loop's thread.
    Memory   whatever the tasks allocate.
    Source   docs/design.md, "Who resumes a task".
    """
    reads.depth -= 1
    if reads.depth == 0 and reads.first != NULL:
        tell_woken(reads, may_tell)
