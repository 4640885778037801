"""What a task waits for that a read of a socket wakes: resumed at the end of the read itself.

A `Waiter` is to a task what an `asyncio.Future` is, for one task and without a result. A future
tells its task by `call_soon`: a turn of the loop later. Here the callback that has read the socket
may resume the task, once all work for the read is done.

Rules of this file
------------------
- A task is resumed here only where a loop could resume it: in a callback of its loop, outside of
  every task, in the task's own context. Anywhere else, and in debug mode (where the loop measures
  each step), `call_soon` resumes it as a future would.
- Only one connection's reads resume tasks, once it has read several times in a row. Where several
  are read in each turn, the loop resumes: a consumer then takes what all have brought as one batch,
  and a slow one delays the read of no other connection.
- Nothing that a task raises reaches the read. What ends the loop (SystemExit, KeyboardInterrupt) is
  raised by a callback of its own, also where a signal's handler raises it on the way to a task.
- A read may lie inside of another one's task. Only the outermost end of a read resumes tasks.
"""

from cpython.ref cimport Py_DECREF, Py_INCREF

from asyncio import CancelledError, InvalidStateError, _get_running_loop, current_task

cdef extern from *:
    """
    /* Without a call: the struct is small enough for what glibc keeps for such modules. musl keeps
       nothing, and would not load the module. */
    #ifdef __GLIBC__
    __attribute__((tls_model("initial-exec")))
    #endif
    static _Thread_local tw_reads tw_reads_here;
    """
    tw_reads tw_reads_here

cdef extern from "Python.h":
    int PyContext_Enter(object context) except -1
    int PyContext_Exit(object context) except -1

cdef enum State:
    PENDING
    WOKEN
    CANCELLED


cdef class Waiter:
    """What one task waits for; awaited once, as a future is.

    Parameters
    ----------
    loop
        The task's event loop.
    """

    def __init__(self, loop):
        self.loop = loop

    def __await__(self):
        if self.state == PENDING:
            self._asyncio_future_blocking = True
            yield self
        return self.result()

    # What a task asks of a future.

    def get_loop(self):
        """The loop of who waits."""
        return self.loop

    def add_done_callback(self, callback, *, context=None):
        """Have one callback called when it is woken or cancelled."""
        if self.callback is not None:
            raise RuntimeError("a task waits for it already")
        self.callback = callback
        self.context = context
        if self.state != PENDING:
            self.schedule()

    def cancel(self, msg=None):
        """Wake who waits by an error; False where it was woken already."""
        if self.state != PENDING:
            return False
        self.state = CANCELLED
        self.message = msg
        self.schedule()
        return True

    def done(self):
        """Whether it was woken or cancelled."""
        return self.state != PENDING

    def cancelled(self):
        """Whether it was cancelled."""
        return self.state == CANCELLED

    def result(self):
        """Raise where it was cancelled, or not woken yet."""
        if self.state == PENDING:
            raise InvalidStateError("it was not woken yet")
        if self.state == CANCELLED:
            raise CancelledError() if self.message is None else CancelledError(self.message)

    # What wakes it.

    cdef bint wake(self, bint at_read_end) except -1:
        """Wake who waits: at the end of the read that runs, or by the loop's next turn."""
        if self.state != PENDING:
            return False
        self.state = WOKEN
        cdef tw_reads* reads = reads_here()
        if not at_read_end:
            self.schedule()
            return True
        if reads.depth == 0 or reads.n_in_a_row < READS_ALONE:
            tell_one(self, False)
            return True
        Py_INCREF(self)
        if reads.first == NULL:
            reads.first = <void*> self
        else:
            (<Waiter> reads.last).following = <void*> self
        reads.last = <void*> self
        return True

    cdef bint wake_here(self) except -1:
        """Wake who waits at once; for the end of a callback of the loop."""
        if self.state != PENDING:
            return False
        self.state = WOKEN
        self.tell()
        return True

    cdef int tell(self) except -1:
        # Resume the task here if that may be.
        callback = self.callback
        if callback is None:
            return 0
        if self.context is None or _get_running_loop() is not self.loop:
            return self.schedule()
        if self.loop.get_debug() or current_task(self.loop) is not None:
            return self.schedule()
        try:
            PyContext_Enter(self.context)
        except RuntimeError:  # it is the context of the read, or around it
            return self.schedule()
        self.callback = None
        try:
            callback(self)
        except (SystemExit, KeyboardInterrupt) as error:
            self.loop.call_soon(raise_again, error)
        except BaseException as error:
            self.loop.call_exception_handler(
                {"message": f"Exception in callback {callback!r}", "exception": error}
            )
        finally:
            PyContext_Exit(self.context)
        return 0

    cdef int schedule(self) except -1:
        callback = self.callback
        if callback is not None:
            self.loop.call_soon(callback, self, context=self.context)
            self.callback = None  # not where a signal's handler has raised
        return 0


def raise_again(error):
    """Raise what a task has raised; for the loop."""
    raise error


cdef Waiter new_waiter(object loop):
    cdef Waiter waiter = Waiter.__new__(Waiter)
    waiter.loop = loop
    return waiter


cdef tw_reads* reads_here() noexcept:
    return &tw_reads_here


cdef void tell_woken(tw_reads* reads, bint may_tell) noexcept:
    cdef Waiter waiter
    cdef void* woken = reads.first
    # A task that is resumed may read, and wake others.
    reads.first = reads.last = NULL
    while woken != NULL:
        waiter = <Waiter> woken
        Py_DECREF(waiter)
        woken = waiter.following
        waiter.following = NULL
        tell_one(waiter, may_tell)


cdef void tell_one(Waiter waiter, bint may_tell) noexcept:
    # Whatever becomes of this one, the next one has its turn: a loop that is closed is reported.
    try:
        if may_tell:
            waiter.tell()
        else:
            waiter.schedule()
    except (SystemExit, KeyboardInterrupt) as error:  # of a signal's handler
        waiter.loop.call_soon(raise_again, error)
        waiter.schedule()
