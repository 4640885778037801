/* A ring as its writer holds it: the block's pointers, the writer's copies of its words, and what the
 * writer has staged.
 *
 * The writer fills row `head` of every column, counts it with `head++`, and makes all rows below
 * visible with `tw_publish`. Until then `tw_rollback` forgets them. The slot of position p is p & mask.
 * Positions count up by one per row, except where the ring begins again at slot 0 (`tw_rewind`):
 * `skipped` is what it has jumped over, and position - skipped counts rows since the ring was made.
 *
 * Three watermarks bound what the writer may fill. `floor`: consumers start at or above it. `gating`:
 * rows from here on must stay as they are, the floor or an older row that a consumer still holds.
 * `limit` = gating + capacity - 1: rows below may be filled (row gating - 1 stays too, for its text's
 * end).
 *
 * Of what may be filled the writer claims a part (ring_block.h) before it fills it: `limit` and the
 * columns' `text_limit` never pass what is claimed.
 *
 * All that must outlive the process is in the block; `tw_open_ring` (open_ring.h) derives the rest.
 */
#ifndef TICKWIRE_RING_H
#define TICKWIRE_RING_H

#include <stdint.h>

#include "tickwire/base/atomics.h"
#include "tickwire/ring/dictionary.h"
#include "tickwire/ring/mapping.h"
#include "tickwire/ring/ring_block.h"

enum { TW_CHUNKS = 16 }; /* the floor moves by capacity / 16 rows, so that drops are few and long */

typedef struct {
    void *values;       /* text: the ends of its rows, int64 */
    uint8_t *arena;     /* text: bytes, from row r at ends[r - 1] & arena_mask; else NULL */
    int64_t arena_mask;
    int64_t text_limit; /* text may reach up to here, counted like the ends; the writer moves it */
    int64_t max_text;   /* bytes of text in one message */
    uint8_t *valid;     /* nullable text: 1 where there is a value; else NULL */
    const tw_dictionary *dictionary; /* of codes; else NULL */
    int32_t kind;       /* tw_kind */
    int32_t nullable;
} tw_column;

typedef struct {
    /* Set when it is opened; any thread reads them. */
    tw_ring_header *header;
    tw_mapping *mapping; /* the block's; batches that borrow hold it too */
    int64_t capacity;    /* rows, a power of two */
    int64_t mask;        /* capacity - 1 */
    int64_t seq_base;    /* the value of column seq in row 0 */
    int64_t *recv_mono;  /* hidden column: monotonic ns of the read */
    int64_t *seq;        /* NULL where the table has none */
    int64_t *ts_recv;
    int64_t batch_text_bytes; /* of one text column in one batch */
    int64_t window_rows; /* filled before the ring may begin again; 0: it never does */
    int64_t row_bytes;   /* of one row in all columns, about */
    int64_t max_message_rows;
    int32_t n_columns;
    int32_t drops_oldest; /* the policy: a full ring drops its oldest rows, else it blocks */

    /* The writer's. */
    _Alignas(64) int64_t head; /* position of the next row to fill */
    int64_t limit;             /* rows below may be filled: they are claimed, and gates allow it */
    /* First row of the message being staged. `tw_publish` sets it; a writer that stages several
     * messages before it publishes sets it at the start of each, for TW_TEXT_TOO_LONG. */
    int64_t message_start;
    int64_t published; /* rows below are visible: a copy of the cursor */
    int64_t rewind_at; /* `tw_rewind` has nothing to do while head is below */
    int64_t skipped;   /* positions jumped over: a copy */
    int64_t floor;     /* a copy */
    int64_t gating;
    int64_t bound;     /* rows below may be claimed: cached from the gates */
    int64_t claimed;   /* a copy */
    int64_t claim_at;  /* once rows below are published, more are claimed ahead; INT64_MAX: never */
    /* `wake` is looked at once this many rows are published, INT64_MAX: never. It is due where as
     * many are as `wake_rows` says, or the last one was read at `wake_mono` or later. */
    int64_t wake_at;
    int64_t wake_rows;
    int64_t wake_mono;
    void (*wake)(void *waker);
    void *waker;
    int64_t is_refused; /* a row or a text did not fit since the writer looked here last */
    /* Looks at published rows before they can be written over; NULL: not at all. */
    void (*sweep)(void *sweeper);
    void *sweeper;

    /* Shared with the consumers of this process: whether the writer waits for one to release rows.
     * It sets this, fences and tries once more; they move their gate, fence and look here. */
    _Alignas(64) int64_t room_wanted;

    _Alignas(64) tw_column columns[TW_MAX_COLUMNS];
} tw_ring;

_Static_assert(sizeof(tw_column) == 64, "a cache line");

static inline int64_t *tw_ends(const tw_column *column) { return (int64_t *)column->values; }

