"""A table's ring: the writer's side and the memory.

Rules of this file
------------------
- One thread writes: it fills rows, moves the floor and stores the cursor. Consumers share with it
  the cursor, the floor, what was skipped and their gates, nothing else.
- The marks `floor`, `kept` and `limit` are explained in the .pxd; they move in _watermarks.pyx.
- Positions are the writer's; what Python sees is counted in rows.
"""

from libc.stdint cimport INT32_MAX, INT64_MAX, int64_t, uint8_t
from libc.string cimport memcpy

from tickwire.ring._block cimport Block
from tickwire.ring._dictionary cimport Dictionaries, Dictionary
from tickwire.ring._drops cimport DropLog
from tickwire.ring._watermarks cimport advance, begin_again, rows_below
from tickwire.ring._memory cimport tw_ring_column, tw_store_release
from tickwire.ring._stage cimport stage_row

cdef extern from "tickwire/ring/columns.h" nogil:
    int64_t tw_count_up(int64_t* values, int64_t n, int64_t first)

cdef enum:
    MIN_ROWS = 1024
    MAX_CODES16 = 32767
    # Of a ring in all its columns: what the caches next to a processor keep beside a read and the
    # batch that is copied out of it.
    WINDOW_BYTES = 524_288
    MIN_WINDOWS = 4     # a ring of fewer windows is small enough as it is


cdef void call(object waiter) noexcept:
    # Publishing has no caller to raise to, and the other waiters must be woken too.
    waiter()


