/* The memory of one side of an order book: slots in the order of prices, and which of them are free.
 *
 * The block counts its owners: what Python still looks at outlives a side that has grown out of it.
 * Behind the slots lies a bit for each: set where it has no level, those that the side does not use
 * included. Whole words of bits lie before the first slot's and behind the last one's, and are never
 * set, so that 64 slots around any place can be read at once.
 */
#ifndef TICKWIRE_LEVEL_BLOCK_H
#define TICKWIRE_LEVEL_BLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    double price;
    double size; /* 0: the slot is free */
} tw_level;

typedef struct {
    int64_t owners; /* the side, and each view of it; atomic */
    int64_t capacity;
    tw_level levels[];
} tw_level_block;

/* The bit of slot i is bit i + 64. */
static inline uint64_t *tw_free_bits(tw_level_block *block)
{
    return (uint64_t *)(void *)&block->levels[block->capacity];
}

static inline int64_t tw_block_bytes(int64_t capacity)
{
    const int64_t n_words = (capacity + 63) / 64 + 3;
    return (int64_t)sizeof(tw_level_block) + capacity * (int64_t)sizeof(tw_level) + 8 * n_words;
}

static inline void tw_set_free(uint64_t *bits, int64_t slot, bool is_free)
{
    uint64_t *word = &bits[(slot >> 6) + 1];
    const int shift = (int)(slot & 63);
    *word = (*word & ~(UINT64_C(1) << shift)) | (uint64_t)is_free << shift;
}

/* Bits from..to - 1 of a word; what lies outside of it is left out. */
static inline uint64_t tw_bits_between(int64_t from, int64_t to)
{
    from = from < 0 ? 0 : from;
    to = to > 64 ? 64 : to;
    return from >= to ? 0 : ~UINT64_C(0) << from & ~UINT64_C(0) >> (64 - to);
}

/* Slots first..end - 1 are taken, all others are free. */
static inline void tw_block_take(tw_level_block *block, int64_t first, int64_t end)
{
    uint64_t *bits = tw_free_bits(block);
    for (int64_t at = -64; at < block->capacity + 128; at += 64)
        *bits++ = tw_bits_between(-at, block->capacity - at) & ~tw_bits_between(first - at, end - at);
}

/* A block without levels, of one owner; NULL: no memory. */
static inline tw_level_block *tw_block_make(int64_t capacity)
{
    tw_level_block *block = (tw_level_block *)malloc((size_t)tw_block_bytes(capacity));
    if (block == NULL)
        return NULL;
    block->owners = 1;
    block->capacity = capacity;
    tw_block_take(block, 0, 0);
    return block;
}

static inline void tw_block_release(tw_level_block *block)
{
    if (block != NULL && __atomic_sub_fetch(&block->owners, 1, __ATOMIC_ACQ_REL) == 0)
        free(block);
}

static inline tw_level_block *tw_block_retain(tw_level_block *block)
{
    __atomic_add_fetch(&block->owners, 1, __ATOMIC_RELAXED);
    return block;
}

/* Which of 64 slots from `slot` on are free; -64 < slot < capacity. */
static inline uint64_t tw_free_of_64(const uint64_t *bits, int64_t slot)
{
    const uint64_t *word = &bits[(slot + 64) >> 6];
    const int shift = (int)(slot & 63);
    return word[0] >> shift | word[1] << 1 << (63 - shift);
}

/* The free slot nearest to the place before slot `at`, further away than 32 slots; -1: none. */
static int64_t tw_far_free(const uint64_t *bits, int64_t capacity, int64_t at)
{
    for (int64_t reach = 32; reach < capacity; reach += 64) {
        const int64_t low = at - reach - 64, high = at + reach;
        const uint64_t below = low > -64 ? tw_free_of_64(bits, low) : 0;
        const uint64_t above = high < capacity ? tw_free_of_64(bits, high) : 0;
        const int down = below == 0 ? 64 : __builtin_clzll(below);
        const int up = above == 0 ? 64 : __builtin_ctzll(above);
        if (down < 64 || up < 64)
            return down < up ? low + 63 - down : high + up;
    }
    return -1;
}

/* The free slot nearest to the place before slot `at`; -1: none. */
static inline int64_t tw_nearest_free(tw_level_block *block, int64_t at)
{
    const uint64_t *bits = tw_free_bits(block);
    const uint64_t around = tw_free_of_64(bits, at - 32);
    if (around == 0)
        return tw_far_free(bits, block->capacity, at);
    const uint64_t below = around << 32, above = around >> 32;
    const int down = below == 0 ? 64 : __builtin_clzll(below);
    const int up = above == 0 ? 64 : __builtin_ctzll(above);
    return down < up ? at - 1 - down : at + up;
}

#endif
