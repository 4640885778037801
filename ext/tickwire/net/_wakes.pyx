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
- What is asked of the loop at each wake is bound once (`LoopCalls`). Whose loop runs is not asked
  for: all that wakes does so in its loop's thread, and before Python 3.12 that look-up is a system
  call.
- A read may lie inside of another one's task. Only the outermost end of a read resumes tasks.
"""

cimport cython
from cpython.dict cimport PyDict_GetItemWithError
from cpython.object cimport PyObject_GenericGetAttr
from cpython.ref cimport Py_DECREF, Py_INCREF

import asyncio
import sys
from asyncio import CancelledError, InvalidStateError, current_task
from weakref import ref

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

# The tasks that run, by loop; since Python 3.14 only asyncio itself knows them.
cdef dict CURRENT_TASKS = getattr(asyncio.tasks, "_current_tasks", None)
if sys.version_info >= (3, 14):
    CURRENT_TASKS = None

# As a task asks for them: it is the same object.
cdef str BLOCKING = "_asyncio_future_blocking"
cdef str GET_LOOP = "get_loop"


cdef class LoopCalls:
    """What each wake asks of an event loop.

    Parameters
    ----------
    loop
        Which.
    """

    def __init__(self, loop):
        self.loop = loop
        self.get_loop = ref(loop)
        self.is_running = loop.is_running
        self.get_debug = loop.get_debug
        self.done = loop.create_future()
        self.done.set_result(None)

    cdef bint may_resume(self) except -1:
        """Whether this is a callback of the loop, outside of every task, and not in debug mode."""
        if not self.is_running() or self.get_debug():
            return False
        if CURRENT_TASKS is not None:
            return PyDict_GetItemWithError(CURRENT_TASKS, self.loop) == NULL
        return current_task(self.loop) is None


@cython.freelist(16)
cdef class Waiter:
    """What one task waits for; awaited once, as a future is.

    Parameters
    ----------
    loop
        The task's event loop.
    """

    def __init__(self, loop):
        self.calls = LoopCalls(loop)

    def __getattribute__(self, name):
        # What a task asks first, without a look at the type.
        if name is BLOCKING:
            return self._asyncio_future_blocking
        if name is GET_LOOP:
            return self.calls.get_loop
        return PyObject_GenericGetAttr(self, name)

    def __await__(self):
        if self.state == PENDING:
            self._asyncio_future_blocking = True
            yield self
        return self.result()

    # What a task asks of a future.

    def get_loop(self):
        """The loop of who waits."""
        return self.calls.loop

    @cython.binding(False)
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
        if self.context is None or not self.calls.may_resume():
            return self.schedule()
        try:
            PyContext_Enter(self.context)
        except RuntimeError:  # it is the context of the read, or around it
            return self.schedule()
        self.callback = None
        try:
            # It asks for the result, and of asyncio's own futures it does so without a call.
            callback(self.calls.done)
        except (SystemExit, KeyboardInterrupt) as error:
            self.calls.loop.call_soon(raise_again, error)
        except BaseException as error:
            self.calls.loop.call_exception_handler(
                {"message": f"Exception in callback {callback!r}", "exception": error}
            )
        finally:
            PyContext_Exit(self.context)
        return 0

    cdef int schedule(self) except -1:
        callback = self.callback
        if callback is not None:
            self.calls.loop.call_soon(callback, self, context=self.context)
            self.callback = None  # not where a signal's handler has raised
        return 0


def raise_again(error):
    """Raise what a task has raised; for the loop."""
    raise error


cdef Waiter new_waiter(LoopCalls calls):
    cdef Waiter waiter = Waiter.__new__(Waiter)
    waiter.calls = calls
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
        waiter.calls.loop.call_soon(raise_again, error)
        waiter.schedule()
