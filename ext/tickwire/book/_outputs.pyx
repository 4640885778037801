"""What a reader of books writes: rows of the tables `top`, `depth` and `nbbo`.

Rules of this file
------------------
- In the thread of the rings' writer. Whether there is room is asked before a message is applied;
  what it gives is then written without another look.
- A snapshot in `depth` is written whole.
"""

cimport cython
from libc.math cimport NAN
from libc.stdint cimport INT64_MIN, int16_t, int32_t, int64_t, uint8_t

from tickwire.book._columns cimport column
from tickwire.book._kept_book cimport TW_BOOK_LIVE, tw_kept_book, tw_kept_take_top
from tickwire.book._nbbo cimport NbboOutput
from tickwire.book._order_book cimport TW_ASKS, tw_level, tw_side_next
from tickwire.ring._ring cimport Ring
from tickwire.ring._tw_ring cimport tw_has_room, tw_has_room_for, tw_publish, tw_ring


cdef OutputColumns columns_of(Ring ring) except *:
    return OutputColumns(
        venue=<int16_t*> column(ring, "venue"),
        symbol=<int32_t*> column(ring, "symbol"),
        ts_event=<int64_t*> column(ring, "ts_event"),
        ts_recv=<int64_t*> column(ring, "ts_recv"),
        conn=<int32_t*> column(ring, "conn"),
        channel=<int16_t*> column(ring, "channel"),
        venue_seq=<int64_t*> column(ring, "venue_seq"),
    )


cdef int64_t begin_row(
    tw_ring* ring, OutputColumns* columns, const tw_kept_book* kept
) noexcept nogil:
    """Fill what every row has; gives its slot."""
    cdef int64_t slot = ring.head & ring.mask
    ring.recv_mono[slot] = kept.mono
    columns.venue[slot] = kept.venue
    columns.symbol[slot] = kept.symbol
    columns.ts_event[slot] = kept.ts_event
    columns.ts_recv[slot] = kept.ts_recv
    columns.conn[slot] = kept.conn
    columns.channel[slot] = kept.channel
    columns.venue_seq[slot] = kept.venue_seq
    return slot


@cython.final
cdef class BookOutputs:
    """Write what books show.

    Parameters
    ----------
    top, depth_ring
        The rings; without `depth_ring` there are no snapshots.
    depth
        Levels of a snapshot, on each side.
    interval_ns
        From one snapshot of a book to the next.
    nbbo
        Writes the best prices over all venues.
    """

    def __init__(
        self, Ring top not None, Ring depth_ring, *, int64_t depth=0, int64_t interval_ns=1,
        NbboOutput nbbo=None
    ):
        cdef int i
        self.top = top
        self.top_core = top.core
        self.depth_ring = depth_ring
        self.depth_core = NULL if depth_ring is None else depth_ring.core
        self.nbbo = nbbo
        self.nbbo_core = NULL if nbbo is None else nbbo.core
        self.depth = depth
        self.interval_ns = interval_ns
        side = top.dictionaries.of("side")
        self.bid_code = <int16_t> side.code("bid")
        self.ask_code = <int16_t> side.code("ask")
        self.top_rows = columns_of(top)
        for i, name in enumerate(("bid_price", "bid_size", "ask_price", "ask_size")):
            self.top_values[i] = <double*> column(top, name)
        if depth_ring is None:
            return
        self.depth_rows = columns_of(depth_ring)
        self.depth_side = <int16_t*> column(depth_ring, "side")
        self.depth_level = <int32_t*> column(depth_ring, "level")
        self.depth_price = <double*> column(depth_ring, "price")
        self.depth_size = <double*> column(depth_ring, "size")
        self.depth_last = <uint8_t*> column(depth_ring, "last")

    cdef bint has_room(self, const tw_kept_book* kept, int64_t ts_recv) noexcept nogil:
        if not self.has_room_for_best():
            return False
        if (
            self.depth_core != NULL
            and ts_recv >= kept.depth_due
            and not tw_has_room_for(self.depth_core, 2 * self.depth)
        ):
            self.held_core = self.depth_core
            return False
        return True

    cdef bint has_room_for_best(self) noexcept nogil:
        self.held_core = NULL
        if not tw_has_room(self.top_core):
            self.held_core = self.top_core
        elif self.nbbo_core != NULL and not tw_has_room(self.nbbo_core):
            self.held_core = self.nbbo_core
        return self.held_core == NULL

    @property
    def held_by(self):
        """The ring into which what was not written last did not fit; None: nothing is held."""
        if self.held_core == NULL:
            return None
        if self.held_core == self.depth_core:
            return self.depth_ring
        return self.top if self.held_core == self.top_core else self.nbbo.ring

    cdef void show(self, tw_kept_book* kept) noexcept nogil:
        cdef bint is_new = tw_kept_take_top(kept) or not kept.is_shown
        if is_new:
            self.write_top(kept)
        if kept.offer and (is_new or self.nbbo.counts(kept) != (kept.state == TW_BOOK_LIVE)):
            self.nbbo.note(kept, kept.state == TW_BOOK_LIVE)
        if self.depth_core != NULL and kept.ts_recv >= kept.depth_due:
            self.write_depth(kept)

    cdef bint show_none(self, tw_kept_book* kept) noexcept nogil:
        cdef int64_t slot
        cdef int i
        if not self.has_room_for_best():
            return False
        slot = begin_row(self.top_core, &self.top_rows, kept)
        self.top_rows.ts_event[slot] = self.top_rows.venue_seq[slot] = INT64_MIN
        for i in range(4):
            self.top_values[i][slot] = kept.top[i] = NAN
        self.top_core.head += 1
        kept.is_shown = False
        if kept.offer:
            self.nbbo.note(kept, False)
        return True

    cdef void publish(self) noexcept nogil:
        tw_publish(self.top_core)
        if self.depth_core != NULL:
            tw_publish(self.depth_core)
        if self.nbbo_core != NULL:
            tw_publish(self.nbbo_core)

    cdef void write_top(self, tw_kept_book* kept) noexcept nogil:
        cdef int64_t slot = begin_row(self.top_core, &self.top_rows, kept)
        cdef int i
        for i in range(4):
            self.top_values[i][slot] = kept.top[i]
        self.top_core.head += 1
        kept.is_shown = True

    cdef void write_depth(self, tw_kept_book* kept) noexcept nogil:
        """Write the best levels of both sides, bids first."""
        cdef tw_ring* ring = self.depth_core
        cdef int64_t first = ring.head
        cdef int64_t slot, at
        cdef int32_t level_number
        cdef int side
        cdef const tw_level* level
        for side in range(2):
            at = level_number = 0
            while level_number < self.depth:
                level = tw_side_next(&kept.book.sides[side], &at)
                if level == NULL:
                    break
                slot = begin_row(ring, &self.depth_rows, kept)
                self.depth_side[slot] = self.ask_code if side == TW_ASKS else self.bid_code
                self.depth_level[slot] = level_number
                self.depth_price[slot] = level.price
                self.depth_size[slot] = level.size
                self.depth_last[slot] = False
                ring.head += 1
                level_number += 1
        if ring.head > first:
            self.depth_last[(ring.head - 1) & ring.mask] = True
        kept.depth_due = kept.ts_recv - kept.ts_recv % self.interval_ns + self.interval_ns
