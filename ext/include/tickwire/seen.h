/* Ids of delivered trades, as far as the kernels must know them: the theory is in `decode/_seen.pxd`. */
#ifndef TICKWIRE_SEEN_H
#define TICKWIRE_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tickwire/hash.h"

enum {
    TW_TAIL_IDS = 8, /* a cache line of ids */
    TW_LAST_IDS = 8192, /* a power of two; at least the last half of them are known */
    TW_KNOWN_IDS = TW_LAST_IDS / 2,
    TW_BUCKET_SLOTS = 4,
    /* A message that counts not at all may cost so many of the oldest ids, which are not that half. */
    TW_FORGIVEN = 4000
};

/* What an id is. TW_SEEN_ASK: something must be made first, as `Seen.offer` does. */
enum tw_novelty { TW_SEEN_ASK = -1, TW_SEEN_BEFORE = 0, TW_SEEN_NEW = 1 };

/* Two cache lines. What is always written comes first: with many symbols the rest is in no cache. */
typedef struct {
    _Alignas(64) uint64_t greatest; /* of all ids; 0 before the first */
    int64_t n;                      /* ids ever remembered */
    uint64_t tail[TW_TAIL_IDS];     /* the last 1 to 8 of them: id number i at i % 8 */
    uint64_t *ids;                  /* circular, those before the tail; no id is 0 */
    uint64_t *slots;                /* the set: open addressing; 0 is free */
    uint32_t capacity;              /* of `ids`, a power of two */
    uint32_t set_mask;
    int64_t set_end;  /* the set holds the ids up to here, from (set_mask + 1) / 2 before set_full */
    int64_t set_full; /* the set is made anew for id number set_full; 0: there is none */
} tw_symbol_ids;

/* What a message has remembered, so that it can be forgotten. */
typedef struct {
    tw_symbol_ids *symbol;
    uint64_t greatest; /* before */
} tw_remembered;

typedef struct {
    tw_remembered *entries;
    size_t n, capacity;
    uint64_t (*saved)[TW_TAIL_IDS]; /* by entry from TW_FORGIVEN on: ids that it put away */
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

/* The first slot of an id's bucket; what does not fit into that is in the next ones. */
static inline uint64_t tw_bucket_of(const tw_symbol_ids *ids, uint64_t trade) {
    return tw_fold_multiply(trade, 0x9E3779B97F4A7C15u) & ids->set_mask &
           ~(uint64_t)(TW_BUCKET_SLOTS - 1);
}

/* Where an id stands in the set, or else the free slot that it goes into. */
static inline uint64_t *tw_slot_of(const tw_symbol_ids *ids, uint64_t trade) {
    uint64_t at = tw_bucket_of(ids, trade);
    while (ids->slots[at] != 0 && ids->slots[at] != trade) at = (at + 1) & ids->set_mask;
    return ids->slots + at;
}

/* `tw_slot_of`, or what does the same. */
typedef uint64_t *(*tw_slot_fn)(const tw_symbol_ids *ids, uint64_t trade);

/* How many slots of a bucket are taken: the first so many. */
static inline uint32_t tw_taken(const uint64_t *bucket) {
    uint32_t n = 0;
    for (int i = 0; i < TW_BUCKET_SLOTS; i++) n += bucket[i] != 0;
    return n;
}

/* Put the ids [from, n), which are not in it, into the set. */
static inline void tw_put_into_set(tw_symbol_ids *ids, int64_t from) {
    int64_t tail_first = (ids->n - 1) & ~(int64_t)(TW_TAIL_IDS - 1);
    for (int64_t i = from; i < ids->n; i++) {
        uint64_t trade = i < tail_first ? ids->ids[i & (int64_t)(ids->capacity - 1)]
                                        : ids->tail[i & (TW_TAIL_IDS - 1)];
        uint64_t at = tw_bucket_of(ids, trade);
        uint32_t n_taken;
        while ((n_taken = tw_taken(ids->slots + at)) == TW_BUCKET_SLOTS)
            at = (at + TW_BUCKET_SLOTS) & ids->set_mask;
        ids->slots[at + n_taken] = trade;
    }
    ids->set_end = ids->n;
}

/* Bring the set up to date with ids that were greater than all; false where it must be made anew. */
static __attribute__((noinline)) bool tw_catch_up(tw_symbol_ids *ids) {
    /* What is older may have been put over by a message that was taken back. */
    if (ids->set_end < ids->n - TW_KNOWN_IDS) return false;
    tw_put_into_set(ids, ids->set_end);
    return true;
}

/* Whether the set holds all ids that must be known, and takes one more. */
static inline bool tw_set_is_ready(tw_symbol_ids *ids) {
    return ids->n < ids->set_full && (ids->set_end == ids->n || tw_catch_up(ids));
}

/* Whether `ids` must grow before one more is remembered. */
static inline bool tw_is_full(const tw_symbol_ids *ids) {
    return ids->n == (int64_t)ids->capacity + TW_TAIL_IDS && ids->capacity < TW_LAST_IDS;
}

/* Remember an id; false where there is no room for it. */
static inline __attribute__((always_inline)) bool
tw_append(tw_journal *journal, tw_symbol_ids *ids, uint64_t trade) {
    int64_t at = ids->n & (TW_TAIL_IDS - 1);
    if (journal->n == journal->capacity) return false;
    if (at == 0 && ids->n != 0) {
        uint64_t *place = tw_place_of_tail(ids);
        if (tw_is_full(ids)) return false;
        if (__builtin_expect(journal->n >= TW_FORGIVEN, 0))
            memcpy(journal->saved[journal->n - TW_FORGIVEN], place, sizeof ids->tail);
        memcpy(place, ids->tail, sizeof ids->tail);
    }
    journal->entries[journal->n++] = (tw_remembered){ids, ids->greatest};
    ids->tail[at] = trade;
    ids->n++;
    return true;
}

/* Remember an id if it is new. One that is greater than all is, and nothing is looked up. */
static inline __attribute__((always_inline)) enum tw_novelty
tw_remember(const tw_memory *memory, int32_t symbol, uint64_t trade, tw_slot_fn slot_of) {
    tw_symbol_ids *ids = symbol < memory->n_symbols ? memory->symbols[symbol] : NULL;
    if (ids == NULL) return TW_SEEN_ASK;
    if (trade > ids->greatest) {
        if (!tw_append(memory->journal, ids, trade)) return TW_SEEN_ASK;
        ids->greatest = trade;
        return TW_SEEN_NEW;
    }
    if (trade == 0 || !tw_set_is_ready(ids)) return TW_SEEN_ASK;
    uint64_t *slot = slot_of(ids, trade);
    if (*slot != 0) return TW_SEEN_BEFORE;
    if (!tw_append(memory->journal, ids, trade)) return TW_SEEN_ASK;
    *slot = trade;
    ids->set_end = ids->n;
    return TW_SEEN_NEW;
}

#endif
