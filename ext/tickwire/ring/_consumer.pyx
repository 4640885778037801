"""A ring's reader.

Rules of this file
------------------
- `take` copies first and moves its gate afterwards. Where the writer (drop_oldest) has moved it in
  the meantime, the rows that it passed were dropped, and counted there: they are cut off here.
- `lease` marks the gate, after which the writer leaves the rows alone until `release`.
- Who commits has two positions: `take` copies rows under a lease and moves `taken`; `commit`
  moves the gate behind it. Rows that were taken and not committed stay in the ring.
"""

from libc.stdint cimport int64_t

from tickwire.ring._attachment cimport Attachment
from tickwire.ring._batch cimport Layout, Row, make_batch, make_layout, make_row
from tickwire.ring._export cimport (
    Rows,
    copy_extent,
    copy_row,
    export_rows,
    free_rows,
    import_batch,
    measure,
)
from tickwire.ring._memory cimport (
    tw_compare_exchange,
    tw_fence,
    tw_load_acquire,
    tw_load_relaxed,
    tw_store_release,
)
from tickwire.ring._ring cimport Ring
from tickwire.ring._tw_ring cimport tw_next_of, tw_next_row

from inspect import signature

import numpy as np

from tickwire.wording import counted

cdef extern from "tickwire/base/clock.h":
    int64_t tw_mono_ns() noexcept nogil

cdef extern from "tickwire/ring/columns.h" nogil:
    int64_t tw_run_length(const int64_t* values, int64_t n)

cdef enum:
    NOGIL_BYTES = 65536     # a copy of more lets other threads run meanwhile


