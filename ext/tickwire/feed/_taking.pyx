"""How a consumer waits for rows and takes them: one object per wait, and no coroutine of Python.

Rules of this file
------------------
- Everything here runs in the loop's thread, which is the ring's writer too: between a look at the
  ring and the wish to be woken nothing can be published.
- A publish wakes the `Waiter` that the task awaits. Where one connection alone is read, the task is
  resumed at the end of the read that brought the rows, else in the loop's next turn: with several
  connections that turn gathers what they all have brought. What the program awaits is a
  `Next`, which takes the rows when it is resumed; where they are there, it does not suspend at all.
- A consumer that lingers has one timer, set by the first row. While it runs the ring does not call
  it, unless as many rows have come as end the linger, or the writer waits for room. A read in the
  last quarter of a linger ends it, so that where rows flow no timer wakes the process.
- The ring holds the getters and not the consumer, so an abandoned consumer is collected.
"""

cimport cython
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from libc.stdint cimport INT64_MAX, int64_t

from tickwire.net._wakes cimport LoopCalls, Waiter, new_waiter
from tickwire.ring._batch cimport Batch
from tickwire.ring._consumer cimport Consumer
from tickwire.ring._waiters cimport RowsWaiter

from asyncio import get_running_loop
from collections import deque

cdef extern from "Python.h":
    ctypedef enum PySendResult:
        PYGEN_RETURN
        PYGEN_ERROR
        PYGEN_NEXT

    # What `await` gets a result from without a StopIteration; Cython has no syntax for it.
    ctypedef struct PyAsyncMethods:
        PySendResult (*am_send)(PyObject*, PyObject*, PyObject**) noexcept
        void* am_anext

    ctypedef struct PyTypeObject:
        PyAsyncMethods* tp_as_async

    void PyErr_SetObject(PyObject* kind, PyObject* value)

cdef extern from "tickwire/base/clock.h":
    int64_t tw_mono_ns() noexcept nogil

# Which part of a linger must be over for a read to end it.
cdef double NEAR_END = 0.75

cdef enum Form:
    ARROW
    LIGHT
    ROWS

cdef dict FORMS = {"arrow": ARROW, "light": LIGHT, "rows": ROWS}


