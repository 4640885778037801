"""A table's ring, for Python: what its writer does with it, and the settings.

Rules of this file
------------------
- One thread writes: it fills rows, moves the floor and stores the cursor. Consumers share with it
  the cursor, the floor, what was skipped and their gates, nothing else.
- What a ring does is in C (ring.h and the headers beside it), and what must outlive the process in
  its block. Only what is Python's own is here: the dictionaries, and in `_waiters` who waits.
"""

from libc.stdint cimport INT32_MAX, int64_t

from tickwire.ring._block cimport Block
from tickwire.ring._dictionary cimport Dictionaries, Dictionary
from tickwire.ring._memory cimport tw_drop_log, tw_drop_range
from tickwire.ring._stage cimport stage_row
from tickwire.ring._tw_ring cimport (
    KIND_CODE16,
    KIND_CODE32,
    MAX_COLUMNS,
    tw_close_ring,
    tw_column,
    tw_has_room,
    tw_is_held,
    tw_open_ring,
    tw_publish,
    tw_rewind,
    tw_ring_fault,
    tw_rollback,
    tw_rows_at,
    tw_set_limits,
)
from tickwire.ring._waiters cimport Waiters

from inspect import signature

from tickwire.ring.drop import Drop

cdef enum:
    MIN_ROWS = 1024
    MAX_CODES16 = 32767
    # Of a ring in all its columns: what the caches next to a processor keep beside a read and the
    # batch that is copied out of it.
    WINDOW_BYTES = 524_288
    MIN_WINDOWS = 4     # a ring of fewer windows is small enough as it is


cdef void wake(void* ring) noexcept with gil:
    (<Ring> ring).wake()


