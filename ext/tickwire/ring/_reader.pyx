"""Rows of a ring for a reader without a gate: another process maps its file.

Rules of this file
------------------
- Nothing is written, so a reader that stops, lags or dies holds no writer. What the writer has
  passed is counted as missed.
- A row is given only after it was copied and found whole (ring_reader.h). What is measured before
  is not trusted either until it was looked at again.
- A file may be damaged. Every number of a row is looked at, and each code has a value, before the
  caller sees them.
"""

from libc.stdint cimport int16_t, int32_t, int64_t

from tickwire.ring._batch cimport make_batch, make_layout
from tickwire.ring._dictionary cimport Values
from tickwire.ring._export cimport Rows, copy_extent, free_rows, measure
from tickwire.ring._memory cimport (
    TW_RING_MAGIC,
    TW_RING_VERSION,
    tw_load_acquire,
    tw_mapping,
    tw_mapping_open,
    tw_mapping_release,
    tw_ring_header,
)
from tickwire.ring._tw_ring cimport (
    KIND_CODE16,
    KIND_CODE32,
    tw_close_ring,
    tw_ends,
    tw_intact_from,
    tw_locate,
    tw_look,
    tw_oldest_row,
    tw_text_intact_from,
    tw_view,
    tw_view_ring,
)

import os
from inspect import signature

from tickwire.wording import counted

cdef extern from "<time.h>" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec

    int nanosleep(const timespec* requested, timespec* remaining)

cdef extern from "tickwire/base/clock.h":
    int64_t tw_mono_ns() noexcept nogil

cdef enum:
    BATCH_ROWS = 65536
    # How long `wait` sleeps before it looks again: at first, and at the most.
    SHORT_NS = 50_000
    LONG_NS = 1_000_000