cdef class Consumer(Attachment):
    """Takes rows from a ring, each once, in order.

    It is attached from construction until `close` or garbage collection, and starts at the oldest
    row that the ring holds: where other consumers keep up with a flood, what they have taken may be
    gone (`Ring.rewind`); otherwise the last `capacity` rows are there, about. Any thread may use
    it, one at a time.

    Parameters
    ----------
    ring
        The ring to read.
    on_lag
        What a full ring does where this consumer is the one that lags: `block` waits for it, `drop`
        gives up its oldest rows, and the other consumers lose none. None: as the ring's `overflow`
        says.
    commits
        Rows that were taken stay in the ring until `commit`; otherwise `take` releases them.
    max_lag
        So many rows may wait for it before the writer waits; 0: as many as the ring holds. The
        writer's thread then calls `Ring.renew_limits`.

    Attributes
    ----------
    ring : Ring
        As given.

    Raises
    ------
    RuntimeError
        The ring has as many consumers as it takes.
    ValueError
        There is no such choice of `on_lag`.
    """

    __signature__ = signature(lambda ring, *, on_lag=None, commits=False, max_lag=0: None)

    def __cinit__(self, Ring ring not None, *, on_lag=None, bint commits=False, int64_t max_lag=0):
        self.run_starts = np.zeros(MAX_RUNS, np.int64)
        self.run_counts = np.zeros(MAX_RUNS, np.int64)
        cdef int64_t[::1] starts = self.run_starts
        cdef int64_t[::1] counts = self.run_counts
        self.starts = &starts[0]
        self.counts = &counts[0]

    def __repr__(self):
        state = "closed" if self.is_closed else counted(self.available, "row") + " to take"
        return f"<Consumer of {self.ring.table.name}: {state}>"

    cdef void note_runs(self, int64_t first, int64_t stop) noexcept nogil:
        cdef const int64_t* mono = self.core.recv_mono
        cdef int64_t mask = self.core.mask
        cdef int64_t n = self.n_runs
        cdef int64_t row = first
        cdef int64_t start, count
        while row < stop:
            start = mono[row & mask]
            # A run that wraps is two, which are joined here.
            count = tw_run_length(&mono[row & mask], min(stop, (row | mask) + 1) - row)
            if n > 0 and (self.starts[n - 1] == start or n == MAX_RUNS):
                # When nothing is recorded for long, later rows count as old as the last run:
                # bounded memory, and never a latency reported too short.
                self.counts[n - 1] += count
            else:
                self.starts[n] = start
                self.counts[n] = count
                n += 1
            row += count
        self.n_runs = n

    def take(self, max_rows=None):
        """Copy what was published since the last take; release it at once, or at `commit`.

        Parameters
        ----------
        max_rows
            At most so many rows; default: all of them.

        Returns
        -------
        pyarrow.RecordBatch or None
            One batch that owns its memory; None where there is nothing. Fewer rows than there are
            where their text would pass the ring's `batch_text_bytes`.

        Raises
        ------
        ValueError
            The consumer is closed.
        RuntimeError
            It is leased, or in use by another thread.
        """
        return self.take_rows(self.enter(max_rows))

    cdef object take_rows(self, int64_t limit):
        cdef Rows* rows
        cdef int64_t n_dropped = 0
        self.busy = True
        try:
            if self.commits:
                return self.take_held(limit)
            rows = self.copy_rows(limit, &n_dropped)
        finally:
            self.busy = False
        if rows == NULL:
            return None
        self.tell_room()
        batch = self.import_rows(rows, False)
        return batch.slice(n_dropped) if n_dropped else batch

    cdef object take_light(self, int64_t limit):
        """The same as a `Batch`; rows are released at once."""
        cdef Rows* rows
        cdef int64_t n_dropped = 0
        self.busy = True
        try:
            rows = self.copy_rows(limit, &n_dropped)
        finally:
            self.busy = False
        if rows == NULL:
            return None
        self.tell_room()
        return make_batch(self.find_layout(), rows, n_dropped)

    cdef object import_rows(self, Rows* rows, bint borrows):
        # As Arrow's own object, which owns them.
        cdef Layout layout
        try:
            layout = self.find_layout()
            array = export_rows(rows, &layout.form, self.core.mapping if borrows else NULL)
            if array == NULL:
                raise MemoryError("no memory for a record batch")
            return import_batch(array, self.ring.schema)
        finally:
            free_rows(rows)

    cdef Layout find_layout(self):
        if self.layout is None:
            self.layout = make_layout(self.core, self.ring.table, self.ring.code_dictionaries)
        return self.layout

    cdef Row view_rows(self):
        """A view of no row yet, for batches of `take_light`."""
        return make_row(self.find_layout())

    cdef bint is_empty(self) noexcept nogil:
        """Whether there is nothing to take; only without rows to commit."""
        cdef int64_t gate = tw_load_acquire(&self.gate.value)
        return tw_load_acquire(&self.core.header.cursor.value) <= gate >> 1

    cdef int64_t first_mono_ns(self) noexcept nogil:
        """When the next row that it takes was read; there must be one."""
        return self.core.recv_mono[tw_load_acquire(&self.gate.value) >> 1 & self.core.mask]

    cdef Rows* copy_rows(self, int64_t limit, int64_t* n_dropped) except? NULL:
        # A batch and how many of its first rows were dropped meanwhile; NULL where there is none.
        cdef Rows* rows
        cdef int64_t first = tw_load_acquire(&self.gate.value) >> 1
        if self.next_stop(first, limit) == first + 1:
            # The row of one message: what a consumer that keeps up takes each time.
            rows = copy_row(self.core, first)
            if rows != NULL:
                self.extent.first = first
                self.extent.stop = first + 1
                if self.commit_take() == first:
                    n_dropped[0] = 0
                    return rows
                free_rows(rows)
        while True:
            first = self.begin_take(limit)
            if first < 0:
                return NULL
            if self.extent.n_bytes > NOGIL_BYTES:
                with nogil:
                    rows = copy_extent(self.core, &self.extent, False)
                    first = self.commit_take() if rows != NULL else 0
            else:
                rows = copy_extent(self.core, &self.extent, False)
                first = self.commit_take() if rows != NULL else 0
            if rows == NULL:
                raise MemoryError("no memory for a record batch")
            if first < self.extent.stop:
                n_dropped[0] = first - self.extent.first
                return rows
            free_rows(rows)

    cdef object take_held(self, int64_t limit):
        # Copy under a lease, so that the writer cannot pass what is copied, and keep the gate.
        cdef Rows* rows
        cdef int64_t at, first, stop
        while True:
            at = tw_load_acquire(&self.gate.value)
            first = tw_next_of(self.gate, at)
            stop = self.next_stop(first, limit)
            if stop <= first:
                return None
            if tw_compare_exchange(&self.gate.value, at, at | 1):
                break
        measure(self.core, first, stop, &self.extent)
        if self.extent.n_bytes > NOGIL_BYTES:
            with nogil:
                rows = copy_extent(self.core, &self.extent, False)
        else:
            rows = copy_extent(self.core, &self.extent, False)
        try:
            if rows == NULL:
                raise MemoryError("no memory for a record batch")
            batch = self.import_rows(rows, False)
            self.note_runs(first, self.extent.stop)
            tw_store_release(&self.gate.taken, self.extent.stop)
        finally:
            tw_store_release(&self.gate.value, at)
            self.tell_room()  # a ring that drops waits for leases
        return batch

    def skip_to(self, int64_t position):
        """Release the rows before `position`, which counts since the ring was made, untaken.

        Nothing happens where they are released already. Not for a consumer that commits.

        Raises
        ------
        ValueError
            The consumer is closed.
        RuntimeError
            It is leased, in use by another thread, or commits.
        """
        self.enter(None)
        if self.commits:
            raise RuntimeError("a consumer that commits takes every row")
        cdef int64_t at, n, stop
        while True:
            at = tw_load_acquire(&self.gate.value)
            n = position - tw_next_row(self.core.header, self.gate)
            if tw_load_acquire(&self.gate.value) != at:
                continue  # the writer has moved it: what was counted is not from there
            if n <= 0:
                return
            stop = self.next_stop(at >> 1, n)
            if stop <= at >> 1 or tw_compare_exchange(&self.gate.value, at, stop << 1):
                self.tell_room()
                return

    def commit(self):
        """Release the rows that were taken; nothing happens where they were released already.

        Raises
        ------
        RuntimeError
            It is in use by another thread.
        """
        if self.busy:
            raise RuntimeError("the consumer is in use by another thread")
        if self.gate == NULL or not self.commits:
            return
        self.note_depth()
        cdef int64_t at = tw_load_acquire(&self.gate.value)
        cdef int64_t taken = tw_load_relaxed(&self.gate.taken)
        while at >> 1 < taken:
            if tw_compare_exchange(&self.gate.value, at, taken << 1):
                self.tell_room()
                break
            at = tw_load_acquire(&self.gate.value)

    cdef int64_t begin_take(self, int64_t limit) noexcept nogil:
        # Measure the rows to take; returns the first, -1 where there are none.
        cdef int64_t gate, stop
        while True:
            gate = tw_load_acquire(&self.gate.value)
            stop = self.next_stop(gate >> 1, limit)
            if stop <= gate >> 1:
                return -1
            measure(self.core, gate >> 1, stop, &self.extent)
            # What was measured is true only if the writer has not passed the first row since.
            tw_fence()
            if tw_load_relaxed(&self.gate.value) == gate:
                return gate >> 1

    cdef int64_t commit_take(self) noexcept nogil:
        # Release the rows that were copied; returns the first that was not dropped meanwhile.
        cdef int64_t first = self.extent.first
        cdef int64_t stop = self.extent.stop
        cdef int64_t n_runs = self.n_runs
        cdef int64_t last_count = self.counts[n_runs - 1] if n_runs > 0 else 0
        while first < stop:
            self.note_runs(first, stop)
            if tw_compare_exchange(&self.gate.value, first << 1, stop << 1):
                return first
            self.n_runs = n_runs
            if n_runs > 0:
                self.counts[n_runs - 1] = last_count
            first = tw_load_acquire(&self.gate.value) >> 1
        return stop

    def lease(self, max_rows=None):
        """Borrow what was published since the last take, until `release`.

        Numbers, times and codes are the ring's own memory, valid until then; text, bools and
        validity are copies.

        Parameters
        ----------
        max_rows
            At most so many rows; default: all of them.

        Returns
        -------
        list of pyarrow.RecordBatch
            None where there is nothing (no lease then), one, or two where the rows wrap. Fewer rows
            than there are where the text of a batch would pass the ring's `batch_text_bytes`.

        Raises
        ------
        ValueError
            The consumer is closed.
        RuntimeError
            It is leased already, or in use by another thread.
        """
        cdef int64_t limit = self.enter(max_rows)
        cdef int64_t gate, first, stop, wrap
        cdef Rows* rows
        while True:
            gate = tw_load_acquire(&self.gate.value)
            first = gate >> 1
            stop = self.next_stop(first, limit)
            if stop <= first:
                return []
            if tw_compare_exchange(&self.gate.value, gate, gate | 1):
                break
        self.lease_stop = stop
        batches = []
        try:
            while first < stop:
                wrap = (first | self.core.mask) + 1
                measure(self.core, first, min(stop, wrap), &self.extent)
                rows = copy_extent(self.core, &self.extent, True)
                if rows == NULL:
                    raise MemoryError("no memory for a record batch")
                if self.extent.stop < min(stop, wrap):
                    stop = self.extent.stop
                first = self.extent.stop
                batches.append(self.import_rows(rows, True))
        except BaseException:
            self.lease_stop = -1
            tw_store_release(&self.gate.value, gate)
            self.tell_room()  # a ring that drops waits for leases
            raise
        self.lease_stop = stop
        self.note_runs(gate >> 1, stop)
        return batches

    def release(self):
        """Give back the leased rows; nothing happens without a lease."""
        if self.lease_stop >= 0 and self.gate != NULL:
            tw_store_release(&self.gate.value, self.lease_stop << 1)
            self.tell_room()
        self.lease_stop = -1

    def record(self, histogram, now_ns=None):
        """Record the age of every row taken since the last call, and forget them.

        Parameters
        ----------
        histogram
            Whatever has `add(value_ns, count)` and `add_since(starts, counts, now_ns)`, as
            `tickwire.observe.Histogram`.
        now_ns
            Monotonic time, ns; default: now.
        """
        if self.n_runs == 0:
            return
        cdef int64_t now = tw_mono_ns() if now_ns is None else now_ns
        if self.n_runs == 1:
            # The rows of one read: what a consumer that keeps up takes each time.
            if self.starts[0] > 0:
                histogram.add(now - self.starts[0], self.counts[0])
        else:
            histogram.add_since(self.run_starts[:self.n_runs], self.run_counts[:self.n_runs], now)
        self.n_runs = 0