cdef class Ring(Waiters):
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
        What happens when a consumer lags a full ring. "block": the ring stays full until it has
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
    block
        What another ring of the same table and size has written, to go on with: its `block`. The
        other one must write no more. `seq_base` is the block's own then.

    Attributes
    ----------
    table : tickwire.schema.Table
        As given.
    schema : pyarrow.Schema
        Of every batch.
    dictionaries : Dictionaries
        As given.
    block : Block
        Its memory.

    Raises
    ------
    ValueError
        A setting is out of range, or the block holds other rows.
    """

    __signature__ = signature(
        lambda table, rows, dictionaries, *, overflow="block", seq_base=0,
        batch_text_bytes=INT32_MAX, window_rows=None, block=None: None
    )

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
        Block block=None,
    ):
        if rows < MIN_ROWS or rows & (rows - 1) or rows > 1 << 40:
            raise ValueError(f"rows is {rows}: a power of two, at least {MIN_ROWS}")
        if overflow not in ("block", "drop_oldest"):
            raise ValueError(f"overflow is {overflow!r}: block or drop_oldest")
        if len(table.columns) > MAX_COLUMNS:
            raise ValueError(f"table {table.name} has more than {MAX_COLUMNS} columns")
        if not 0 < batch_text_bytes <= INT32_MAX:
            raise ValueError(f"batch_text_bytes is {batch_text_bytes}: 1 to {INT32_MAX}")
        self.table = table
        self.schema = table.arrow_schema
        self.dictionaries = dictionaries
        self.code_dictionaries = []
        if block is None:
            block = Block(table, rows, seq_base)
        else:
            block.check(table, rows)
        self.block = block
        self.core = tw_open_ring(block.mapping, overflow == "drop_oldest")
        if self.core == NULL:
            raise MemoryError(f"no memory for a ring of {table.name}")
        self.core.batch_text_bytes = batch_text_bytes
        self.core.wake = wake
        self.core.waker = <void*> self
        self._set_window(window_rows)
        for i, column in enumerate(table.columns):
            self.code_dictionaries.append(self._bind(&self.core.columns[<int> i], column))

    def __repr__(self):
        return f"<Ring {self.table.name}: {self.capacity} rows, next seq {self.next_seq}>"

    def __dealloc__(self):
        tw_close_ring(self.core)

    cdef int _set_window(self, object window_rows) except -1:
        cdef int64_t n = WINDOW_BYTES // self.core.row_bytes if window_rows is None else window_rows
        if n < 0:
            raise ValueError(f"window_rows is {window_rows}: 0 or more")
        if n > self.core.capacity // MIN_WINDOWS:
            n = 0
        self.core.window_rows = n
        if n > 0:
            self.core.rewind_at = self.core.header.lap.value + n
        return 0

    cdef object _bind(self, tw_column* column, object declared):
        """Connect a column of codes with its dictionary; None for others."""
        cdef Dictionary dictionary
        if column.kind != KIND_CODE16 and column.kind != KIND_CODE32:
            return None
        dictionary = self.dictionaries.of(declared.name)
        if column.kind == KIND_CODE16 and dictionary.max_values > MAX_CODES16:
            raise ValueError(f"column {declared.name} has too few bits for its dictionary")
        column.dictionary = &dictionary.memory
        return dictionary

    def rollback(self, int64_t head):
        """Take back the staged rows from row `head` on; published rows stay.

        Parameters
        ----------
        head
            The row that is filled next, counted since the ring was made.
        """
        tw_rollback(self.core, head + self.core.skipped)

    cpdef void publish(self) noexcept nogil:
        """Make all staged rows visible to consumers."""
        tw_publish(self.core)

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
        return tw_rewind(self.core)

    def take_drops(self):
        """Give the rows dropped since the last call, and forget them. Writer's thread only.

        Returns
        -------
        list of Drop
            At most 64, oldest first; past that the last one grows.
        """
        cdef tw_drop_log* log = &self.core.header.drops
        cdef tw_drop_range* each
        cdef list taken = []
        for i in range(log.n_ranges):
            each = &log.ranges[<int> i]
            taken.append(
                Drop(
                    each.first_row, each.last_row, each.ts_first_ns, each.ts_last_ns, each.n_rows
                )
            )
        log.n_ranges = 0
        return taken

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
            False where the ring was full; nothing is staged then.

        Raises
        ------
        TypeError
            A name is no column.
        ValueError
            A column lacks its value, or the text of the rows staged is more than `max_text_bytes`.
        DictionaryFull
            A string got no code.
        """
        return stage_row(self.core, self.table, self.code_dictionaries, values)

    def append(self, **values):
        """Write one row and publish it, with all rows staged before. Writer's thread only.

        Parameters
        ----------
        **values
            As for `stage`.

        Returns
        -------
        bool
            False where the ring was full; nothing is written then.
        """
        if not stage_row(self.core, self.table, self.code_dictionaries, values):
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
        return self.core.columns[i].max_text if self.core.columns[i].arena != NULL else 0

    @property
    def drops_oldest(self):
        """Whether `overflow` is "drop_oldest"."""
        return self.core.drops_oldest != 0

    @property
    def capacity(self):
        """Rows that it holds."""
        return self.core.capacity

    @property
    def seq_base(self):
        """The value of column seq in the first row."""
        return self.core.seq_base

    @property
    def dropped_rows(self):
        """Rows that some consumer did not get."""
        return self.core.header.drops.n_rows

    @property
    def columns(self):
        """The columns as read-only arrays of `capacity` slots: for debugging and tests."""
        return self.block.views()

    @property
    def is_full(self):
        """Whether a row cannot be staged now. Writer's thread only."""
        return not tw_has_room(self.core)

    @property
    def is_waited_for(self):
        """Whether a writer waits for consumers to release rows. Writer's thread only."""
        return bool(self.for_room) or tw_is_held(self.core)

    def renew_limits(self):
        """Look at the bounds of its consumers anew. Writer's thread only."""
        tw_set_limits(self.core)

    @property
    def fault(self):
        """What is wrong with the ring's header; empty where nothing is. Writer's thread only."""
        cdef const char* found = tw_ring_fault(self.core)
        return "" if found == NULL else found.decode("ascii")

    @property
    def head(self):
        """The next row to fill, counted since the ring was made."""
        return self.core.head - self.core.skipped

    @property
    def published(self):
        """Rows published since the ring was made."""
        return self.core.published - self.core.skipped

    @property
    def cursor(self):
        """Rows published, read as a consumer reads it."""
        return tw_rows_at(self.core.header, &self.core.header.cursor.value, 0)

    @property
    def next_seq(self):
        """The value of column seq in the next row that is published."""
        return self.core.seq_base + self.core.published - self.core.skipped
