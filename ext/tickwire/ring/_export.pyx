"""Rows of a ring as an Arrow record batch, through the Arrow C data interface.

Rules of this file
------------------
- One allocation holds what is copied of a batch, each buffer on a 64-byte line; of one row on 8
  bytes, so that it takes few lines of a cache. The interface's
  structs, which are more than the data of a few rows, are another one, made where Arrow is asked
  for. Both are freed when the last of the batch's arrays is released, by any thread, without the
  GIL.
- What is borrowed (dictionaries; in a lease also the ring's columns) is kept alive by counted
  mappings, so batches outlive ring, consumer and dictionaries.
- A writer that drops oldest rows may overwrite rows while they are copied; the caller discards
  those. So nothing copied is trusted as a length or index here: sizes come from the `Extent`, which
  the caller has checked.
- Bitmaps of validity are made only for columns that have a null. A code column is always looked
  through, because a code of -1 must never become an index.
"""

from libc.stdint cimport (
    INT32_MIN,
    INT64_MIN,
    int16_t,
    int32_t,
    int64_t,
    uint8_t,
    uintptr_t,
)
from libc.string cimport memcpy, memset

from tickwire.ring._memory cimport (
    tw_add,
    tw_load_acquire,
    tw_mapping,
    tw_mapping_release,
    tw_mapping_retain,
)
from tickwire.ring._tw_ring cimport (
    KIND_BINARY,
    KIND_BOOL,
    KIND_CODE16,
    KIND_CODE32,
    KIND_F64,
    KIND_I32,
    KIND_TEXT,
    MAX_COLUMNS,
    tw_column,
    tw_dictionary,
    tw_ends,
    tw_ring,
)

import pyarrow as pa

cdef object import_from_c = pa.RecordBatch._import_from_c

cdef extern from "tickwire/ring/block_pool.h" nogil:
    void* tw_pool_take(size_t n_bytes, int* size_class)
    void tw_pool_give(void* memory, int size_class)

cdef extern from "tickwire/ring/columns.h" nogil:
    int TW_HAS_NULLS
    int TW_HAS_VALUES
    int tw_look_i64(const int64_t* values, int64_t n)
    int tw_look_i32(const int32_t* values, int64_t n)
    int tw_look_f64(const double* values, int64_t n)
    int tw_look_code16(const int16_t* values, int64_t n)
    int tw_look_code32(const int32_t* values, int64_t n)
    int64_t tw_offsets(const int64_t* ends, int64_t n, int64_t start, int32_t* offsets)

cdef extern from "tickwire/ring/bitmap.h" nogil:
    int64_t tw_nulls_i64(const int64_t* values, int64_t n)
    int64_t tw_nulls_i32(const int32_t* values, int64_t n)
    int64_t tw_nulls_f64(const double* values, int64_t n)
    int64_t tw_nulls_code16(const int16_t* values, int64_t n)
    int64_t tw_nulls_code32(const int32_t* values, int64_t n)
    void tw_valid_i64(const int64_t* values, int64_t n, uint8_t* bitmap)
    void tw_valid_i32(const int32_t* values, int64_t n, uint8_t* bitmap)
    void tw_valid_f64(const double* values, int64_t n, uint8_t* bitmap)
    void tw_valid_code16(const int16_t* values, int64_t n, uint8_t* bitmap)
    void tw_valid_code32(const int32_t* values, int64_t n, uint8_t* bitmap)
    int64_t tw_count_byte(const uint8_t* data, int64_t n, uint8_t value)
    void tw_pack_bits(
        const uint8_t* data, int64_t n, int shift, int flip, uint8_t* bitmap, int64_t at
    )

cdef struct ColumnArray:
    ArrowArray array
    ArrowArray values               # of a dictionary
    const void* value_buffers[3]

cdef struct Batch:
    ArrowArray array                # first, so that a Batch* is an ArrowArray*
    int64_t refs                    # arrays not released yet
    const void* no_buffers[1]
    Rows* rows                      # owned, perhaps with others
    int size_class                  # of its memory, for tw_pool_give
    int n_kept
    tw_mapping* kept[MAX_COLUMNS + 1]

cdef enum:
    # Of a row that `copy_row` takes: with some twenty columns it is a block of 2 KiB.
    ROW_TEXT_BYTES = 512

# Where the next copied buffer goes, and what it is made of.
cdef struct Source:
    int64_t slot                    # of the first row
    int64_t n
    int64_t n_first                 # rows before the ring's end
    int64_t padding                 # a buffer's size is rounded up to one more than this
    uint8_t* out


