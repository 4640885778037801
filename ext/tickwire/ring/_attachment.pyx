"""Where a reader stands in its ring: the gate that it holds, and what the gate says.

Rules of this file
------------------
- The reader's whole shared state is its gate (see ring_block.h and gates.h).
- Any thread may use a reader, one at a time; `busy` guards that, under the GIL.
"""

from libc.stdint cimport INT64_MAX, int64_t

from tickwire.ring._memory cimport (
    TW_GATES,
    TW_LAG_BLOCK,
    TW_LAG_DROP,
    TW_LAG_OVERFLOW,
    tw_fence,
    tw_load_acquire,
    tw_load_relaxed,
    tw_mapping_release,
    tw_mapping_retain,
    tw_store_relaxed,
)
from tickwire.ring._ring cimport Ring
from tickwire.ring._tw_ring cimport (
    tw_attach_gate,
    tw_detach_gate,
    tw_may_drop,
    tw_next_of,
    tw_next_row,
    tw_rows_at,
)

from tickwire.ring.drop import Loss

cdef dict ON_LAG = {None: TW_LAG_OVERFLOW, "block": TW_LAG_BLOCK, "drop": TW_LAG_DROP}


cdef class Attachment:
    """A gate of a ring, held from construction until `close` or garbage collection.

    Parameters and errors are those of `Consumer`, which takes the rows.
    """

    def __cinit__(self, Ring ring not None, *, on_lag=None, bint commits=False, int64_t max_lag=0):
        if on_lag not in ON_LAG:
            raise ValueError(f"on_lag is {on_lag!r}: block or drop")
        self.ring = ring
        self.commits = commits
        self.lease_stop = -1
        self.core = ring.core
        self.mapping = tw_mapping_retain(self.core.mapping)
        self.gate = tw_attach_gate(self.core.header, ON_LAG[on_lag])
        if self.gate == NULL:
            raise RuntimeError(f"a ring takes at most {TW_GATES} consumers")
        if max_lag > 0:
            tw_store_relaxed(&self.gate.max_lag, max_lag)

    def __dealloc__(self):
        if self.gate != NULL:
            tw_detach_gate(self.gate)
            if self.ring is not None:  # the collector may have taken it
                self.tell_room()
        tw_mapping_release(self.mapping)

    cdef void tell_room(self) noexcept:
        """Wake a writer that waits for room; the gate has just been moved."""
        # Partner: `Ring.wait_for_room`, which stores, fences and tries once more. Either that
        # try sees the gate or the wish is seen here.
        tw_fence()
        if tw_load_relaxed(&self.core.room_wanted):
            self.ring.tell_room()

    def close(self):
        """Detach from the ring, with any lease; nothing happens the second time.

        Raises
        ------
        RuntimeError
            It is in use by another thread.
        """
        if self.busy:
            raise RuntimeError("the consumer is in use by another thread")
        if self.gate != NULL:
            tw_detach_gate(self.gate)
            self.gate = NULL
            self.tell_room()
        self.lease_stop = -1

    cdef int64_t next_stop(self, int64_t first, int64_t max_rows) noexcept nogil:
        cdef int64_t stop = tw_load_acquire(&self.core.header.cursor.value)
        return stop if stop - first <= max_rows else first + max_rows

    cdef void note_depth(self) noexcept nogil:
        # Called before rows are released, when the depth is greatest.
        cdef int64_t gate = tw_load_acquire(&self.gate.value) >> 1
        self.most = max(self.most, tw_load_acquire(&self.core.header.cursor.value) - gate)

    cdef int64_t enter(self, object max_rows) except -1:
        # Begin a take or lease; returns max_rows as a number.
        if self.gate == NULL:
            raise ValueError("the consumer is closed")
        if self.busy:
            raise RuntimeError("the consumer is in use by another thread")
        if self.lease_stop >= 0:
            raise RuntimeError("the consumer has a lease: release it first")
        cdef int64_t limit = INT64_MAX if max_rows is None else max_rows
        if limit < 1:
            raise ValueError(f"max_rows is {max_rows}: at least 1")
        self.note_depth()
        return limit

    def take_loss(self):
        """Give what was dropped since the last call, and forget it. Writer's thread only.

        Returns
        -------
        Loss or None
            None where nothing was.
        """
        if self.gate == NULL or self.gate.n_recent == 0:
            return None
        loss = Loss(self.gate.n_recent, self.gate.ts_first_ns, self.gate.ts_last_ns)
        self.gate.n_recent = 0
        return loss

    @property
    def n_dropped(self):
        """Rows that it lost because it lagged."""
        return 0 if self.gate == NULL else tw_load_relaxed(&self.gate.n_dropped)

    @property
    def may_drop(self):
        """Whether a full ring drops its rows instead of waiting for it."""
        return self.gate != NULL and tw_may_drop(self.gate, self.core.drops_oldest)

    @property
    def holds(self):
        """The oldest row that the ring keeps for it, counted since the ring was made.

        -1 when closed.
        """
        if self.gate == NULL:
            return -1
        return tw_rows_at(self.core.header, &self.gate.value, 1)

    @property
    def available(self):
        """Rows published and not yet taken or leased; 0 when closed."""
        if self.gate == NULL:
            return 0
        cdef int64_t* cursor = &self.core.header.cursor.value
        cdef int64_t gate, n
        if self.lease_stop >= 0:
            return tw_load_acquire(cursor) - self.lease_stop
        while True:
            gate = tw_load_acquire(&self.gate.value)
            # Where the writer is jumping, the gate goes before the cursor: nothing is there then.
            n = max(tw_load_acquire(cursor) - tw_next_of(self.gate, gate), 0)
            if tw_load_acquire(&self.gate.value) == gate:
                return n

    @property
    def depth(self):
        """The share of the ring that it has not released, 0 to 1; 0 when closed."""
        if self.gate == NULL:
            return 0.0
        cdef int64_t gate = tw_load_acquire(&self.gate.value) >> 1
        cdef int64_t n = tw_load_acquire(&self.core.header.cursor.value) - gate
        return <double> max(n, 0) / <double> self.core.capacity

    @property
    def high_water(self):
        """The largest share of the ring that it had not released, 0 to 1, since it was made."""
        if self.gate != NULL:
            self.note_depth()
        return <double> min(self.most, self.core.capacity) / <double> self.core.capacity

    @property
    def position(self):
        """The next row that it takes, counted since the ring was made; -1 when closed."""
        if self.gate == NULL:
            return -1
        return tw_next_row(self.core.header, self.gate)

    @property
    def rows_to_wrap(self):
        """From its next row, rows that lie in the ring without a break; 0 when closed.

        Where it has taken everything, the writer may change it.
        """
        if self.gate == NULL:
            return 0
        return self.core.capacity - (tw_load_acquire(&self.gate.value) >> 1 & self.core.mask)

    @property
    def is_closed(self):
        """Whether it is detached."""
        return self.gate == NULL

    @property
    def is_leased(self):
        """Whether rows are leased."""
        return self.lease_stop >= 0
