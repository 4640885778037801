"""A table's ring: the writer's side.

The writer fills row `head_at` of every column, counts it with `head_at += 1`, and makes all rows
below visible with `publish`. Until then `take_back` forgets them. The slot of position p is
`p & mask`. Positions count up by one per row, except where the ring begins again at slot 0
(`rewind`, see _watermarks.pyx): `skipped` is what it has jumped over, and `position - skipped`
counts rows since the ring was made. Python sees rows, never positions. `publish` fills `seq`.

Three marks bound what the writer may fill. `floor`: consumers start at or above it. `kept`: rows
from here on must stay as they are, the floor or an older row that somebody still holds. `limit` =
kept + capacity - 1: rows below may be filled (row kept - 1 stays too, for its text's end).
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from tickwire.ring._block cimport Block
from tickwire.ring._dictionary cimport Dictionaries, DictionaryMemory
from tickwire.ring._drops cimport DropLog
from tickwire.ring._memory cimport tw_mapping, tw_ring_header

cdef enum:
    MAX_COLUMNS = 64

# schema.Kind
cdef enum Kind:
    KIND_I64 = 0
    KIND_I32 = 1
    KIND_F64 = 2
    KIND_TS = 3
    KIND_BOOL = 4
    KIND_CODE16 = 5
    KIND_CODE32 = 6
    KIND_TEXT = 7
    KIND_BINARY = 8

cdef enum TextResult:
    TEXT_TOO_LONG = -1  # never fits: the message has text for more than half the column's memory
    TEXT_FULL = 0       # no room now
    TEXT_OK = 1


@cython.final
cdef class Ring:
    cdef readonly object table          # schema.Table
    cdef readonly object schema         # its pyarrow.Schema
    cdef readonly Dictionaries dictionaries
    cdef readonly bint drops_oldest     # overflow is drop_oldest
    cdef readonly int64_t capacity      # rows, a power of two
    cdef int64_t mask                   # capacity - 1
    cdef readonly int64_t seq_base      # the value of column seq in row 0
    cdef int64_t head_at                # position of the next row to fill; writer only
    cdef int64_t published_at           # rows below are visible; the writer's copy of the cursor
    cdef int64_t limit                  # rows below may be filled: cached from the gating sequences
    # First row of the message being staged. `publish` sets it; a writer that stages several
    # messages before it publishes sets it at the start of each, for TEXT_TOO_LONG.
    cdef int64_t message_start
    cdef int n_columns
    cdef int kinds[MAX_COLUMNS]         # Kind
    cdef void* columns[MAX_COLUMNS]     # memory of column i; text: its ends, see put_text
    cdef int64_t* recv_mono             # hidden column: monotonic ns of the read, by the writer

    cdef Block block
    cdef tw_mapping* mapping            # the block's; batches that borrow hold it too
    cdef tw_ring_header* header
    cdef bint nullable[MAX_COLUMNS]
    cdef uint8_t* arenas[MAX_COLUMNS]   # text: bytes, from row r at ends[r - 1] & arena_mask
    cdef int64_t arena_masks[MAX_COLUMNS]
    cdef int64_t text_limits[MAX_COLUMNS]  # text may reach up to here, counted like `ends`
    cdef int64_t max_texts[MAX_COLUMNS]  # bytes of text in one message: TEXT_TOO_LONG
    cdef int64_t batch_text_bytes       # of one text column in one batch
    cdef uint8_t* valids[MAX_COLUMNS]   # nullable text: 1 where there is a value
    cdef DictionaryMemory* values[MAX_COLUMNS]  # of codes, kept by code_dictionaries
    cdef list code_dictionaries         # by column; None where it has no codes
    cdef int64_t* seq                   # NULL where the table has none
    cdef int64_t* ts_recv
    cdef int64_t floor
    cdef int64_t kept
    cdef int64_t skipped                # positions jumped over; the writer's copy
    cdef int64_t lap_at                 # where the last `rewind` has led; 0 before it
    cdef int64_t window_rows            # filled before the ring may begin again; 0: it never does
    cdef int64_t rewind_at              # `rewind` has nothing to do while head_at is below
    cdef int64_t row_bytes              # of one row in all columns, about
    cdef DropLog drops
    cdef bint armed
    cdef list waiters
    cdef object __weakref__

    # True if row `head_at` may be filled. False: the ring is full and its policy is `block`, or the
    # oldest rows are leased.
    cdef inline bint has_room(self) noexcept nogil:
        return self.head_at < self.limit or self.refresh_limit()

    cdef bint refresh_limit(self) noexcept nogil
    # Text of row `head_at` in the text column `i`; where it is put again, the last counts. Every
    # text column of every row is given one of these two.
    cdef TextResult put_text(self, int i, const uint8_t* value, size_t n) noexcept nogil
    cdef void put_null(self, int i) noexcept nogil      # text columns only; always has room
    cdef void take_back(self, int64_t position) noexcept nogil
    cpdef void publish(self) noexcept nogil
    cpdef bint rewind(self) noexcept nogil

    cdef void wake(self) noexcept