cdef inline uint8_t* place(Source* source, int64_t n_bytes) noexcept nogil:
    # Memory for a buffer.
    cdef uint8_t* out = source.out
    source.out += (n_bytes + source.padding) & ~source.padding
    return out


cdef inline int64_t line(int64_t n_bytes) noexcept nogil:
    return (n_bytes + 63) & ~<int64_t> 63


cdef inline int64_t width(int kind) noexcept nogil:
    if kind == KIND_CODE16:
        return 2
    if kind == KIND_I32 or kind == KIND_CODE32:
        return 4
    return 8


cdef inline bint is_text(int kind) noexcept nogil:
    return kind == KIND_TEXT or kind == KIND_BINARY


cdef inline bint may_lack(const tw_ring* ring, int i) noexcept nogil:
    cdef const tw_column* column = &ring.columns[i]
    return column.nullable or column.kind == KIND_CODE16 or column.kind == KIND_CODE32


cdef void measure(const tw_ring* ring, int64_t first, int64_t stop, Extent* extent) noexcept nogil:
    cdef const int64_t* ends
    cdef int64_t start, low, high, middle, row_bytes = 0
    cdef int i
    extent.first = first
    for i in range(ring.n_columns):
        if not is_text(ring.columns[i].kind):
            row_bytes += width(ring.columns[i].kind)
            continue
        ends = tw_ends(&ring.columns[i])
        start = ends[(first - 1) & ring.mask]
        extent.text_starts[i] = start
        if ends[(stop - 1) & ring.mask] - start > ring.batch_text_bytes:
            # The most rows whose text fits. One row always goes, put_text bounds it.
            low = first + 1
            high = stop
            while low < high:
                middle = (low + high + 1) >> 1
                if ends[(middle - 1) & ring.mask] - start > ring.batch_text_bytes:
                    high = middle - 1
                else:
                    low = middle
            stop = low
    extent.stop = stop
    extent.n_bytes = (stop - first) * row_bytes
    for i in range(ring.n_columns):
        extent.text_bytes[i] = 0
        if is_text(ring.columns[i].kind):
            ends = tw_ends(&ring.columns[i])
            extent.text_bytes[i] = ends[(stop - 1) & ring.mask] - extent.text_starts[i]
            extent.n_bytes += extent.text_bytes[i]


cdef int64_t copied_bytes(const tw_ring* ring, const Extent* extent, bint borrow) noexcept nogil:
    # Upper bound of what the buffers of the batch take.
    cdef int64_t n = extent.stop - extent.first
    cdef int64_t total = 0
    if n == 1:  # values, offsets and bitmaps of 8 bytes each, and what texts are rounded up by
        return line(ring.n_columns * 32 + extent.n_bytes)
    cdef int64_t bitmap = line((n + 7) >> 3)
    cdef int i
    for i in range(ring.n_columns):
        if may_lack(ring, i):
            total += bitmap
        if is_text(ring.columns[i].kind):
            total += line((n + 1) * 4) + line(extent.text_bytes[i])
        elif ring.columns[i].kind == KIND_BOOL:
            total += bitmap
        elif not borrow:
            total += line(n * width(ring.columns[i].kind))
    return total


cdef Rows* copy_extent(const tw_ring* ring, const Extent* extent, bint borrow) noexcept nogil:
    cdef int64_t n = extent.stop - extent.first
    cdef int n_columns = ring.n_columns
    cdef int64_t data_at = line(
        <int64_t> sizeof(Rows) + (n_columns - 1) * <int64_t> sizeof(ColumnData)
    )
    cdef int size_class, i
    cdef Rows* rows = <Rows*> tw_pool_take(
        <size_t> (data_at + copied_bytes(ring, extent, borrow)), &size_class
    )
    if rows == NULL:
        return NULL
    rows.refs = 1
    rows.n_rows = n
    rows.size_class = size_class
    memset(rows.columns, 0, n_columns * sizeof(ColumnData))
    cdef Source source
    source.slot = extent.first & ring.mask
    source.n = n
    source.n_first = min(n, ring.capacity - source.slot)
    source.padding = 7 if n == 1 else 63
    source.out = <uint8_t*> rows + data_at
    for i in range(n_columns):
        if is_text(ring.columns[i].kind):
            fill_text(ring, i, extent, &rows.columns[i], &source)
        elif ring.columns[i].kind == KIND_BOOL:
            fill_bools(ring, i, &rows.columns[i], &source)
        elif n == 1 and not borrow:
            fill_number(ring, i, &rows.columns[i], &source)
        else:
            fill_numbers(ring, i, &rows.columns[i], &source, borrow)
    return rows


