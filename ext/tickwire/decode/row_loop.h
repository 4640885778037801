/* A place of rows in a message: whether a row is requested, and what it has that no step reads. */
#ifndef TICKWIRE_ROW_LOOP_H
#define TICKWIRE_ROW_LOOP_H

#include "tickwire/decode/fill.h"
#include "tickwire/decode/level_cache.h"
#include "tickwire/decode/step_avx2.h"
#include "tickwire/decode/trade_key.h"
#include "tickwire/ring/ring_writer.h"

enum { TW_MAX_CELLS = 24 };

/* Whether a row is requested, or that the fallback must say so: kernels never say TW_UNWANTED. */
enum tw_admitted { TW_ASK = TW_SEEN_ASK, TW_UNWANTED = TW_SEEN_BEFORE, TW_WANTED = TW_SEEN_NEW };

/* A column of a row whose value no step reads. */
typedef struct {
    void *column; /* a tw_column where it is a text, which is null */
    int64_t slots;
    const tw_bits *value; /* `constant` of the cell, or a register */
    int32_t store;
    int32_t is_channel;
    tw_bits constant;
} tw_cell;

typedef struct tw_row_loop {
    tw_ring *ring;              /* its rows are staged, and count when the message does */
    const tw_step *first;       /* of a row's steps */
    const tw_step *last;        /* where it ends */
    uint64_t bit;               /* of its table */
    void *row_set;              /* what the fallback would stage */
    const tw_memory *memory;    /* NULL: rows need not be new */
    const tw_register *symbol, *trade_id;
    tw_trade_facts facts;
    int32_t is_list;            /* its rows are the elements of an array */
    int32_t is_routed;          /* routing looks at the first of them, so that there must be one */
    int32_t n_cells;
    int32_t n_own;              /* cells that a row which is walked has already; the first ones */
    int32_t element;            /* of plain rows: the node of one */
    tw_level_cache *level_cache; /* of plain rows that are levels of a book: `levels`; else NULL */
    tw_level_cache levels;
    tw_cell cells[TW_MAX_CELLS];
} tw_row_loop;

/* The row that may not be filled any more: past the ring's room, or past a message's. */
TW_INLINE int64_t tw_last_row(const tw_row_loop *place) {
    const tw_ring *ring = place->ring;
    int64_t most = ring->message_start + ring->max_message_rows;
    return most < ring->limit ? most : ring->limit;
}

/* The same once more rows are claimed, as far as the ring has room without a look at its gates. */
TW_RARE int64_t tw_last_row_claimed(const tw_row_loop *place) {
    if (place->ring->limit < place->ring->bound) tw_claim(place->ring);
    return tw_last_row(place);
}

/* The same after a look at the gates, which pays where a list goes on for long. */
TW_RARE int64_t tw_last_row_with_room(const tw_row_loop *place) {
    tw_has_room(place->ring);
    return tw_last_row(place);
}

/* Whether a row's text is stored now that more of its column is claimed. */
TW_RARE bool tw_store_claimed(const tw_step *step, const tw_register *reg, int64_t row,
                              const tw_row_loop *place) {
    const tw_column *column = (const tw_column *)step->column;
    tw_ring *ring = place->ring;
    if (step->store != TW_STORE_TEXT || reg->escaped || column < ring->columns ||
        column >= ring->columns + ring->n_columns ||
        !tw_claim_more_text(ring, (int32_t)(column - ring->columns),
                            tw_ends(column)[(row - 1) & step->slots] + (int64_t)reg->n))
        return false;
    return tw_try_put_text(column, row, step->slots, reg->p, reg->n, false);
}

