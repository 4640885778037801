/* What a writer does with a ring around its rows: see whether there is room, take back, publish. */
#ifndef TICKWIRE_RING_WRITER_H
#define TICKWIRE_RING_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "tickwire/base/atomics.h"
#include "tickwire/base/failpoint.h"
#include "tickwire/ring/columns.h"
#include "tickwire/ring/ring.h"
#include "tickwire/ring/watermarks.h"

/* Whether row `head` may be filled. False: the ring is full and its policy is to block, the oldest
 * rows are leased, or a consumer has as many rows to take as it may. */
static inline bool tw_has_room(tw_ring *ring)
{
    if (__builtin_expect(ring->head < ring->limit, 1))
        return true;
    if (!tw_renew_bounds(ring))
        tw_advance(ring);
    return ring->head < ring->limit;
}

/* Whether n more rows fit the bounds of single consumers; see `tw_lag_limit`. Where not, the writer
 * may wait for room. */
TW_RARELY bool tw_fits_bounds(tw_ring *ring, int64_t n)
{
    for (int i = 0; i < TW_GATES; i++) {
        const tw_gate *gate = &ring->header->gates[i];
        const int64_t max_lag = tw_load_relaxed(&gate->max_lag);
        const int64_t at = tw_load_acquire(&gate->value);
        if (max_lag != 0 && at != TW_GATE_FREE && at >> 1 < ring->published &&
            ring->head + n > (at >> 1) + max_lag) {
            ring->is_refused = 1;
            return false;
        }
    }
    tw_claim_to(ring, ring->head + n);
    return true;
}

/* Whether a message of n rows from `head` on fits, all of it. Where a consumer has taken all that is
 * published, its own bound does not count: a message of more rows would never fit. */
static inline bool tw_has_room_for(tw_ring *ring, int64_t n)
{
    while (ring->head + n > tw_full_at(ring))
        if (!tw_advance(ring))
            return false;
    return ring->head + n <= ring->limit || tw_fits_bounds(ring, n);
}

/* Forget the staged rows from `position` on; published rows stay. */
static inline void tw_rollback(tw_ring *ring, int64_t position)
{
    if (position < ring->published)
        position = ring->published;
    if (position < ring->head)
        ring->head = position;
    if (ring->message_start > position)
        ring->message_start = position;
}

TW_RARELY void tw_claim_more(tw_ring *ring) { tw_claim_ahead(ring); }

/* Make all staged rows visible to consumers.
 *
 * Shape    the rows published..head - 1, whose seq is filled here.
 * Units    positions.
 * Returns  nothing.
 * Threads  writer only; what is armed is called in its thread.
 * Memory   none allocated; no GIL but what `wake` takes.
 * Source   Disruptor SingleProducerSequencer.
 */
static inline void tw_publish(tw_ring *ring)
{
    const int64_t first = ring->published;
    const int64_t n = ring->head - first;
    if (n == 0)
        return;
    if (ring->seq != NULL) {
        const int64_t slot = first & ring->mask;
        const int64_t n_to_end = ring->capacity - slot;
        const int64_t seq = ring->seq_base + first - ring->skipped;
        if (n == 1) {
            ring->seq[slot] = seq;
        } else if (n <= n_to_end) {
            tw_count_up(ring->seq + slot, n, seq);
        } else {
            tw_count_up(ring->seq + slot, n_to_end, seq);
            tw_count_up(ring->seq, n - n_to_end, seq + n_to_end);
        }
    }
    TW_REACH("publish");
    ring->published = ring->message_start = ring->head;
    /* Release: the rows are written before the cursor says so. Partner: the consumers' acquire. */
    tw_store_release(&ring->header->cursor.value, ring->head);
    if (ring->head >= ring->claim_at)
        tw_claim_more(ring);
    if (ring->head >= ring->wake_at &&
        (ring->head >= ring->wake_rows ||
         ring->recv_mono[(ring->head - 1) & ring->mask] >= ring->wake_mono))
        ring->wake(ring->waker);
}

#endif
