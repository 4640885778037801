"""Who waits for rows of a ring, and who for room in it.

Rules of this file
------------------
- A callback is called once: for rows in the writer's thread, inside `publish`; for room in the
  consumer's.
- Where nearly always one waits for rows, its place in the list stays, None where none waits: a list
  that empties gives its memory back, and asks for it again a moment later.
- What a callback raises is reported and keeps no other one from being called. What a signal's
  handler raises inside of it (KeyboardInterrupt, SystemExit) is raised again in the main thread,
  as soon as Python code runs there; the callback, which it may have cut short, is called again.
"""

from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_XDECREF
from libc.stdint cimport INT64_MAX, int64_t

from tickwire.ring._memory cimport tw_fence, tw_store_relaxed


cdef extern from "Python.h":
    PyObject* PyObject_CallNoArgs(object function) noexcept  # NULL: it has raised
    int Py_AddPendingCall(int (*function)(void*) except -1, void* argument) noexcept


cdef void call(object waiter) noexcept:
    # Publishing has no caller to raise to, and the other waiters must be woken too.
    cdef PyObject* result
    if isinstance(waiter, RowsWaiter):
        call_rows(<RowsWaiter> waiter)
        return
    result = PyObject_CallNoArgs(waiter)
    if result == NULL:
        note_failure(waiter)
    Py_XDECREF(result)


cdef void call_rows(RowsWaiter waiter) noexcept:
    try:
        waiter.on_rows()
    except BaseException as error:
        if isinstance(error, Exception) or not keep(waiter, error):
            raise  # which reports it


cdef int raised() except -1:
    # As the caller of what has raised.
    return -1


cdef void note_failure(object waiter) noexcept:
    try:
        raised()
    except BaseException as error:
        if isinstance(error, Exception) or not keep(waiter, error):
            raise  # which reports it


cdef bint keep(object waiter, object error) noexcept:
    # Have the main thread raise what a signal's handler has raised; False: too many wait.
    call_again(waiter)  # first: else what is raised again is raised in there
    Py_INCREF(error)
    if Py_AddPendingCall(raise_again, <void*> error) != 0:
        Py_DECREF(error)
        return False
    return True


cdef void call_again(object waiter) noexcept:
    if isinstance(waiter, RowsWaiter):
        (<RowsWaiter> waiter).on_rows()
    else:
        waiter()


cdef int add(list waiters, object waiter) except -1:
    if len(waiters) == 1 and waiters[0] is None:
        waiters[0] = waiter
    else:
        waiters.append(waiter)
    return 0


cdef class RowsWaiter:
    """The base of what a ring calls for rows; this one does nothing."""

    cdef int on_rows(self) except -1:
        return 0


cdef int raise_again(void* kept) except -1:
    error = <object> kept
    Py_DECREF(error)
    raise error


cdef class Waiters:
    """The part of a ring that calls who waits for it."""

    def __cinit__(self, *args, **kwargs):
        self.for_rows = []
        self.for_more_rows = []
        self.for_room = []

    cdef void wake(self) noexcept:
        cdef list waiters = self.for_rows
        cdef list later
        cdef int64_t n_rows = self.core.published
        cdef int64_t mono_ns
        if len(waiters) == 1 and not self.for_more_rows:  # nearly always
            waiter = waiters[0]
            waiters[0] = None
            self.core.wake_at = INT64_MAX
            if waiter is not None:
                call(waiter)
            return
        self.for_rows = []
        if self.for_more_rows:
            mono_ns = self.core.recv_mono[(n_rows - 1) & self.core.mask]
            later = []
            for each in self.for_more_rows:
                if each[0] <= n_rows or each[1] <= mono_ns:
                    waiters.append(each[2])
                else:
                    later.append(each)
            self.for_more_rows = later
        self.set_wake()
        for waiter in waiters:
            if waiter is not None:
                call(waiter)

    cdef void wake_late(self) noexcept:
        # Who waits for more rows than there is room for would wait for ever.
        cdef list late = self.for_more_rows
        if late:
            self.for_more_rows = []
            self.set_wake()
            for _, _, waiter in late:
                call(waiter)

    cdef void set_wake(self) noexcept:
        cdef int64_t rows = INT64_MAX
        cdef int64_t mono_ns = INT64_MAX
        for each in self.for_rows:
            if each is not None:
                rows = 0
        for each in self.for_more_rows:
            rows = min(rows, <int64_t> each[0])
            mono_ns = min(mono_ns, <int64_t> each[1])
        self.core.wake_rows = rows
        self.core.wake_mono = mono_ns
        self.core.wake_at = rows if mono_ns == INT64_MAX else 0

    cdef int arm_waiter(self, RowsWaiter waiter) except -1:
        """Have a waiter called once, at the next publish. Writer's thread only."""
        add(self.for_rows, waiter)
        self.core.wake_at = self.core.wake_rows = 0
        return 0

    cdef int arm_later(self, object waiter, int64_t rows, int64_t mono_ns) except -1:
        """Have it called once so many more rows are published, or what is read then, monotonic."""
        self.for_more_rows.append((self.core.published + rows, mono_ns, waiter))
        self.set_wake()
        return 0

    def arm(self, callback, *, int64_t rows=0):
        """Have `callback` called once, at the next publish. Writer's thread only.

        Parameters
        ----------
        callback
            Called without arguments, in the writer's thread, inside `publish`; must be short.
        rows
            Called at the publish with which so many rows have been published since now, or where
            the writer waits for room before.
        """
        if rows > 0:
            self.arm_later(callback, rows, INT64_MAX)
            return
        add(self.for_rows, callback)
        self.core.wake_at = self.core.wake_rows = 0

    def disarm(self, callback):
        """Take back what `arm` asked for; nothing happens where it was called already.

        Parameters
        ----------
        callback
            As given to `arm`.
        """
        if callback in self.for_rows:
            self.for_rows.remove(callback)
        self.for_more_rows = [each for each in self.for_more_rows if each[2] != callback]
        self.set_wake()

    cdef void tell_room(self) noexcept:
        cdef list waiters = self.for_room
        self.core.room_wanted = 0
        if waiters is None:  # the collector has been here
            return
        self.for_room = []
        for waiter in waiters:
            call(waiter)

    def wait_for_room(self, callback):
        """Have `callback` called once, as soon as a consumer has released rows.

        Only where a row or its text has not fitted since the last call. Try again after it: a
        consumer may have released rows in between, without a call. Writer's thread only.

        Parameters
        ----------
        callback
            Called without arguments, in the consumer's thread; must be short. Who waits already
            is called once all the same.

        Returns
        -------
        bool
            Whether it waits now and did not before.
        """
        if not self.core.is_refused:
            return False
        self.core.is_refused = 0
        if callback in self.for_room:
            return False
        self.for_room.append(callback)
        # Partner: the consumers, which move their gate, fence and look here.
        tw_store_relaxed(&self.core.room_wanted, 1)
        tw_fence()
        self.wake_late()
        return True

    def forget_room(self, callback):
        """Take back what `wait_for_room` asked for; nothing happens where it was called already."""
        if callback in self.for_room:
            self.for_room.remove(callback)
