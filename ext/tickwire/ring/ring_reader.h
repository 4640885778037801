/* Reading a ring without a gate, from another process too: nothing is written, the writer never waits.
 *
 * Rows are named by their number since the ring was made; a position is looked up for each look. Rows
 * are copied first; then `tw_intact_from` says from which position on nothing of the copy can have
 * been written over meanwhile. The writer claims what it fills before it fills it (ring_block.h), so
 * that answer is exact: a row whose slot, whose text and whose text's begin are not claimed again is
 * whole.
 */
#ifndef TICKWIRE_RING_READER_H
#define TICKWIRE_RING_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "tickwire/base/atomics.h"
#include "tickwire/ring/ring.h"

/* What a reader sees of a ring at one time. */
typedef struct {
    int64_t n_rows;  /* published since the ring was made */
    int64_t cursor;
    int64_t skipped;
    int64_t lap;     /* where the last jump has led */
    int64_t from;    /* behind the last row before it */
} tw_view;

/* Any thread, any process. A writer that has ended in the middle of a jump leaves `skipped` odd: then
 * the view is the one behind that jump, whose rows are those before it. */
static inline tw_view tw_look(const tw_ring *ring)
{
    const tw_ring_header *header = ring->header;
    for (;;) {
        const int64_t skipped = tw_load_acquire(&header->skipped.value);
        tw_view view = {
            .cursor = tw_load_acquire(&header->cursor.value),
            .lap = tw_load_acquire(&header->lap.value),
            .from = tw_load_acquire(&header->lap.from),
            .skipped = skipped >> 1,
        };
        if (skipped & 1) {
            view.lap = (view.cursor + ring->mask) & ~ring->mask;
            if (view.cursor < view.lap)
                view.from = view.cursor;
            view.cursor = view.lap;
        }
        tw_fence();
        if (tw_load_relaxed(&header->skipped.value) == skipped) {
            view.n_rows = view.cursor - view.skipped;
            return view;
        }
    }
}

/* The first position whose row, all but its texts, is whole, where it was published: read what is
 * claimed after what is copied. */
static inline int64_t tw_intact_from(const tw_ring *ring)
{
    /* Partner: `tw_claim_to`. */
    tw_fence();
    /* One more than what is claimed again: the row before keeps where its text begins. */
    return tw_load_relaxed(&ring->header->claimed.value) - ring->capacity + 1;
}

/* The first byte of a column's texts that is whole, counted like the ends; likewise. */
static inline int64_t tw_text_intact_from(const tw_ring *ring, int32_t i)
{
    return tw_load_relaxed(&ring->header->text_claimed[i]) - ring->columns[i].arena_mask - 1;
}

/* The number of the oldest row that is whole, at most `view->n_rows`. */
static inline int64_t tw_oldest_row(const tw_ring *ring, const tw_view *view)
{
    int64_t position = tw_intact_from(ring);
    if (position < 0)
        position = 0;
    if (position >= view->cursor)
        return view->n_rows;
    if (position >= view->lap)
        return position - view->skipped;
    if (position < view->from)
        return position + view->lap - view->from - view->skipped;
    return view->lap - view->skipped;
}

/* Where row `row` is, which is not older than `tw_oldest_row`, and where the rows end that lie behind
 * it without a jump. */
static inline int64_t tw_locate(const tw_view *view, int64_t row, int64_t *stop)
{
    if (row >= view->lap - view->skipped) {
        *stop = view->cursor;
        return row + view->skipped;
    }
    *stop = view->from;
    return row + view->skipped - (view->lap - view->from);
}

#endif