#if defined(TW_X86)
/* `tw_slot_of` by buckets: which slot of one it is, no branch depends on. */
TW_FAST uint64_t *tw_slot_of_fast(const tw_symbol_ids *ids, uint64_t trade) {
    const __m256i wanted = _mm256_set1_epi64x((int64_t)trade), free = _mm256_setzero_si256();
    uint64_t at = tw_bucket_of(ids, trade);
    for (;;) {
        __m256i bucket = _mm256_load_si256((const __m256i *)(ids->slots + at));
        __m256i stop = _mm256_or_si256(_mm256_cmpeq_epi64(bucket, wanted),
                                       _mm256_cmpeq_epi64(bucket, free));
        uint32_t bits = (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(stop));
        if (__builtin_expect(bits != 0, 1)) return ids->slots + at + __builtin_ctz(bits);
        at = (at + TW_BUCKET_SLOTS) & ids->set_mask;
    }
}
#endif

TW_RARE uint64_t tw_key_of(const tw_register *id) { return tw_trade_key(id->p, id->n); }

TW_INLINE int tw_admit(const tw_row_loop *place, tw_slot_fn slot_of) {
    if (place->memory == NULL) return TW_WANTED;
    const tw_register *id = place->trade_id;
    uint64_t key = (uint64_t)id->value.i;
    if (__builtin_expect(!id->is_number, 0)) {
        if (id->escaped) return TW_ASK;
        key = tw_key_of(id);
    }
    int novelty = (int)tw_remember(place->memory, (int32_t)place->symbol->value.i, key,
                                   &place->facts, slot_of);
    return novelty == TW_SEEN_NEW ? TW_WANTED : TW_ASK; /* who is asked counts what is a duplicate */
}

/* The channel of a row by the name that its connection has instead. */
static __attribute__((noinline)) void tw_relabel(const tw_row_loop *place, int64_t row,
                                                 const tw_labels *labels) {
    for (int32_t i = 0; i < place->n_cells; i++) {
        const tw_cell *cell = place->cells + i;
        if (cell->is_channel)
            tw_put(cell->column, cell->store, row & cell->slots, tw_labelled(labels, cell->value->i));
    }
}

TW_INLINE void tw_store_cells(const tw_row_loop *place, int64_t row, const tw_labels *labels) {
    const tw_cell *cell = place->cells;
    for (int32_t left = place->n_cells; left > 0; left--, cell++) {
        if (cell->store == TW_STORE_NO_TEXT)
            tw_put_null_text((const tw_column *)cell->column, row, cell->slots);
        else
            tw_put(cell->column, cell->store, row & cell->slots, cell->value->i);
    }
    if (__builtin_expect(labels != NULL, 0)) tw_relabel(place, row, labels);
}

enum { TW_FEW_ROWS = 2 }; /* that are written one by one */

/* What the rows first..last - 1 of a list share, from a cell on. */
TW_BODY int tw_share_cells_body(const tw_row_loop *place, int32_t from, int64_t first, int64_t last,
                                const tw_labels *labels) {
    static const int log2_bytes[] = {
        [TW_STORE_8] = 3, [TW_STORE_1] = 0, [TW_STORE_2] = 1, [TW_STORE_4] = 2};
    const bool are_few = last - first <= TW_FEW_ROWS;
    for (int32_t i = from; i < place->n_cells; i++) {
        const tw_cell *cell = place->cells + i;
        if (cell->store == TW_STORE_NO_TEXT) {
            for (int64_t row = first; row < last; row++)
                tw_put_null_text((const tw_column *)cell->column, row, cell->slots);
            continue;
        }
        int64_t value = cell->value->i;
        if (cell->is_channel && labels != NULL) value = tw_labelled(labels, value);
        if (are_few) {
            for (int64_t row = first; row < last; row++)
                tw_put(cell->column, cell->store, row & cell->slots, value);
            continue;
        }
        tw_fill_rows((uint8_t *)cell->column, cell->slots, first, last, (uint64_t)value,
                     log2_bytes[cell->store]);
    }
    return 1;
}
TW_LEVELLED(int, tw_share_cells,
            (const tw_row_loop *place, int32_t from, int64_t first, int64_t last,
             const tw_labels *labels),
            (place, from, first, last, labels))

#endif