cdef Rows* copy_row(const tw_ring* ring, int64_t row) noexcept nogil:
    cdef int n_columns = ring.n_columns
    cdef int64_t data_at = line(
        <int64_t> sizeof(Rows) + (n_columns - 1) * <int64_t> sizeof(ColumnData)
    )
    # Of a column: values or offsets, bitmap, and what a text is rounded up by.
    cdef int64_t n_bytes = line(data_at + n_columns * 24 + ROW_TEXT_BYTES)
    cdef int64_t text_left = ROW_TEXT_BYTES
    cdef int size_class, i
    cdef Rows* rows = <Rows*> tw_pool_take(<size_t> n_bytes, &size_class)
    if rows == NULL:
        return NULL
    rows.refs = 1
    rows.n_rows = 1
    rows.size_class = size_class
    memset(rows.columns, 0, n_columns * sizeof(ColumnData))
    cdef Source source
    source.slot = row & ring.mask
    source.n = source.n_first = 1
    source.padding = 7
    source.out = <uint8_t*> rows + data_at
    for i in range(n_columns):
        if is_text(ring.columns[i].kind):
            text_left = copy_text(ring, i, row, &rows.columns[i], &source, text_left)
            if text_left < 0:
                tw_pool_give(rows, size_class)
                return NULL
        elif ring.columns[i].kind == KIND_BOOL:
            fill_bools(ring, i, &rows.columns[i], &source)
        else:
            fill_number(ring, i, &rows.columns[i], &source)
    return rows


cdef inline int64_t copy_text(
    const tw_ring* ring, int i, int64_t row, ColumnData* column, Source* source, int64_t left
) noexcept nogil:
    # As `fill_text`, of one row with at most so many bytes; returns how many more may come, or -1.
    # Its length is what the ring says now: nothing has checked it.
    cdef const tw_column* from_ring = &ring.columns[i]
    cdef const int64_t* ends = tw_ends(from_ring)
    cdef int64_t start = ends[(row - 1) & ring.mask]
    cdef int64_t n_bytes = ends[source.slot] - start
    if n_bytes < 0 or n_bytes > left:
        return -1
    cdef int64_t arena_bytes = from_ring.arena_mask + 1
    cdef int64_t at = start & from_ring.arena_mask
    if n_bytes > arena_bytes - at:
        return -1
    cdef int32_t* offsets = <int32_t*> place(source, 8)
    offsets[0] = 0
    offsets[1] = <int32_t> n_bytes
    column.buffers[1] = offsets
    column.buffers[2] = place(source, n_bytes)
    memcpy(<void*> column.buffers[2], from_ring.arena + at, <size_t> n_bytes)
    if from_ring.valid != NULL and from_ring.valid[source.slot] == 0:
        column.buffers[0] = pack(from_ring.valid, source, 0, 0)
        column.null_count = 1
    return left - n_bytes


cdef void free_rows(Rows* rows) noexcept nogil:
    if tw_add(&rows.refs, -1) == 0:
        tw_pool_give(rows, rows.size_class)


cdef ArrowArray* export_rows(Rows* rows, const Form* form, tw_mapping* borrowed) noexcept nogil:
    cdef int n_columns = form.n_columns
    cdef int64_t columns_at = line(sizeof(Batch))
    cdef int64_t children_at = line(columns_at + n_columns * <int64_t> sizeof(ColumnArray))
    cdef int size_class, i
    cdef uint8_t* memory = <uint8_t*> tw_pool_take(
        <size_t> line(children_at + n_columns * <int64_t> sizeof(void*)), &size_class
    )
    if memory == NULL:
        return NULL
    tw_add(&rows.refs, 1)
    memset(memory, 0, <size_t> children_at)
    cdef Batch* batch = <Batch*> memory
    batch.rows = rows
    batch.size_class = size_class
    cdef ColumnArray* columns = <ColumnArray*> (memory + columns_at)
    cdef ArrowArray** children = <ArrowArray**> (memory + children_at)
    cdef ColumnArray* column
    for i in range(n_columns):
        column = &columns[i]
        children[i] = &column.array
        open_array(
            batch,
            &column.array,
            rows.n_rows,
            rows.columns[i].buffers,
            3 if is_text(form.kinds[i]) else 2,
        )
        column.array.null_count = rows.columns[i].null_count
        if form.dictionaries[i] != NULL:
            add_dictionary(batch, form.dictionaries[i], column)
    open_array(batch, &batch.array, rows.n_rows, batch.no_buffers, 1)
    batch.array.n_children = n_columns
    batch.array.children = children
    if borrowed != NULL:
        keep(batch, borrowed)
    return &batch.array


