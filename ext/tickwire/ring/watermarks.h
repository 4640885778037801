/* How a ring's watermarks move: on, as consumers let them, and to the front, where all keep up.
 *
 * Everything here but `tw_rows_at` is the writer's. Nothing relies on the GIL: consumers take, lease,
 * attach and detach meanwhile.
 *
 * A ring is larger than any cache near the processor. Where every consumer has taken everything, the
 * writer may go back to slot 0, whose memory it has written a moment ago. Positions then jump to the
 * next multiple of the capacity, and texts, once they are as many as a window of rows is expected to
 * have, to the next multiple of their memory, so that slots stay positions modulo capacity, and an old
 * position is never taken for a new one.
 */
#ifndef TICKWIRE_WATERMARKS_H
#define TICKWIRE_WATERMARKS_H

#include <stdbool.h>
#include <stdint.h>

#include "tickwire/base/atomics.h"
#include "tickwire/base/failpoint.h"
#include "tickwire/ring/drop_log.h"
#include "tickwire/ring/gates.h"
#include "tickwire/ring/ring.h"

/* What runs once in thousands of rows stays out of the functions that it is called from. */
#define TW_RARELY static __attribute__((noinline, unused))

/* Note that a consumer has lost the rows from `first` to before `position`. */
TW_RARELY void tw_note_loss(tw_ring *ring, tw_gate *gate, int64_t first, int64_t position)
{
    const int64_t n_recent = tw_load_relaxed(&gate->n_recent); /* a consumer may be attaching */
    if (n_recent == 0 && ring->ts_recv != NULL)
        gate->ts_first_ns = ring->ts_recv[first & ring->mask];
    if (ring->ts_recv != NULL)
        gate->ts_last_ns = ring->ts_recv[(position - 1) & ring->mask];
    tw_store_relaxed(&gate->n_recent, n_recent + position - first);
    tw_store_relaxed(&gate->n_dropped, tw_load_relaxed(&gate->n_dropped) + position - first);
}

/* No consumer whose rows may be dropped gets a row below `position` any more that it has not taken or
 * leased. */
TW_RARELY void tw_drop_below(tw_ring *ring, int64_t position)
{
    int64_t lowest = position;
    for (int i = 0; i < TW_GATES; i++) {
        tw_gate *gate = &ring->header->gates[i];
        if (!tw_may_drop(gate, ring->drops_oldest))
            continue;
        int64_t first = tw_push_gate(gate, position);
        /* A consumer that is about to attach may stand for a moment at a floor of long ago, and
         * before the last jump no row was lost. */
        if (first < ring->header->lap.value)
            first = ring->header->lap.value;
        if (first >= position)
            continue;
        tw_note_loss(ring, gate, first, position);
        if (first < lowest)
            lowest = first;
    }
    if (lowest == position)
        return;
    tw_drop_range range = {
        .first_row = lowest - ring->skipped,
        .last_row = position - 1 - ring->skipped,
        .n_rows = position - lowest,
    };
    if (ring->ts_recv != NULL) {
        range.ts_first_ns = ring->ts_recv[lowest & ring->mask];
        range.ts_last_ns = ring->ts_recv[(position - 1) & ring->mask];
    }
    tw_log_drop(&ring->header->drops, &range);
}

/* Move the watermarks on where consumers or the policy allow it.
 *
 * Shape    the floor moves by at most a sixteenth of the ring, so that old rows stay readable.
 * Units    positions.
 * Returns  whether more may be filled than before. Never blocks.
 * Threads  writer only.
 * Memory   none allocated, no GIL.
 * Source   Disruptor SingleProducerSequencer; the cached gating sequence of SPSCQueue.
 */
TW_RARELY bool tw_advance(tw_ring *ring)
{
    if (ring->sweep != NULL)
        ring->sweep(ring->sweeper);
    int64_t target = ring->floor + ring->capacity / TW_CHUNKS;
    if (target > ring->published)
        target = ring->published;
    target = tw_first_held(ring->header, target, ring->drops_oldest);
    if (target > ring->floor) {
        tw_drop_below(ring, target);
        ring->floor = target;
        tw_store_release(&ring->header->floor.value, target);
    }
    /* Partner: `tw_attach_gate`, which stores its gate, fences and reads the floor. Either it sees
     * this floor or its gate is seen here. */
    tw_fence();
    tw_drop_below(ring, ring->floor);
    /* A gate below `gating` belongs to a consumer that is attaching and has still to find the floor:
     * it holds nothing, and the ends of its rows may have been written over. */
    const int64_t gating = tw_first_held(ring->header, ring->floor, ring->drops_oldest);
    if (gating <= ring->gating) {
        ring->is_refused = 1;
        return false;
    }
    ring->gating = gating;
    tw_set_limits(ring);
    if (ring->head >= ring->limit) /* a consumer's bound */
        ring->is_refused = 1;
    return true;
}

/* Whether the ring is not full, and only what is claimed or the bound of a consumer may hold the
 * writer: then more is claimed, or the limit looked up anew. */
TW_RARELY bool tw_renew_bounds(tw_ring *ring)
{
    if (ring->head >= tw_full_at(ring))
        return false;
    if (ring->head < ring->bound) {
        tw_claim(ring);
        return true;
    }
    tw_set_limits(ring);
    if (ring->head >= ring->limit)
        ring->is_refused = 1;
    return true;
}

/* Whether a full ring waits for a consumer; moves nothing. Writer only. */
TW_RARELY bool tw_is_held(const tw_ring *ring)
{
    int64_t target = ring->floor + ring->capacity / TW_CHUNKS;
    if (target > ring->published)
        target = ring->published;
    if (ring->head < ring->limit)
        return false;
    if (ring->head < tw_full_at(ring))
        return ring->head >= tw_lag_limit(ring);
    return tw_first_held(ring->header, target, ring->drops_oldest) <= ring->gating;
}

