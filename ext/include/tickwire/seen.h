/* Ids of delivered trades, as far as the kernels must know them: the theory is in `decode/_seen.pxd`. */
#ifndef TICKWIRE_SEEN_H
#define TICKWIRE_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    TW_TAIL_IDS = 8, /* a cache line of ids */
    TW_LAST_IDS = 8192, /* a power of two; at least the last half of them are known */
    /* A message that counts not at all may cost so many of the oldest ids, which are not that half. */
    TW_FORGIVEN = 4000
};

/* What is always written comes first: with many symbols the rest is in no cache. */
typedef struct {
    uint64_t greatest;          /* of all ids; 0 before the first */
    int64_t n;                  /* ids ever remembered */
    uint64_t tail[TW_TAIL_IDS]; /* the last 1 to 8 of them: id number i at i % 8 */
    uint64_t *ids;              /* circular, those before the tail; no id is 0 */
    uint32_t capacity;          /* of `ids`, a power of two */
    uint32_t set_mask;
    uint64_t *slots; /* open addressing; 0 is free */
    int64_t set_first; /* ids [set_first, set_end) are in the set */
    int64_t set_end;
} tw_symbol_ids;

/* What a message has remembered, so that it can be forgotten. */
typedef struct {
    tw_symbol_ids *symbol;
    uint64_t greatest; /* before */
} tw_remembered;

typedef struct {
    tw_remembered *entries;
    size_t n, capacity;
} tw_journal;

/* The ids of one kind of trades. */
typedef struct {
    tw_symbol_ids **symbols; /* by code; NULL before the first id */
    int32_t n_symbols;
    tw_journal *journal;
} tw_memory;

/* Where a full tail is put away: the oldest ids stand there. */
static inline uint64_t *tw_place_of_tail(const tw_symbol_ids *ids) {
    return ids->ids + ((ids->n - TW_TAIL_IDS) & (int64_t)(ids->capacity - 1));
}

/* Remember an id that is greater than all of its symbol; false where that is not so, or where there
 * is no room for it. */
static inline bool tw_remember_greatest(const tw_memory *memory, int32_t symbol, uint64_t trade) {
    tw_journal *journal = memory->journal;
    tw_symbol_ids *ids = symbol < memory->n_symbols ? memory->symbols[symbol] : NULL;
    if (ids == NULL || trade <= ids->greatest || journal->n == journal->capacity) return false;
    int64_t at = ids->n & (TW_TAIL_IDS - 1);
    if (at == 0 && ids->n != 0) {
        if (ids->n == (int64_t)ids->capacity + TW_TAIL_IDS && ids->capacity < TW_LAST_IDS)
            return false;
        if (journal->n >= TW_FORGIVEN) return false;
        memcpy(tw_place_of_tail(ids), ids->tail, sizeof ids->tail);
    }
    journal->entries[journal->n++] = (tw_remembered){ids, ids->greatest};
    ids->tail[at] = trade;
    ids->n++;
    ids->greatest = trade;
    return true;
}

#endif
