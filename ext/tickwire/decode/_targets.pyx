"""Rings by number; why they are attributes is in the declaration."""

from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport calloc, free

from tickwire.ring._ring cimport KIND_BINARY, KIND_TEXT, Ring, TextResult


cdef enum:
    # A ring that would hold its rows for longer than this keeps them, for consumers that come late.
    LEAST_HISTORY_NS = 1_000_000_000


cdef int _bind(Target* target, Ring ring) except -1:
    cdef int i
    target.head = &ring.head_at
    target.limit = &ring.limit
    target.published = &ring.published_at
    target.message_start = &ring.message_start
    target.rewind_at = &ring.rewind_at
    target.window_rows = ring.window_rows
    target.row_bytes = ring.row_bytes
    target.recv_mono = ring.recv_mono
    target.columns = ring.columns
    target.mask = ring.mask
    target.most_rows = ring.capacity // 2
    target.texts = <TextColumn*>calloc(max(ring.n_columns, 1), sizeof(TextColumn))
    if target.texts == NULL:
        raise MemoryError
    for i in range(ring.n_columns):
        if ring.kinds[i] != KIND_TEXT and ring.kinds[i] != KIND_BINARY:
            continue
        target.texts[i].ends = <int64_t*>ring.columns[i]
        target.texts[i].arena = ring.arenas[i]
        target.texts[i].arena_mask = ring.arena_masks[i]
        target.texts[i].limit = &ring.text_limits[i]
        target.texts[i].most = ring.max_texts[i]
        target.texts[i].valid = ring.valids[i]
    return 0