cdef class RingReader:
    """Reads a ring's file, without a gate, from the oldest row that it holds.

    Parameters
    ----------
    file
        Of the ring, open to be read; its header and directory are as they were written.
    table
        The `tickwire.schema.Table` of the directory.
    dictionaries
        By column's name: the `Values` of its codes.

    Attributes
    ----------
    table : tickwire.schema.Table
        As given.
    next_row : int
        The next row that it gives, counted since the ring was made.
    missed : int
        Rows that were written over before they were read.

    Raises
    ------
    ValueError
        It is no ring of this version, or is cut.
    """

    __signature__ = signature(lambda file, table, dictionaries: None)

    def __cinit__(self, int file, table not None, dict dictionaries not None):
        cdef size_t n_bytes = os.fstat(file).st_size
        cdef tw_mapping* mapping
        cdef tw_ring_header* header
        cdef Values values
        cdef tw_view view
        cdef int i
        if n_bytes < sizeof(tw_ring_header):
            raise ValueError("is cut")
        mapping = tw_mapping_open(n_bytes, file)
        if mapping == NULL:
            raise MemoryError(f"no memory for a ring of {table.name}")
        try:
            header = <tw_ring_header*> mapping.bytes
            if header.magic[:8] != TW_RING_MAGIC[:8] or header.version != TW_RING_VERSION:
                raise ValueError(f"is no ring of version {TW_RING_VERSION}")
            if header.block_bytes > n_bytes or header.n_columns != len(table.columns):
                raise ValueError("is cut")
            self.core = tw_view_ring(mapping)
        finally:
            tw_mapping_release(mapping)
        if self.core == NULL:
            raise MemoryError(f"no memory for a ring of {table.name}")
        self.table = table
        by_column = []
        for i, column in enumerate(table.columns):
            values = None
            if self.core.columns[i].kind in (KIND_CODE16, KIND_CODE32):
                values = dictionaries[column.name]
                self.core.columns[i].dictionary = &values.memory
            by_column.append(values)
        self.layout = make_layout(self.core, table, by_column)
        view = tw_look(self.core)
        self.next_row = tw_oldest_row(self.core, &view)

    def __dealloc__(self):
        tw_close_ring(self.core)

    def __repr__(self):
        return f"<RingReader of {self.table.name}: {counted(self.available, 'row')} to take>"

    def take(self, max_rows=None):
        """Copy rows that were published since the last call.

        Parameters
        ----------
        max_rows
            At most so many; there are at most 65,536 in any case.

        Returns
        -------
        Batch or None
            None where there is nothing.

        Raises
        ------
        ValueError
            A row cannot be: the file is damaged.
        RuntimeError
            It is in use by another thread.
        """
        cdef int64_t limit = BATCH_ROWS if max_rows is None else min(max_rows, BATCH_ROWS)
        cdef int64_t n_lost = 0
        cdef Rows* rows
        if limit < 1:
            raise ValueError(f"max_rows is {max_rows}: at least 1")
        if self.busy:
            raise RuntimeError("the reader is in use by another thread")
        self.busy = True
        try:
            rows = self.copy_rows(limit, &n_lost)
        finally:
            self.busy = False
        return None if rows == NULL else make_batch(self.layout, rows, n_lost)

    cdef Rows* copy_rows(self, int64_t limit, int64_t* n_lost) except? NULL:
        # A batch, and how many of its first rows were written over meanwhile; NULL: there is none.
        cdef Rows* rows
        cdef const char* fault
        cdef int64_t n
        while True:
            with nogil:
                if not self.measure_next(limit):
                    return NULL
                if not self.has_texts():
                    raise ValueError("its texts are not where its rows say")
                rows = copy_extent(self.core, &self.extent, False)
                if rows == NULL:
                    raise MemoryError("no memory for a record batch")
                n = self.count_lost(rows)
                fault = self.find_fault(rows, n)
            if fault != NULL:
                free_rows(rows)
                raise ValueError(fault.decode("ascii"))
            self.next_row += rows.n_rows
            self.missed += n
            if n < rows.n_rows:
                n_lost[0] = n
                return rows
            free_rows(rows)

    cdef bint measure_next(self, int64_t limit) noexcept nogil:
        # Measure the next rows; False: there are none.
        cdef tw_view view
        cdef int64_t oldest, first, whole, stop = 0
        while True:
            view = tw_look(self.core)
            oldest = tw_oldest_row(self.core, &view)
            if oldest > self.next_row:
                self.missed += oldest - self.next_row
                self.next_row = oldest
            if self.next_row >= view.n_rows:
                return False
            first = tw_locate(&view, self.next_row, &stop)
            whole = self.skip_texts(first, stop)
            if whole < stop:
                measure(self.core, whole, min(stop, whole + limit), &self.extent)
            # What was measured is true only where nothing of it was written over since.
            if first < tw_intact_from(self.core):
                continue
            self.missed += whole - first
            self.next_row += whole - first
            if whole < stop:
                return True

    cdef int64_t skip_texts(self, int64_t first, int64_t stop) noexcept nogil:
        # The first row whose texts are whole; they may be gone before the row is.
        cdef const int64_t* ends
        cdef int64_t intact, last, middle
        cdef int i
        for i in range(self.core.n_columns):
            if self.core.columns[i].arena == NULL:
                continue
            ends = tw_ends(&self.core.columns[i])
            intact = tw_text_intact_from(self.core, i)
            last = stop
            while first < last:
                middle = (first + last) >> 1
                if ends[(middle - 1) & self.core.mask] < intact:
                    first = middle + 1
                else:
                    last = middle
        return first

    cdef bint has_texts(self) noexcept nogil:
        # Whether what was measured of texts can be copied.
        cdef int i
        for i in range(self.core.n_columns):
            if not 0 <= self.extent.text_bytes[i] <= self.core.columns[i].arena_mask + 1:
                return False
        return True

    cdef int64_t count_lost(self, const Rows* rows) noexcept nogil:
        # Rows at the front of a copy that were written over while it was made.
        cdef int64_t intact = tw_intact_from(self.core)
        cdef int64_t n = min(max(intact - self.extent.first, 0), rows.n_rows)
        cdef const int32_t* offsets
        cdef int i
        for i in range(self.core.n_columns):
            if self.core.columns[i].arena == NULL:
                continue
            intact = tw_text_intact_from(self.core, i)
            offsets = <const int32_t*> rows.columns[i].buffers[1]
            while n < rows.n_rows and self.extent.text_starts[i] + offsets[n] < intact:
                n += 1
        return n

    cdef const char* find_fault(self, const Rows* rows, int64_t n_lost) noexcept nogil:
        # What cannot be in the rows that count, in words. Codes of the others become null, for who
        # makes a batch of all and cuts it.
        cdef int64_t expected = self.core.seq_base + self.next_row
        cdef const int64_t* seq = NULL
        cdef int64_t row, code, count
        cdef const int32_t* offsets
        cdef void* codes
        cdef int i
        for i in range(self.core.n_columns):
            codes = <void*> rows.columns[i].buffers[1]
            if self.core.columns[i].arena != NULL:
                offsets = <const int32_t*> codes
                for row in range(n_lost, rows.n_rows):
                    if offsets[row] < 0 or offsets[row] > offsets[row + 1]:
                        return "its texts are not where its rows say"
            if self.core.columns[i].values == <void*> self.core.seq:
                seq = <const int64_t*> codes
            if self.core.columns[i].dictionary == NULL:
                continue
            count = tw_load_acquire(self.core.columns[i].dictionary.count)
            for row in range(rows.n_rows):
                if self.core.columns[i].kind == KIND_CODE16:
                    code = (<int16_t*> codes)[row]
                    if code >= count or code < -1:
                        (<int16_t*> codes)[row] = 0
                else:
                    code = (<int32_t*> codes)[row]
                    if code >= count or code < -1:
                        (<int32_t*> codes)[row] = 0
                if (code >= count or code < -1) and row >= n_lost:
                    return "a code has no value"
        for row in range(n_lost, rows.n_rows):
            if seq != NULL and seq[row] != expected + row:
                return "its rows are not where its header says"
        return NULL

    cdef bint has_rows(self) noexcept nogil:
        return tw_look(self.core).n_rows > self.next_row

    def wait(self, double timeout_s):
        """Wait until there is something to take, asleep between looks.

        Parameters
        ----------
        timeout_s
            The longest time.

        Returns
        -------
        bool
            Whether there is.
        """
        cdef int64_t until = tw_mono_ns() + <int64_t> (timeout_s * 1e9)
        cdef timespec pause
        cdef bint found, is_over = False
        pause.tv_sec = 0
        pause.tv_nsec = SHORT_NS
        with nogil:
            while True:
                found = self.has_rows()
                if found or is_over or tw_mono_ns() >= until:
                    break
                is_over = nanosleep(&pause, NULL) != 0  # a signal
                pause.tv_nsec = min(pause.tv_nsec * 2, LONG_NS)
        return found

    @property
    def available(self):
        """Rows published and not taken."""
        return max(tw_look(self.core).n_rows - self.next_row, 0)

    @property
    def next_seq(self):
        """The value of column seq in the next row that it gives."""
        return self.core.seq_base + self.next_row