/* Where the ring itself is full. */
static inline int64_t tw_full_at(const tw_ring *ring)
{
    return ring->gating + ring->capacity - 1;
}

/* How far rows may be filled, by the bounds of single consumers. Where one has taken all that is
 * published, a message of more rows than its bound must fit: row by row. */
static inline int64_t tw_lag_limit(const tw_ring *ring)
{
    int64_t limit = INT64_MAX;
    for (int i = 0; i < TW_GATES; i++) {
        const tw_gate *gate = &ring->header->gates[i];
        const int64_t max_lag = tw_load_relaxed(&gate->max_lag);
        const int64_t at = tw_load_acquire(&gate->value);
        if (max_lag == 0 || at == TW_GATE_FREE)
            continue;
        int64_t bound = (at >> 1) + max_lag;
        if (at >> 1 >= ring->published && bound <= ring->head)
            bound = ring->head + 1;
        if (bound < limit)
            limit = bound;
    }
    return limit;
}

/* How many rows are claimed at a time: as few as lets who reads without a gate lag by most of a
 * window. */
static inline int64_t tw_claim_rows(const tw_ring *ring)
{
    const int64_t n = ring->window_rows > 0 ? ring->window_rows / 4 : ring->capacity / TW_CHUNKS;
    return n > 0 ? n : 1;
}

/* Say that rows below `position` may be filled from now on. */
static inline void tw_claim_to(tw_ring *ring, int64_t position)
{
    if (position <= ring->claimed)
        return;
    ring->claimed = position;
    tw_store_relaxed(&ring->header->claimed.value, position);
    /* Partner: `tw_intact_from` (ring_reader.h). Who has copied a byte that is written after this
     * sees what is claimed. */
    tw_fence();
}

/* Claim the next rows, as far as `bound` lets it. */
static inline void tw_claim(tw_ring *ring)
{
    int64_t limit = ring->head + tw_claim_rows(ring);
    if (limit < ring->claimed)
        limit = ring->claimed;
    if (limit > ring->bound)
        limit = ring->bound;
    tw_claim_to(ring, limit);
    ring->limit = limit;
    ring->claim_at = limit < ring->bound ? limit - tw_claim_rows(ring) / 2 : INT64_MAX;
}

/* How far a column's text may reach, by `gating`. */
static inline int64_t tw_text_bound(const tw_ring *ring, const tw_column *column)
{
    return tw_ends(column)[(ring->gating - 1) & ring->mask] + column->arena_mask + 1;
}

/* How many bytes of a column's text are claimed at a time: about what as many rows as are claimed at a
 * time have had last. */
static inline int64_t tw_claim_bytes(const tw_ring *ring, const tw_column *column)
{
    enum { LEAST = 64 };
    const tw_lap *lap = &ring->header->lap;
    const int64_t n_rows = tw_claim_rows(ring), most = (column->arena_mask + 1) / TW_CHUNKS;
    const int64_t end = ring->head - lap->value < n_rows ? lap->from : ring->head;
    if (end < n_rows)
        return LEAST;
    const int64_t *ends = tw_ends(column);
    const int64_t n = ends[(end - 1) & ring->mask] - ends[(end - 1 - n_rows) & ring->mask];
    return n < LEAST ? LEAST : n < most ? n : most;
}

/* Claim a column's text up to `end` and some more, as far as it may reach. */
static inline void tw_claim_text(tw_ring *ring, int32_t i, int64_t end)
{
    tw_column *column = &ring->columns[i];
    int64_t *claimed = &ring->header->text_claimed[i];
    const int64_t bound = tw_text_bound(ring, column);
    const int64_t before = tw_load_relaxed(claimed);
    int64_t limit = end + tw_claim_bytes(ring, column);
    if (limit < before)
        limit = before;
    if (limit > bound)
        limit = bound;
    if (limit > before) {
        tw_store_relaxed(claimed, limit);
        tw_fence(); /* as in `tw_claim_to` */
    }
    column->text_limit = limit;
}

/* Claim rows and texts ahead, so that a read seldom has to in the middle of a message. */
static inline void tw_claim_ahead(tw_ring *ring)
{
    tw_claim(ring);
    for (int32_t i = 0; i < ring->n_columns; i++) {
        if (ring->columns[i].arena != NULL)
            tw_claim_text(ring, i, tw_ends(&ring->columns[i])[(ring->head - 1) & ring->mask]);
    }
}

/* What may be filled, by `gating` and the consumers' bounds. */
static inline void tw_set_limits(tw_ring *ring)
{
    const int64_t full_at = tw_full_at(ring), lag_limit = tw_lag_limit(ring);
    ring->bound = lag_limit < full_at ? lag_limit : full_at;
    tw_claim_ahead(ring);
}

#endif