cdef class Ring:
    """The rows of one table: preallocated columns, one writer, many consumers.

    Parameters
    ----------
    table
        The `tickwire.schema.Table` whose rows it holds.
    rows
        How many rows it holds, a power of two, at least 1,024.
    dictionaries
        The feed's dictionaries.
    overflow
        What happens when a consumer lags a full ring. "block": there is no room until it has
        released rows. "drop_oldest": the oldest rows are overwritten and recorded (`take_drops`),
        except those that are leased.
    seq_base
        The value of column seq in the first row.
    batch_text_bytes
        A batch ends before the row with which a text column would have more bytes than this, but
        has at least one row; at most 2**31 - 1, what Arrow's offsets reach.
    window_rows
        How many rows are filled before `rewind` begins again at the front; 0: it never does.
        Default: half a MiB of them. It never does either where that is more than a quarter of
        `rows`.

    Attributes
    ----------
    table : tickwire.schema.Table
        As given.
    schema : pyarrow.Schema
        Of every batch.
    dictionaries : Dictionaries
        As given.
    drops_oldest : bool
        Whether `overflow` is "drop_oldest".
    capacity : int
        Rows.
    seq_base : int
        As given.
    """

    def __cinit__(
        self,
        table not None,
        int64_t rows,
        Dictionaries dictionaries not None,
        *,
        str overflow not None="block",
        int64_t seq_base=0,
        int64_t batch_text_bytes=INT32_MAX,
        window_rows=None,
    ):
        if rows < MIN_ROWS or rows & (rows - 1) or rows > 1 << 40:
            raise ValueError(f"rows is {rows}: a power of two, at least {MIN_ROWS}")
        if overflow not in ("block", "drop_oldest"):
            raise ValueError(f"overflow is {overflow!r}: block or drop_oldest")
        if len(table.columns) > MAX_COLUMNS:
            raise ValueError(f"table {table.name} has more than {MAX_COLUMNS} columns")
        if not 0 < batch_text_bytes <= INT32_MAX:
            raise ValueError(f"batch_text_bytes is {batch_text_bytes}: 1 to {INT32_MAX}")
        self.batch_text_bytes = batch_text_bytes
        self.table = table
        self.schema = table.arrow_schema
        self.dictionaries = dictionaries
        self.drops_oldest = overflow == "drop_oldest"
        self.capacity = rows
        self.mask = rows - 1
        self.seq_base = seq_base
        self.drops = DropLog()
        self.waiters = []
        self.code_dictionaries = []
        self.block = Block(table, rows, seq_base)
        self.mapping = self.block.mapping
        self.header = self.block.header
        self.recv_mono = <int64_t*> self.block.at(self.header.recv_mono_offset)
        self.n_columns = len(table.columns)
        self.limit = rows - 1
        self.row_bytes = <int64_t> self.header.block_bytes // rows
        self.window_rows = WINDOW_BYTES // self.row_bytes if window_rows is None else window_rows
        if self.window_rows < 0:
            raise ValueError(f"window_rows is {window_rows}: 0 or more")
        if self.window_rows > rows // MIN_WINDOWS:
            self.window_rows = 0
        self.rewind_at = self.window_rows if self.window_rows > 0 else INT64_MAX
        cdef tw_ring_column* entry
        cdef Dictionary dictionary
        cdef int i
        for i, column in enumerate(table.columns):
            entry = &self.block.directory[i]
            self.kinds[i] = entry.kind
            self.nullable[i] = entry.nullable
            self.columns[i] = self.block.at(entry.offset)
            self.valids[i] = self.block.at(entry.valid_offset)
            self.arenas[i] = self.block.at(entry.arena_offset)
            self.arena_masks[i] = <int64_t> entry.arena_bytes - 1
            self.text_limits[i] = <int64_t> entry.arena_bytes
            self.max_texts[i] = min(<int64_t> entry.arena_bytes >> 1, <int64_t> INT32_MAX)
            dictionary = None
            if entry.kind == KIND_CODE16 or entry.kind == KIND_CODE32:
                dictionary = dictionaries.of(column.name)
                if entry.kind == KIND_CODE16 and dictionary.max_values > MAX_CODES16:
                    raise ValueError(f"column {column.name} has too few bits for its dictionary")
                self.values[i] = &dictionary.memory
            self.code_dictionaries.append(dictionary)
            if column.name == "seq" and entry.kind == KIND_I64:
                self.seq = <int64_t*> self.columns[i]
            elif column.name == "ts_recv" and entry.kind == KIND_TS:
                self.ts_recv = <int64_t*> self.columns[i]

    cdef bint refresh_limit(self) noexcept nogil:
        """Move `limit` on where consumers or the policy allow it.

        Shape    the floor moves by at most a sixteenth of the ring, so that old rows stay readable.
        Units    rows.
        Returns  whether row `head` may be filled now. Never blocks.
        Threads  writer only.
        Memory   none allocated, no GIL.
        Source   Disruptor SingleProducerSequencer; the cached gating sequence of SPSCQueue.
        """
        advance(self)
        return self.head_at < self.limit

    cdef TextResult put_text(self, int i, const uint8_t* value, size_t n) noexcept nogil:
        """Put the text of row `head_at` in column `i`; where it is put again, the last counts.

        Shape    value: n bytes; UTF-8 in a TEXT column.
        Units    bytes.
        Returns  TEXT_OK; TEXT_FULL: no room until consumers release rows, or until rows staged
                 before this message are published; TEXT_TOO_LONG: the message's text is more than
                 half the column's memory and never fits.
        Threads  writer only.
        Memory   value is copied; no allocation, no GIL.
        Source   as the rows: virtual positions that grow for ever, masked into a power of two.
        """
        cdef int64_t* ends = <int64_t*> self.columns[i]
        cdef int64_t arena_mask = self.arena_masks[i]
        cdef int64_t start = ends[(self.head_at - 1) & self.mask]
        if n > <size_t> self.max_texts[i]:
            return TEXT_TOO_LONG
        cdef int64_t end = start + <int64_t> n
        if end > self.text_limits[i]:
            if end - ends[(self.message_start - 1) & self.mask] > self.max_texts[i]:
                return TEXT_TOO_LONG
            while end > self.text_limits[i]:
                if not advance(self):
                    return TEXT_FULL
        cdef size_t at = <size_t> (start & arena_mask)
        cdef size_t n_first = <size_t> arena_mask + 1 - at
        if n <= n_first:
            memcpy(self.arenas[i] + at, value, n)
        else:
            memcpy(self.arenas[i] + at, value, n_first)
            memcpy(self.arenas[i], value + n_first, n - n_first)
        ends[self.head_at & self.mask] = end
        if self.valids[i] != NULL:
            self.valids[i][self.head_at & self.mask] = 1
        return TEXT_OK

    cdef void put_null(self, int i) noexcept nogil:
        """Put null for row `head_at` in the text column `i` (empty text where it is not nullable).

        Shape    one row.
        Units    none.
        Returns  nothing; a null needs no bytes and always has room.
        Threads  writer only.
        Memory   none allocated, no GIL.
        Source   Arrow's variable-size binary layout.
        """
        cdef int64_t* ends = <int64_t*> self.columns[i]
        ends[self.head_at & self.mask] = ends[(self.head_at - 1) & self.mask]
        if self.valids[i] != NULL:
            self.valids[i][self.head_at & self.mask] = 0

    cdef void take_back(self, int64_t position) noexcept nogil:
        # The staged rows from `position` on; published rows stay. Text needs nothing: the next
        # row's begins where the row before it ends.
        if position < self.published_at:
            position = self.published_at
        if position < self.head_at:
            self.head_at = position
        if self.message_start > position:
            self.message_start = position

    def rollback(self, int64_t head):
        """Take back the staged rows from row `head` on; published rows stay.

        Parameters
        ----------
        head
            The row that is filled next, counted since the ring was made.
        """
        self.take_back(head + self.skipped)

    cpdef void publish(self) noexcept nogil:
        """Make all staged rows visible to consumers."""
        cdef int64_t first = self.published_at
        cdef int64_t n = self.head_at - first
        cdef int64_t n_first, seq
        if n == 0:
            return
        if self.seq != NULL:
            n_first = min(n, self.capacity - (first & self.mask))
            seq = self.seq_base + first - self.skipped
            tw_count_up(&self.seq[first & self.mask], n_first, seq)
            tw_count_up(self.seq, n - n_first, seq + n_first)
        self.published_at = self.head_at
        self.message_start = self.head_at
        # Release: the rows are written before the cursor says so. Partner: Consumer's acquire.
        tw_store_release(&self.header.cursor.value, self.head_at)
        if self.armed:
            with gil:
                self.wake()

    cpdef bint rewind(self) noexcept nogil:
        """Begin again at the front of the columns, which the processor's cache still holds.

        Nothing happens unless a window of rows has been filled, all of them are published, there
        is a consumer and every consumer has taken everything. What they have taken is no longer
        held then: a consumer that attaches later starts behind it. Writer's thread only.

        Returns
        -------
        bool
            Whether the next row goes to the front.
        """
        return self.head_at >= self.rewind_at and begin_again(self)

    cdef void wake(self) noexcept:
        cdef list waiters = self.waiters
        self.waiters = []
        self.armed = False
        for waiter in waiters:
            call(waiter)

    def arm(self, callback):
        """Have `callback` called once, at the next publish. Writer's thread only.

        Parameters
        ----------
        callback
            Called without arguments, in the writer's thread, inside `publish`; must be short.
        """
        self.waiters.append(callback)
        self.armed = True

    def disarm(self, callback):
        """Take back what `arm` asked for; nothing happens where it was called already.

        Parameters
        ----------
        callback
            As given to `arm`.
        """
        if callback in self.waiters:
            self.waiters.remove(callback)
        self.armed = bool(self.waiters)

    def take_drops(self):
        """Give the rows dropped since the last call, and forget them. Writer's thread only.

        Returns
        -------
        list of Drop
            At most 64, oldest first; past that the last one grows.
        """
        return self.drops.take()

    def stage(self, **values):
        """Fill the next row; invisible until `publish`. Writer's thread only.

        Parameters
        ----------
        **values
            By column: str for codes and text, bytes for binary, int ns for times, None or nothing
            for null. `ts_recv` and the hidden `recv_mono` default to the clocks; `seq` is the
            ring's own.

        Returns
        -------
        bool
            False where there was no room; nothing is staged then.

        Raises
        ------
        TypeError
            A name is no column.
        ValueError
            A column lacks its value, or the text of the rows staged is more than `max_text_bytes`.
        DictionaryFull
            A string got no code.
        """
        return stage_row(self, values)

    def append(self, **values):
        """Write one row and publish it, with all rows staged before. Writer's thread only.

        Parameters
        ----------
        **values
            As for `stage`.

        Returns
        -------
        bool
            False where there was no room; nothing is written then.
        """
        if not stage_row(self, values):
            return False
        self.publish()
        return True

    def max_text_bytes(self, str name not None):
        """Give how much text the column `name` takes in rows that are published together.

        Parameters
        ----------
        name
            A text or binary column.

        Returns
        -------
        int
            Bytes: half the column's memory; 0 for a column of another kind.
        """
        cdef int i = self.table.index(name)
        return self.max_texts[i]

    @property
    def dropped_rows(self):
        """Rows that some consumer did not get."""
        return self.drops.n_rows

    @property
    def columns(self):
        """The columns as read-only arrays of `capacity` slots: for debugging and tests."""
        return self.block.views()

    @property
    def is_full(self):
        """Whether a row cannot be staged now. Writer's thread only."""
        return not self.has_room()

    @property
    def head(self):
        """The next row to fill, counted since the ring was made."""
        return self.head_at - self.skipped

    @property
    def published(self):
        """Rows published since the ring was made."""
        return self.published_at - self.skipped

    @property
    def cursor(self):
        """Rows published, read as a consumer reads it."""
        return rows_below(self.header, &self.header.cursor.value, 0)

    @property
    def next_seq(self):
        """The value of column seq in the next row that is published."""
        return self.seq_base + self.published_at - self.skipped
