"""The last step of a row: what all rows of a read share, and the cursor."""

from libc.stdint cimport int16_t, int32_t, int64_t

from tickwire.decode._targets cimport Targets
from tickwire.ring._tw_ring cimport tw_publish, tw_ring

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
    cdef tw_ring* ring
    cdef int64_t first, last, slot
    cdef int64_t n_bytes = 0
    cdef int number
    for number in range(targets.n_written):
        ring = targets.written[number]
        first = ring.published
        last = ring.head
        if first == last:
            continue
        n_bytes += (last - first) * ring.row_bytes
        if last - first == 1:
            # Exchanges send a message at a time, and most of them bring one row.
            slot = first & ring.mask
            (<int16_t*>ring.columns[COLUMN_VENUE].values)[slot] = venue
            (<int64_t*>ring.columns[COLUMN_TS_RECV].values)[slot] = ts_recv_ns
            (<int32_t*>ring.columns[COLUMN_CONN].values)[slot] = conn
            ring.recv_mono[slot] = mono_ns
        else:
            tw_fill_column(ring.columns[COLUMN_VENUE].values, ring.mask, first, last, venue, 1)
            tw_fill_column(
                ring.columns[COLUMN_TS_RECV].values, ring.mask, first, last, ts_recv_ns, 3
            )
            tw_fill_column(ring.columns[COLUMN_CONN].values, ring.mask, first, last, conn, 2)
            tw_fill_column(ring.recv_mono, ring.mask, first, last, mono_ns, 3)
        tw_publish(ring)
        if last >= ring.rewind_at:
            targets.is_due = True
    return n_bytes
