"""The last step of a row: what all rows of a read share, and the cursor."""

from libc.stdint cimport int16_t, int32_t, int64_t

from tickwire.decode._targets cimport Target, Targets

cdef enum:
    COLUMN_VENUE = 1
    COLUMN_TS_RECV = 4
    COLUMN_CONN = 5

cdef extern from "tickwire/decode/fill.h" nogil:
    int tw_fill_column(
        void* column, int64_t slots, int64_t first, int64_t last, int64_t value, int log2_bytes
    )


cdef int64_t publish_staged(
    Targets targets, int16_t venue, int32_t conn, int64_t ts_recv_ns, int64_t mono_ns
) noexcept nogil:
    """Fill what all rows of a read share, and let consumers see them.

    Shape    all rows staged since the last publish, in every ring of the source.
    Units    ts_recv_ns since the epoch, mono_ns of the monotonic clock.
    Returns  the bytes of these rows.
    Threads  the loop's thread only.
    Memory   none allocated.
    Source   docs/design.md, "From messages to rows": staged, then published.
    """
    cdef Target* target
    cdef int64_t first, last
    cdef int64_t n_bytes = 0
    cdef int number
    for number in range(targets.n):
        target = &targets.at[number]
        if target.head == NULL or target.head[0] == target.published[0]:
            continue
        first = target.published[0]
        last = target.head[0]
        n_bytes += (last - first) * target.row_bytes
        tw_fill_column(target.columns[COLUMN_VENUE], target.mask, first, last, venue, 1)
        tw_fill_column(target.columns[COLUMN_TS_RECV], target.mask, first, last, ts_recv_ns, 3)
        tw_fill_column(target.columns[COLUMN_CONN], target.mask, first, last, conn, 2)
        tw_fill_column(target.recv_mono, target.mask, first, last, mono_ns, 3)
        targets.publish(number)
        if last >= target.rewind_at[0]:
            targets.is_due = True
    return n_bytes