cdef class Targets:
    """Rings in the order of a program's tables.

    Parameters
    ----------
    rings
        One per table, None for a table that this source does not write.
    """

    def __cinit__(self, rings):
        slots = list(rings) + [None] * (MAX_TARGETS - len(rings))
        (self.ring_0, self.ring_1, self.ring_2, self.ring_3, self.ring_4, self.ring_5,
         self.ring_6, self.ring_7, self.ring_8, self.ring_9, self.ring_10, self.ring_11) = slots
        self.n = len(rings)
        for number, ring in enumerate(rings):
            if ring is not None:
                _bind(&self.at[number], ring)

    def __dealloc__(self):
        for number in range(MAX_TARGETS):
            free(self.at[number].texts)

    cdef bint refresh_limit(self, int target) noexcept nogil:
        if target == 0:
            return self.ring_0.refresh_limit()
        elif target == 1:
            return self.ring_1.refresh_limit()
        elif target == 2:
            return self.ring_2.refresh_limit()
        elif target == 3:
            return self.ring_3.refresh_limit()
        elif target == 4:
            return self.ring_4.refresh_limit()
        elif target == 5:
            return self.ring_5.refresh_limit()
        elif target == 6:
            return self.ring_6.refresh_limit()
        elif target == 7:
            return self.ring_7.refresh_limit()
        elif target == 8:
            return self.ring_8.refresh_limit()
        elif target == 9:
            return self.ring_9.refresh_limit()
        elif target == 10:
            return self.ring_10.refresh_limit()
        elif target == 11:
            return self.ring_11.refresh_limit()
        return False

    cdef TextResult put_text(self, int target, int column, const uint8_t* value, size_t n) \
            noexcept nogil:
        if target == 0:
            return self.ring_0.put_text(column, value, n)
        elif target == 1:
            return self.ring_1.put_text(column, value, n)
        elif target == 2:
            return self.ring_2.put_text(column, value, n)
        elif target == 3:
            return self.ring_3.put_text(column, value, n)
        elif target == 4:
            return self.ring_4.put_text(column, value, n)
        elif target == 5:
            return self.ring_5.put_text(column, value, n)
        elif target == 6:
            return self.ring_6.put_text(column, value, n)
        elif target == 7:
            return self.ring_7.put_text(column, value, n)
        elif target == 8:
            return self.ring_8.put_text(column, value, n)
        elif target == 9:
            return self.ring_9.put_text(column, value, n)
        elif target == 10:
            return self.ring_10.put_text(column, value, n)
        elif target == 11:
            return self.ring_11.put_text(column, value, n)
        return TextResult.TEXT_FULL

    cdef void put_null(self, int target, int column) noexcept nogil:
        if target == 0:
            self.ring_0.put_null(column)
        elif target == 1:
            self.ring_1.put_null(column)
        elif target == 2:
            self.ring_2.put_null(column)
        elif target == 3:
            self.ring_3.put_null(column)
        elif target == 4:
            self.ring_4.put_null(column)
        elif target == 5:
            self.ring_5.put_null(column)
        elif target == 6:
            self.ring_6.put_null(column)
        elif target == 7:
            self.ring_7.put_null(column)
        elif target == 8:
            self.ring_8.put_null(column)
        elif target == 9:
            self.ring_9.put_null(column)
        elif target == 10:
            self.ring_10.put_null(column)
        elif target == 11:
            self.ring_11.put_null(column)

    cdef void rollback(self, int target, int64_t head) noexcept nogil:
        if target == 0:
            self.ring_0.take_back(head)
        elif target == 1:
            self.ring_1.take_back(head)
        elif target == 2:
            self.ring_2.take_back(head)
        elif target == 3:
            self.ring_3.take_back(head)
        elif target == 4:
            self.ring_4.take_back(head)
        elif target == 5:
            self.ring_5.take_back(head)
        elif target == 6:
            self.ring_6.take_back(head)
        elif target == 7:
            self.ring_7.take_back(head)
        elif target == 8:
            self.ring_8.take_back(head)
        elif target == 9:
            self.ring_9.take_back(head)
        elif target == 10:
            self.ring_10.take_back(head)
        elif target == 11:
            self.ring_11.take_back(head)

    cdef void publish(self, int target) noexcept nogil:
        if target == 0:
            self.ring_0.publish()
        elif target == 1:
            self.ring_1.publish()
        elif target == 2:
            self.ring_2.publish()
        elif target == 3:
            self.ring_3.publish()
        elif target == 4:
            self.ring_4.publish()
        elif target == 5:
            self.ring_5.publish()
        elif target == 6:
            self.ring_6.publish()
        elif target == 7:
            self.ring_7.publish()
        elif target == 8:
            self.ring_8.publish()
        elif target == 9:
            self.ring_9.publish()
        elif target == 10:
            self.ring_10.publish()
        elif target == 11:
            self.ring_11.publish()

    cdef void rewind(self) noexcept nogil:
        cdef int number
        cdef Target* target
        self.is_due = False
        for number in range(self.n):
            target = &self.at[number]
            if target.head != NULL and target.head[0] >= target.rewind_at[0]:
                if not self.is_flooded(target):
                    target.rewind_at[0] = target.head[0] + target.window_rows
                    continue
                self.rewind_one(number)
                # Where somebody lags, it is looked at again before the next read.
                if target.head[0] >= target.rewind_at[0]:
                    self.is_due = True

    cdef bint is_flooded(self, Target* target) noexcept nogil:
        """Whether rows come so fast that the ring would hold less than LEAST_HISTORY_NS of them."""
        cdef int64_t last = target.head[0] - 1
        cdef int64_t first = target.head[0] - target.window_rows
        cdef int64_t window_ns = (
            target.recv_mono[last & target.mask] - target.recv_mono[first & target.mask]
        )
        return window_ns < LEAST_HISTORY_NS // (target.mask + 1) * target.window_rows

    cdef void rewind_one(self, int target) noexcept nogil:
        if target == 0:
            self.ring_0.rewind()
        elif target == 1:
            self.ring_1.rewind()
        elif target == 2:
            self.ring_2.rewind()
        elif target == 3:
            self.ring_3.rewind()
        elif target == 4:
            self.ring_4.rewind()
        elif target == 5:
            self.ring_5.rewind()
        elif target == 6:
            self.ring_6.rewind()
        elif target == 7:
            self.ring_7.rewind()
        elif target == 8:
            self.ring_8.rewind()
        elif target == 9:
            self.ring_9.rewind()
        elif target == 10:
            self.ring_10.rewind()
        elif target == 11:
            self.ring_11.rewind()
