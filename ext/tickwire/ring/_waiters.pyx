"""Who waits for rows of a ring, and who for room in it.

Rules of this file
------------------
- A callback is called once: for rows in the writer's thread, inside `publish`; for room in the
  consumer's.
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
    cdef PyObject* result = PyObject_CallNoArgs(waiter)
    if result == NULL:
        note_failure(waiter)
    Py_XDECREF(result)


cdef int raised() except -1:
    # As the caller of what has raised.
    return -1


cdef void note_failure(object waiter) noexcept:
    try:
        raised()
    except Exception:
        raise  # which reports it
    except BaseException as error:
        call_again(waiter)  # first: else what is raised again is raised in there
        Py_INCREF(error)
        if Py_AddPendingCall(raise_again, <void*> error) != 0:  # too many wait
            Py_DECREF(error)
            raise


cdef void call_again(object waiter) noexcept:
    waiter()


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
        self.for_rows = []
        if self.for_more_rows:
            waiters += [waiter for at, waiter in self.for_more_rows if at <= self.core.published]
            self.for_more_rows = [
                each for each in self.for_more_rows if each[0] > self.core.published
            ]
        self.core.wake_at = self.next_wake()
        for waiter in waiters:
            call(waiter)

    cdef void wake_late(self) noexcept:
        # Who waits for more rows than there is room for would wait for ever.
        cdef list late = self.for_more_rows
        if late:
            self.for_more_rows = []
            self.core.wake_at = self.next_wake()
            for _, waiter in late:
                call(waiter)

    cdef int64_t next_wake(self) noexcept:
        cdef int64_t at = INT64_MAX
        if self.for_rows:
            return 0
        for each in self.for_more_rows:
            at = min(at, <int64_t> each[0])
        return at

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
        if rows <= 0:
            self.for_rows.append(callback)
            self.core.wake_at = 0
            return
        cdef int64_t at = self.core.published + rows
        self.for_more_rows.append((at, callback))
        self.core.wake_at = min(self.core.wake_at, at)

    def disarm(self, callback):
        """Take back what `arm` asked for; nothing happens where it was called already.

        Parameters
        ----------
        callback
            As given to `arm`.
        """
        if callback in self.for_rows:
            self.for_rows.remove(callback)
        self.for_more_rows = [each for each in self.for_more_rows if each[1] != callback]
        self.core.wake_at = self.next_wake()

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