cdef void open_array(
    Batch* batch, ArrowArray* array, int64_t n, const void** buffers, int n_buffers
) noexcept nogil:
    array.length = n
    array.n_buffers = n_buffers
    array.buffers = buffers
    array.release = release_batch
    array.private_data = batch
    batch.refs += 1


cdef void keep(Batch* batch, tw_mapping* mapping) noexcept nogil:
    batch.kept[batch.n_kept] = tw_mapping_retain(mapping)
    batch.n_kept += 1


cdef void release_batch(ArrowArray* array) noexcept nogil:
    # Of every array here, the batch itself, its columns and their dictionaries: an importer may
    # move any of them away and release it on its own.
    cdef Batch* batch = <Batch*> array.private_data
    cdef int64_t i
    for i in range(array.n_children):
        if array.children[i].release != NULL:
            array.children[i].release(array.children[i])
    if array.dictionary != NULL and array.dictionary.release != NULL:
        array.dictionary.release(array.dictionary)
    array.release = NULL
    if tw_add(&batch.refs, -1) == 0:
        for i in range(batch.n_kept):
            tw_mapping_release(batch.kept[i])
        free_rows(batch.rows)
        tw_pool_give(batch, batch.size_class)


cdef void copy_wrapped(
    uint8_t* out, const uint8_t* ring_memory, int64_t slot, int64_t n, int64_t n_first, int64_t size
) noexcept nogil:
    memcpy(out, ring_memory + slot * size, <size_t> (n_first * size))
    if n > n_first:
        memcpy(out + n_first * size, ring_memory, <size_t> ((n - n_first) * size))


cdef inline void fill_number(
    const tw_ring* ring, int i, ColumnData* column, Source* source
) noexcept nogil:
    # As `fill_numbers`, of one row.
    cdef int kind = ring.columns[i].kind
    cdef const void* values = ring.columns[i].values
    cdef uint8_t* out = place(source, 8)
    cdef bint is_null
    column.buffers[1] = out
    if kind == KIND_CODE16:
        (<int16_t*> out)[0] = (<const int16_t*> values)[source.slot]
        is_null = (<int16_t*> out)[0] < 0
    elif kind == KIND_CODE32:
        (<int32_t*> out)[0] = (<const int32_t*> values)[source.slot]
        is_null = (<int32_t*> out)[0] < 0
    elif kind == KIND_I32:
        (<int32_t*> out)[0] = (<const int32_t*> values)[source.slot]
        is_null = ring.columns[i].nullable and (<int32_t*> out)[0] == INT32_MIN
    elif kind == KIND_F64:
        (<double*> out)[0] = (<const double*> values)[source.slot]
        is_null = ring.columns[i].nullable and (<double*> out)[0] != (<double*> out)[0]
    else:
        (<int64_t*> out)[0] = (<const int64_t*> values)[source.slot]
        is_null = ring.columns[i].nullable and (<int64_t*> out)[0] == INT64_MIN
    if is_null:
        out = place(source, 8)
        out[0] = 0
        column.buffers[0] = out
        column.null_count = 1


cdef void fill_numbers(
    const tw_ring* ring, int i, ColumnData* column, Source* source, bint borrow
) noexcept nogil:
    cdef int kind = ring.columns[i].kind
    cdef int64_t size = width(kind)
    cdef int64_t n = source.n
    cdef const uint8_t* ring_memory = <const uint8_t*> ring.columns[i].values
    cdef const void* values
    cdef int found
    cdef uint8_t* copied
    cdef uint8_t* bitmap
    if borrow:
        values = ring_memory + source.slot * size
    else:
        copied = place(source, n * size)
        copy_wrapped(copied, ring_memory, source.slot, n, source.n_first, size)
        values = copied
    column.buffers[1] = values
    if not may_lack(ring, i):
        return
    found = look(kind, values, n)
    if not found & TW_HAS_NULLS:
        return
    bitmap = place(source, (n + 7) >> 3)
    column.buffers[0] = bitmap
    if found & TW_HAS_VALUES:
        column.null_count = write_bitmap(kind, values, n, bitmap)
    else:
        column.null_count = n
        memset(bitmap, 0, <size_t> ((n + 7) >> 3))


cdef int look(int kind, const void* values, int64_t n) noexcept nogil:
    # Of TW_HAS_NULLS and TW_HAS_VALUES.
    if kind == KIND_F64:
        return tw_look_f64(<const double*> values, n)
    elif kind == KIND_CODE16:
        return tw_look_code16(<const int16_t*> values, n)
    elif kind == KIND_CODE32:
        return tw_look_code32(<const int32_t*> values, n)
    elif kind == KIND_I32:
        return tw_look_i32(<const int32_t*> values, n)
    return tw_look_i64(<const int64_t*> values, n)


