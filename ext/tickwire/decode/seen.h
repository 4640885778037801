/* Ids of delivered trades, as far as the kernels must know them: the theory is in `decode/_seen.pxd`. */
#ifndef TICKWIRE_SEEN_H
#define TICKWIRE_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tickwire/base/hash.h"

enum {
    TW_TAIL_IDS = 8, /* a cache line of ids, and half a line of prints */
    TW_LAST_IDS = 8192, /* a power of two; at least the last half of them are known */
    TW_KNOWN_IDS = TW_LAST_IDS / 2,
    TW_BUCKET_SLOTS = 4,
    /* A message that counts not at all may cost so many of the oldest ids, which are not that half. */
    TW_FORGIVEN = 4000,
    /* Powers of two: 64 symbols are 12 KiB, the tails of a group's 8 are put away in 768 bytes. */
    TW_CHUNK_SYMBOLS = 64,
    TW_GROUP_SYMBOLS = 8
};

/* What an id is. TW_SEEN_ASK: something must be made first, as `Seen.offer` does. */
enum tw_novelty { TW_SEEN_ASK = -1, TW_SEEN_BEFORE = 0, TW_SEEN_NEW = 1 };

/* What tells two trades of one id apart: time and price, by their bits. */
typedef struct {
    const int64_t *time, *price;
} tw_trade_facts;

/* Eight trades. A print is `tw_print_of` the one that was delivered: trades of one id may differ. */
typedef struct {
    _Alignas(32) uint64_t ids[TW_TAIL_IDS];
    uint32_t prints[TW_TAIL_IDS];
} tw_eight;

/* Three cache lines. All zeros, it has no ids. */
typedef struct {
    _Alignas(64) uint64_t greatest; /* of all ids; 0 before the first */
    int64_t n;                      /* ids ever remembered */
    tw_eight *eights; /* circular, those before the tail, one in each row; NULL before the first */
    uint64_t *slots;  /* the set: open addressing; 0 is free, and no id */
    uint32_t set_mask;
    int64_t set_end;  /* the set holds the ids up to here, from (set_mask + 1) / 2 before set_full */
    int64_t set_full; /* the set is made anew for id number set_full; 0: there is none */
    int64_t again;    /* the least time of those that came again, ns; 0: none did */
    _Alignas(64) tw_eight tail; /* the last 1 to 8 of them: id number i at i % 8 */
} tw_symbol_ids;

/* Symbols that lie side by side. A group's lines do too: where all symbols are about as busy, those
 * that are written at a time are in few pages. Rows that none has come to are in no memory. */
typedef struct {
    tw_symbol_ids symbols[TW_CHUNK_SYMBOLS];
    tw_eight *rows[TW_CHUNK_SYMBOLS / TW_GROUP_SYMBOLS]; /* by group: TW_LAST_IDS of each symbol */
} tw_chunk;

/* What a message has remembered, so that it can be forgotten. */
typedef struct {
    tw_symbol_ids *symbol;
    uint64_t greatest; /* before */
} tw_remembered;

typedef struct {
    tw_remembered *entries;
    size_t n, capacity;
    tw_eight *saved; /* by entry from TW_FORGIVEN on: the oldest eight, which it put others over */
} tw_journal;

/* The ids of one kind of trades. */
typedef struct {
    tw_chunk **chunks; /* by code; NULL before the first id */
    uint32_t n_chunks;
    tw_journal *journal;
} tw_memory;

/* The ids of a symbol, or NULL where it has no place. They stay where they are. */
static inline tw_symbol_ids *tw_ids_of(const tw_memory *memory, uint32_t symbol) {
    uint32_t number = symbol / TW_CHUNK_SYMBOLS;
    if (number >= memory->n_chunks || memory->chunks[number] == NULL) return NULL;
    return memory->chunks[number]->symbols + symbol % TW_CHUNK_SYMBOLS;
}

/* Where the eight ids from number i on are put away, i being one of 0, 8, 16 and so on. */
static inline tw_eight *tw_eight_of(const tw_symbol_ids *ids, int64_t i) {
    return ids->eights + (i & (TW_LAST_IDS - TW_TAIL_IDS)) / TW_TAIL_IDS * TW_GROUP_SYMBOLS;
}

/* Where a full tail is put away: the oldest ids stand there. */
static inline tw_eight *tw_place_of_tail(const tw_symbol_ids *ids) {
    return tw_eight_of(ids, ids->n - TW_TAIL_IDS);
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
    for (int64_t i = from; i < ids->n;) {
        int64_t first = i & ~(int64_t)(TW_TAIL_IDS - 1);
        const tw_eight *eight = first < tail_first ? tw_eight_of(ids, first) : &ids->tail;
        int64_t end = first < tail_first ? first + TW_TAIL_IDS : ids->n;
        for (; i < end; i++) {
            uint64_t trade = eight->ids[i - first];
            uint64_t at = tw_bucket_of(ids, trade);
            uint32_t n_taken;
            while ((n_taken = tw_taken(ids->slots + at)) == TW_BUCKET_SLOTS)
                at = (at + TW_BUCKET_SLOTS) & ids->set_mask;
            ids->slots[at + n_taken] = trade;
        }
    }
    ids->set_end = ids->n;
}

