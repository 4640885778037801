"""How a ring's marks move: on, as consumers let them, and to the front, where all keep up.

Rules of this file
------------------
- Everything here but `rows_below` is the writer's. Nothing relies on the GIL: consumers take,
  lease, attach and detach meanwhile.
- A ring is larger than any cache near the processor. Where every consumer has taken everything, the
  writer may go back to slot 0, whose memory it has written a moment ago. Positions then jump to the
  next multiple of the capacity, and texts to the next multiple of their memory, so that slots stay
  positions modulo capacity, and nobody who holds an old position can take it for a new one.
"""

from libc.stdint cimport int64_t

from tickwire.ring._gates cimport count_at, first_held, push_gates
from tickwire.ring._memory cimport tw_fence, tw_load_acquire, tw_ring_header, tw_store_release
from tickwire.ring._ring cimport Ring

cdef enum:
    CHUNKS = 16   # the floor moves by capacity / 16 rows, so that drops are few and long


cdef bint advance(Ring ring) noexcept nogil:
    cdef int64_t target = ring.floor + ring.capacity // CHUNKS
    if target > ring.published_at:
        target = ring.published_at
    target = first_held(ring.header, target, ring.drops_oldest)
    if target > ring.floor:
        drop_below(ring, target)
        ring.floor = target
        tw_store_release(&ring.header.floor.value, target)
    # Partner: Consumer's attach, which stores its gate, fences and reads the floor. Either it
    # sees this floor or its gate is seen here.
    tw_fence()
    drop_below(ring, ring.floor)
    cdef int64_t kept = first_held(ring.header, ring.floor, ring.drops_oldest)
    cdef bint grew = kept > ring.kept
    cdef int i
    ring.kept = kept
    ring.limit = kept + ring.capacity - 1
    if grew:
        for i in range(ring.n_columns):
            if ring.arenas[i] != NULL:
                ring.text_limits[i] = (
                    (<int64_t*> ring.columns[i])[(kept - 1) & ring.mask]
                    + ring.arena_masks[i] + 1
                )
    return grew


cdef void drop_below(Ring ring, int64_t position) noexcept nogil:
    # drop_oldest: nobody gets a row below `position` any more that has not taken or leased it.
    if not ring.drops_oldest:
        return
    cdef int64_t first = push_gates(ring.header, position)
    # A consumer that is about to attach may stand for a moment at a floor of long ago, and before
    # the last jump no row was lost.
    first = max(first, ring.lap_at)
    if first < position:
        ring.drops.add(
            first - ring.skipped, position - 1 - ring.skipped,
            ts_of(ring, first), ts_of(ring, position - 1),
        )


cdef int64_t ts_of(Ring ring, int64_t position) noexcept nogil:
    return ring.ts_recv[position & ring.mask] if ring.ts_recv != NULL else 0


cdef bint begin_again(Ring ring) noexcept nogil:
    cdef int64_t old = ring.published_at
    cdef int64_t slot = old & ring.mask
    cdef int64_t floor = ring.floor
    cdef int n_consumers
    if ring.head_at != old:
        return False
    if slot < ring.window_rows:     # it has come round to the front by itself
        ring.rewind_at = old - slot + ring.window_rows
        return False
    n_consumers = count_at(ring.header, old)
    if n_consumers < 0:
        return False    # the laggard may have caught up by the next read
    if n_consumers == 0:
        # The ring keeps what it can for a consumer that attaches later; it is looked for again a
        # window later.
        ring.rewind_at = old + ring.window_rows
        return False
    # First the floor goes up to what is published, so that no consumer can begin below it.
    # Partner: Consumer's attach, as in `advance`. A gate that is not seen here belongs to a
    # consumer that will see this floor. One that is seen below it may take those rows: the jump is
    # off, and the floor, below which nothing has been written yet, goes back.
    tw_store_release(&ring.header.floor.value, old)
    tw_fence()
    if count_at(ring.header, old) < 0:
        tw_store_release(&ring.header.floor.value, floor)
        return False
    jump(ring, old, (old | ring.mask) + 1)
    return True


cdef void jump(Ring ring, int64_t old, int64_t new) noexcept nogil:
    # Every gate in use stands at `old`, or belongs to a consumer that is attaching, has seen no
    # rows and will go to the floor that it finds. None of them can take or lease anything before
    # the cursor passes it, and the cursor moves last.
    ring.skipped += new - old
    # Partner: rows_below. Odd before the first position changes, even after the last has.
    tw_store_release(&ring.header.skipped.value, ring.skipped << 1 | 1)
    ring.floor = new
    tw_store_release(&ring.header.floor.value, new)
    # Partner: Consumer's attach once more. A gate that is set now without being seen here goes to
    # this floor by itself.
    tw_fence()
    push_gates(ring.header, new)
    cdef int64_t* ends
    cdef int64_t arena_bytes, end
    cdef int i
    for i in range(ring.n_columns):
        if ring.arenas[i] != NULL:
            ends = <int64_t*> ring.columns[i]
            arena_bytes = ring.arena_masks[i] + 1
            end = (ends[(old - 1) & ring.mask] + arena_bytes - 1) & ~(arena_bytes - 1)
            # The slot in front of the first: nobody holds the row that was in it.
            ends[(new - 1) & ring.mask] = end
            ring.text_limits[i] = end + arena_bytes
    ring.head_at = ring.published_at = ring.message_start = new
    ring.kept = ring.lap_at = new
    ring.limit = new + ring.capacity - 1
    ring.rewind_at = new + ring.window_rows
    # Release: the ends are written before anybody can look for them. Partner: Consumer's acquire.
    tw_store_release(&ring.header.cursor.value, new)
    tw_store_release(&ring.header.skipped.value, ring.skipped << 1)


cdef int64_t rows_below(tw_ring_header* header, const int64_t* word, int shift) noexcept nogil:
    # Partner: jump. What is odd, or has changed, when the position has been read says that the
    # position may be of either side.
    cdef int64_t skipped, position
    while True:
        skipped = tw_load_acquire(&header.skipped.value)
        position = tw_load_acquire(word) >> shift
        if not skipped & 1 and tw_load_acquire(&header.skipped.value) == skipped:
            return position - (skipped >> 1)