/* Go on at `to`, a position of slot 0 at or behind the cursor; `skipped` counts the way there already.
 *
 * Every gate in use stands at the cursor, or belongs to a consumer that is attaching, has seen no rows
 * and will go to the floor that it finds. None of them can take or lease anything before the cursor
 * passes it, and the cursor moves last. Done a second time it changes nothing, so a jump that the end
 * of a process has cut short is done again. */
TW_RARELY void tw_jump(tw_ring *ring, int64_t to)
{
    tw_ring_header *header = ring->header;
    const int64_t from = ring->published;
    /* Partner: tw_rows_at. Odd before the first position changes, even after the last has. */
    tw_store_release(&header->skipped.value, ring->skipped << 1 | 1);
    TW_REACH("jump");
    if (from < to)
        tw_store_relaxed(&header->lap.from, from);
    tw_claim_to(ring, to);
    ring->floor = to;
    tw_store_release(&header->floor.value, to);
    /* Partner: tw_attach_gate once more. A gate that is set now without being seen here goes to this
     * floor by itself. */
    tw_fence();
    tw_push_gates(header, to);
    TW_REACH("jump_gates");
    for (int32_t i = 0; i < ring->n_columns && from < to; i++) {
        const tw_column *column = &ring->columns[i];
        if (column->arena == NULL)
            continue;
        /* A window's share of the memory is filled first: where texts are few, those of the rows
         * before stay for who reads without a gate. */
        const int64_t share = (column->arena_mask + 1) / ring->capacity * ring->window_rows;
        int64_t end = tw_ends(column)[(from - 1) & ring->mask];
        if ((end & column->arena_mask) >= share)
            end = (end + column->arena_mask) & ~column->arena_mask;
        /* The slot in front of the first: no consumer holds the row that was in it. */
        tw_ends(column)[(to - 1) & ring->mask] = end;
    }
    ring->head = ring->published = ring->message_start = to;
    ring->gating = to;
    tw_store_relaxed(&header->lap.value, to);
    tw_set_limits(ring);
    ring->rewind_at = ring->window_rows > 0 ? to + ring->window_rows : INT64_MAX;
    /* Release: the ends are written before anybody can look for them. Partner: the consumers'
     * acquire. */
    tw_store_release(&header->cursor.value, to);
    TW_REACH("jump_cursor");
    tw_store_release(&header->skipped.value, ring->skipped << 1);
}

/* Begin again at the front of the columns, which the processor's cache still holds.
 *
 * Shape    nothing happens unless a window of rows has been filled, all of them are published, there
 *          is a consumer and every consumer has taken everything.
 * Units    positions.
 * Returns  whether the next row goes to the front.
 * Threads  writer only, between two reads.
 * Memory   none allocated, no GIL.
 * Source   docs/design.md, "Rings".
 */
TW_RARELY bool tw_rewind(tw_ring *ring)
{
    tw_ring_header *header = ring->header;
    const int64_t from = ring->published;
    const int64_t slot = from & ring->mask;
    if (ring->head < ring->rewind_at || ring->head != from)
        return false;
    if (slot < ring->window_rows) { /* it has come round to the front by itself */
        ring->rewind_at = from - slot + ring->window_rows;
        return false;
    }
    const int n_consumers = tw_count_gates_at(header, from);
    if (n_consumers < 0)
        return false; /* the laggard may have caught up by the next read */
    if (n_consumers == 0) {
        /* The ring keeps what it can for a consumer that attaches later; it is looked for again a
         * window later. */
        ring->rewind_at = from + ring->window_rows;
        return false;
    }
    /* First the floor goes up to what is published, so that no consumer can begin below it.
     * Partner: tw_attach_gate, as in `tw_advance`. A gate that is not seen here belongs to a consumer
     * that will see this floor. One that is seen below it may take those rows: the jump is off, and
     * the floor, below which nothing has been written yet, goes back. */
    tw_store_release(&header->floor.value, from);
    tw_fence();
    if (tw_count_gates_at(header, from) < 0) {
        tw_store_release(&header->floor.value, ring->floor);
        return false;
    }
    if (ring->sweep != NULL)
        ring->sweep(ring->sweeper);
    const int64_t to = (from | ring->mask) + 1;
    ring->skipped += to - from;
    tw_jump(ring, to);
    return true;
}

/* The next row of a consumer as a count of rows. Any thread; see tw_rows_at. */
static inline int64_t tw_next_row(const tw_ring_header *header, const tw_gate *gate)
{
    for (;;) {
        const int64_t skipped = tw_load_acquire(&header->skipped.value);
        const int64_t position = tw_next_of(gate, tw_load_acquire(&gate->value));
        if (!(skipped & 1) && tw_load_acquire(&header->skipped.value) == skipped)
            return position - (skipped >> 1);
    }
}

/* The position in `word`, which is shifted left by `shift`, as a count of rows. Any thread. */
static inline int64_t tw_rows_at(const tw_ring_header *header, const int64_t *word, int shift)
{
    /* Partner: tw_jump. What is odd, or has changed, when the position has been read says that the
     * position may be of either side. */
    for (;;) {
        const int64_t skipped = tw_load_acquire(&header->skipped.value);
        const int64_t position = tw_load_acquire(word) >> shift;
        if (!(skipped & 1) && tw_load_acquire(&header->skipped.value) == skipped)
            return position - (skipped >> 1);
    }
}

#endif