cdef int64_t write_bitmap(
    int kind, const void* values, int64_t n, uint8_t* bitmap
) noexcept nogil:
    # Returns the number of nulls.
    if kind == KIND_F64:
        tw_valid_f64(<const double*> values, n, bitmap)
        return tw_nulls_f64(<const double*> values, n)
    elif kind == KIND_CODE16:
        tw_valid_code16(<const int16_t*> values, n, bitmap)
        return tw_nulls_code16(<const int16_t*> values, n)
    elif kind == KIND_CODE32:
        tw_valid_code32(<const int32_t*> values, n, bitmap)
        return tw_nulls_code32(<const int32_t*> values, n)
    elif kind == KIND_I32:
        tw_valid_i32(<const int32_t*> values, n, bitmap)
        return tw_nulls_i32(<const int32_t*> values, n)
    tw_valid_i64(<const int64_t*> values, n, bitmap)
    return tw_nulls_i64(<const int64_t*> values, n)


cdef uint8_t* pack(const uint8_t* data, Source* source, int shift, int flip) noexcept nogil:
    # A bitmap of one byte per row.
    cdef int64_t n_bytes = (source.n + 7) >> 3
    cdef uint8_t* bitmap = place(source, n_bytes)
    memset(bitmap, 0, <size_t> n_bytes)
    tw_pack_bits(data + source.slot, source.n_first, shift, flip, bitmap, 0)
    tw_pack_bits(data, source.n - source.n_first, shift, flip, bitmap, source.n_first)
    return bitmap


cdef int64_t count(const uint8_t* data, const Source* source, uint8_t value) noexcept nogil:
    return tw_count_byte(data + source.slot, source.n_first, value) + tw_count_byte(
        data, source.n - source.n_first, value
    )


cdef void fill_bools(
    const tw_ring* ring, int i, ColumnData* column, Source* source
) noexcept nogil:
    # 0, 1, and 2 for null: bit 0 is the value, bit 1 the lack of one.
    cdef const uint8_t* data = <const uint8_t*> ring.columns[i].values
    cdef int64_t n_nulls
    column.buffers[1] = pack(data, source, 0, 0)
    if ring.columns[i].nullable:
        n_nulls = count(data, source, 2)
        if n_nulls > 0:
            column.null_count = n_nulls
            column.buffers[0] = pack(data, source, 1, 1)


cdef void fill_text(
    const tw_ring* ring, int i, const Extent* extent, ColumnData* column, Source* source
) noexcept nogil:
    cdef const int64_t* ends = tw_ends(&ring.columns[i])
    cdef int64_t start = extent.text_starts[i]
    cdef int64_t n_bytes = extent.text_bytes[i]
    cdef int64_t n = source.n
    cdef int64_t arena_bytes = ring.columns[i].arena_mask + 1
    cdef int64_t at = start & ring.columns[i].arena_mask
    cdef int32_t* offsets = <int32_t*> place(source, (n + 1) * 4)
    cdef uint8_t* text = place(source, n_bytes)
    cdef int64_t n_nulls
    offsets[0] = 0
    tw_offsets(ends + source.slot, source.n_first, start, offsets + 1)
    tw_offsets(ends, n - source.n_first, start, offsets + 1 + source.n_first)
    copy_wrapped(text, ring.columns[i].arena, at, n_bytes, min(n_bytes, arena_bytes - at), 1)
    column.buffers[1] = offsets
    column.buffers[2] = text
    if ring.columns[i].valid != NULL:
        n_nulls = count(ring.columns[i].valid, source, 0)
        if n_nulls > 0:
            column.null_count = n_nulls
            column.buffers[0] = pack(ring.columns[i].valid, source, 0, 0)


cdef void add_dictionary(
    Batch* batch, const tw_dictionary* memory, ColumnArray* column
) noexcept nogil:
    # Acquire: every code of the rows copied was counted before the rows were published.
    open_array(batch, &column.values, tw_load_acquire(memory.count), column.value_buffers, 3)
    column.value_buffers[1] = memory.offsets
    column.value_buffers[2] = memory.data
    column.array.dictionary = &column.values
    keep(batch, memory.mapping)


cdef object import_batch(ArrowArray* array, object schema):
    # Moved, as the interface allows: pyarrow may fail before it has taken the array, or after, and
    # then the array's own memory is gone.
    cdef ArrowArray moved = array[0]
    array.release = NULL
    try:
        return import_from_c(<uintptr_t> &moved, schema)
    finally:
        if moved.release != NULL:
            moved.release(&moved)