static inline uint32_t tw_print_of(const tw_trade_facts *facts) {
    /* Prices may differ in their highest bits alone, times in their lowest. */
    return (uint32_t)*facts->time ^
           (uint32_t)(((uint64_t)*facts->price * 0x9E3779B97F4A7C15u) >> 32);
}

/* Whether the last trade of an id that is known was another one, by its print. */
static inline bool tw_was_another(const tw_symbol_ids *ids, uint64_t trade, uint32_t print) {
    int64_t tail_first = (ids->n - 1) & ~(int64_t)(TW_TAIL_IDS - 1);
    int64_t least = tail_first > TW_LAST_IDS ? tail_first - TW_LAST_IDS : 0;
    const tw_eight *eight = &ids->tail;
    int64_t i = ids->n - 1 - tail_first;
    for (int64_t first = tail_first; first >= least; i = TW_TAIL_IDS - 1) {
        for (; i >= 0; i--)
            if (eight->ids[i] == trade) return eight->prints[i] != print;
        first -= TW_TAIL_IDS;
        eight = tw_eight_of(ids, first);
    }
    return false;
}

/* Whether the set holds all ids that must be known, and takes one more. */
static inline bool tw_set_is_ready(const tw_symbol_ids *ids) {
    return ids->n < ids->set_full && ids->set_end == ids->n;
}

/* Bring the set up to date with ids that were greater than all; false where it must be made anew. */
static inline bool tw_catch_up(tw_symbol_ids *ids) {
    /* What is older may have been put over by a message that was taken back. */
    if (ids->n >= ids->set_full || ids->set_end < ids->n - TW_KNOWN_IDS) return false;
    tw_put_into_set(ids, ids->set_end);
    return true;
}

/* Remember an id, with room in the journal; false without memory for the first. */
static inline __attribute__((always_inline)) bool
tw_append(tw_journal *journal, tw_symbol_ids *ids, uint64_t trade, const tw_trade_facts *facts) {
    int64_t n = ids->n, at = n & (TW_TAIL_IDS - 1);
    if (__builtin_expect(at == 0, 0)) {
        if (ids->eights == NULL) return false;
        if (n != 0) {
            tw_eight *place = tw_place_of_tail(ids);
            if (__builtin_expect(journal->n >= TW_FORGIVEN, 0))
                journal->saved[journal->n - TW_FORGIVEN] = *place;
            *place = ids->tail;
        }
    }
    journal->entries[journal->n++] = (tw_remembered){ids, ids->greatest};
    ids->tail.ids[at] = trade;
    ids->tail.prints[at] = tw_print_of(facts);
    ids->n = n + 1;
    if (at == TW_TAIL_IDS - 1) {
        /* With many symbols the place of a tail that is full is in no cache when the next id comes. */
        const char *place = (const char *)tw_place_of_tail(ids);
        __builtin_prefetch(place, 1);
        __builtin_prefetch(place + sizeof(tw_eight) - 1, 1);
    }
    return true;
}

/* Remember an id if it is new. One that is greater than all is, and nothing is looked up. */
static inline __attribute__((always_inline)) enum tw_novelty
tw_remember(const tw_memory *memory, int32_t symbol, uint64_t trade, const tw_trade_facts *facts,
            tw_slot_fn slot_of) {
    tw_symbol_ids *ids = tw_ids_of(memory, (uint32_t)symbol);
    tw_journal *journal = memory->journal;
    if (ids == NULL) return TW_SEEN_ASK;
    if (trade > ids->greatest) {
        if (journal->n == journal->capacity || !tw_append(journal, ids, trade, facts))
            return TW_SEEN_ASK;
        ids->greatest = trade;
        return TW_SEEN_NEW;
    }
    if (trade == 0 || !tw_set_is_ready(ids)) return TW_SEEN_ASK;
    uint64_t *slot = slot_of(ids, trade);
    if (*slot != 0) return TW_SEEN_BEFORE;
    if (journal->n == journal->capacity) return TW_SEEN_ASK;
    *slot = trade;
    ids->set_end = ids->n + 1;
    /* It has memory: the set was made of what is there. */
    return tw_append(journal, ids, trade, facts) ? TW_SEEN_NEW : TW_SEEN_ASK;
}

#endif