cdef class Getters(RowsWaiter):
    """Those who wait for the rows of one consumer, and the linger.

    Parameters
    ----------
    rows
        What reads the ring.
    linger_s
        From the first row to the wake-up, seconds.
    enough_rows
        So many wake at once all the same.
    """

    def __cinit__(self, Consumer rows not None, *, double linger_s=0.0, int64_t enough_rows=1):
        self.ring = rows.ring
        self.rows = rows
        self.others = []
        self.linger_s = linger_s
        self.enough_rows = enough_rows

    def __bool__(self):
        return self.first is not None

    cdef void add(self, Waiter waiter) except *:
        if self.first is None:  # nearly always: no list is touched
            self.first = waiter
        else:
            self.others.append(waiter)

    cdef Waiter take_first(self):
        cdef Waiter waiter = self.first
        self.first = self.others.pop(0) if self.others else None
        return waiter

    cdef int on_rows(self) except -1:
        # Wake one, or begin to linger: the ring calls it at a publish.
        if self.is_late:
            self.is_over = True
        self.is_armed = self.is_late = False
        if self.linger_s == 0.0 or self.is_due():
            self.wake_next(True)
        return 0

    cpdef Waiter wait(self):
        """Give what is woken when there may be rows to take."""
        if self.calls is None or not self.calls.is_running():
            self.calls = LoopCalls(get_running_loop())
        cdef Waiter waiter = new_waiter(self.calls)
        self.arm()  # first: without memory for it none waits
        self.add(waiter)
        return waiter

    cpdef void arm(self):
        """Have the ring call at the next publish, unless a linger runs."""
        if self.is_armed or self.rows.gate == NULL:
            return
        if self.timer is None:
            self.ring.arm_waiter(self)
        else:
            n_rows = self.enough_rows - <int64_t> self.rows.available
            self.ring.arm_later(self, n_rows, self.near_end_ns)
            self.is_late = True
        self.is_armed = True

    cdef bint is_due(self) except -1:
        # Whether rows may be taken. Where a linger has to run first, it runs from now on.
        cdef int64_t n_rows, first_ns
        cdef double left_s
        if self.linger_s == 0.0 or self.is_over:
            return True
        n_rows = self.rows.available
        if n_rows == 0 or n_rows >= self.enough_rows or self.ring.core.room_wanted:
            return True
        if self.timer is None:
            # From when the first row was read; a replay's rows may have been at any time.
            first_ns = self.rows.first_mono_ns()
            left_s = self.linger_s - (tw_mono_ns() - first_ns) / 1e9
            left_s = min(left_s, self.linger_s)
            if left_s <= 0.0:
                self.is_over = True
                return True
            self.near_end_ns = first_ns + <int64_t> (self.linger_s * NEAR_END * 1e9)
            self.timer = get_running_loop().call_later(left_s, self.end_linger)
        if not self.is_armed:
            self.arm()
        return False

    @property
    def may_take(self):
        """Whether rows may be taken; where a linger has to run first, it runs from now on."""
        return self.is_due()

    def end_linger(self):
        """Let the rows be taken that have come."""
        cdef Waiter waiter
        self.timer = None
        self.is_over = True
        while self.first is not None:
            waiter = self.take_first()
            if waiter.wake_here():
                return

    cpdef void note_taken(self):
        """Note that rows were taken: the next one begins a linger."""
        self.is_over = False
        self.stop()

    def stop(self):
        """Stop a linger that runs."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if self.is_late:
            self.ring.disarm(self)
            self.is_armed = self.is_late = False

    def wake_one(self):
        """Wake the one who has waited longest."""
        self.wake_next(False)

    cdef int wake_next(self, bint at_read_end) except -1:
        cdef Waiter waiter
        while self.first is not None:
            waiter = self.take_first()
            if waiter.wake(at_read_end):
                return 0
        return 0

    def wake_all(self):
        """Wake all."""
        cdef Waiter waiter
        while self.first is not None:
            waiter = self.take_first()
            waiter.wake(False)
        self.calls = None  # it keeps the loop

    def forget(self, Waiter waiter not None):
        """Let one wait no longer; whether it was woken is up to the caller."""
        waiter.cancel()
        if waiter is self.first:
            self.take_first()
        elif waiter in self.others:
            self.others.remove(waiter)


cdef class Taking:
    """What a consumer takes, in one of three forms: the part of it that each wake-up runs.

    Parameters
    ----------
    rows
        What reads the ring.
    form
        `arrow`, `light` or `rows`.
    linger_s, enough_rows
        As of `Getters`.
    max_rows
        Of a batch; None: all there are.
    checks
        Whether `_before_take` has something to do.
    """

    def __init__(self, Consumer rows not None, *, form, linger_s, enough_rows, max_rows, checks):
        self.rows = rows
        self.form = FORMS[form]
        self.max_rows = INT64_MAX if max_rows is None else max_rows
        self.checks = checks
        self._getters = Getters(rows, linger_s=linger_s, enough_rows=enough_rows)
        self._put = deque()
        self._putters = deque()
        self._joiners = deque()
        if self.form == ROWS:
            self._row = rows.view_rows()

    def __aiter__(self):
        return self

    def __anext__(self):
        cdef Next waiting = Next.__new__(Next)
        waiting.consumer = self
        return waiting

    def _take(self):
        """Take all rows there are, None where there is none; only where it is open."""
        return self.take()

    cdef object take(self):
        cdef int64_t limit = self.max_rows
        if self._put:
            return self._take_put()
        if self._left is not None:
            limit = min(limit, <int64_t> self._left)
            if limit == 0:
                return None
        if self.checks:
            self._before_take()
        self.rows.enter(None)
        if self.rows.is_empty():
            return None
        if self.form == ARROW:
            item = self.rows.take_rows(limit)
        else:
            item = self.rows.take_light(limit)
        if item is None:
            return None
        if self._getters.linger_s > 0.0:
            self._getters.note_taken()
        if self._latency is not None:
            self.note_ages()
        if self.form == ROWS:
            self._row.begin(<Batch> item)
        if self._left is not None or self._getters.first is not None:
            self._note_taken(item.num_rows)
        if self._putters:
            self._wake_putters()
        if self.form == ROWS:
            if self._joiners:
                self._wake_joiners()
            return self._row
        self._unfinished += 1
        return item

    cdef int note_ages(self) except -1:
        cdef Consumer rows = self.rows
        if rows.n_runs != 1:
            rows.record(self._latency)
            return 0
        # The rows of one read: what a consumer that keeps up takes each time.
        rows.n_runs = 0
        if rows.starts[0] > 0:
            self._latency.record(tw_mono_ns() - rows.starts[0], rows.counts[0])
        return 0

    cdef object poll(self):
        # What can be taken now, or None; raises StopAsyncIteration where nothing will be.
        if self._row is not None and self._row.advance():
            # Of the batch at hand, which another getter may have taken while this one waited.
            if self._getters.first is not None:
                self._wake_another()
            if self._joiners:
                self._wake_joiners()
            return self._row
        if not self._put and self._left is None and not self._detached:
            return self.take() if self._getters.is_due() else None
        if self._put or not self._detached:
            if self._put or self._left != 0:
                item = self.take()
                if item is not None:
                    return item
            if self._left is None:
                return None
            self._detach()
        raise StopAsyncIteration


@cython.freelist(16)
cdef class Next:
    """The next batch or row of a consumer, to be awaited once."""

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        item = self.step()
        if self.has_item:
            raise StopIteration(item)
        return item

    def send(self, value):
        """As of a coroutine."""
        return self.__next__()

    def throw(self, kind, value=None, trace=None):
        """Give up waiting and raise, as of a coroutine."""
        self.give_up()
        if isinstance(kind, BaseException):
            raise kind
        raise kind() if value is None else value

    def close(self):
        """Give up waiting."""
        self.give_up()

    cdef object step(self):
        # The item, or what the task waits for.
        cdef Taking consumer = self.consumer
        if consumer is None:
            raise RuntimeError("cannot await again what has been awaited")
        self.waiter = None
        item = consumer.poll()
        if item is not None:
            self.has_item = True
            self.consumer = None
            return item
        self.waiter = consumer._getters.wait()
        # As `Future.__await__` does: the task looks at it.
        self.waiter._asyncio_future_blocking = True
        return self.waiter

    cdef void give_up(self):
        cdef Taking consumer = self.consumer
        self.consumer = None
        if self.waiter is not None and consumer is not None:
            consumer._give_up(self.waiter)
        self.waiter = None


def next_without_lookup(kind):
    """Have a class of Python that derives from `Taking` take its items as `Taking` does.

    Such a class has `__anext__` looked up for each item.
    """
    if issubclass(kind, Taking) and kind.__anext__ is Taking.__anext__:
        (<PyTypeObject*> kind).tp_as_async.am_anext = (<PyTypeObject*> Taking).tp_as_async.am_anext


cdef PySendResult send(Next waiting, PyObject** result) noexcept:
    error = None
    try:
        item = waiting.step()
    except BaseException as raised:
        error = raised
    if error is not None:
        kind = type(error)
        PyErr_SetObject(<PyObject*> kind, <PyObject*> error)
        result[0] = NULL
        return PYGEN_ERROR
    Py_INCREF(item)
    result[0] = <PyObject*> item
    return PYGEN_RETURN if waiting.has_item else PYGEN_NEXT


cdef PySendResult send_next(PyObject* waiting, PyObject* _value, PyObject** result) noexcept:
    return send((<Next> waiting), result)


# It has `__await__`, so its slots of async methods are there.
(<PyTypeObject*> Next).tp_as_async.am_send = send_next
