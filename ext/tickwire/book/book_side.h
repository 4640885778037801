/* One side of an order book: its levels in a sorted array, the best one last.
 *
 * Slots are first..end - 1. A level that is deleted leaves its slot free, with its price, so that the
 * array stays sorted, and one that comes there again takes it; any other one moves what lies between
 * its place and the nearest free slot, those before the first and behind the last one included. The
 * last slot is never free. Sides that are laid out anew have a free slot in every TW_SPREAD levels.
 */
#ifndef TICKWIRE_BOOK_SIDE_H
#define TICKWIRE_BOOK_SIDE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "tickwire/book/level_block.h"

enum {
    TW_NEAR = 32,          /* levels from the best one between which no slot is left free */
    TW_SPREAD = 8,         /* levels to each slot that is left free in a large side */
    TW_LARGE_SIDE = 128,   /* levels of one */
    TW_CLOSE = 32,         /* slots within which a free one counts as close */
    TW_FIRST_CAPACITY = 96,
    TW_MOST_LEVELS = 1 << 20 /* of a side; no market has as many, but a sender may make them up */
};

typedef struct {
    tw_level_block *block; /* NULL before the first level */
    int64_t first;         /* slots below are free, and have no price */
    int64_t end;           /* likewise from here on */
    int64_t n_levels;      /* slots that are not free */
    int64_t n_moved;       /* levels that were moved further than TW_CLOSE, since it was laid out */
    bool is_ask;
    bool is_loading;       /* a snapshot comes: slots are in the order of arrival */
} tw_side;

/* TW_LEVEL_NO_MEMORY: or the side has as many levels as it may. */
typedef enum { TW_LEVEL_OK, TW_LEVEL_ABSENT, TW_LEVEL_NO_MEMORY } tw_level_result;

static inline void tw_side_free(tw_side *side)
{
    tw_block_release(side->block);
    side->block = NULL;
    side->first = side->end = side->n_levels = 0;
}

/* Whether `a` is a worse price than `b`. */
static inline bool tw_is_worse(bool is_ask, double a, double b) { return is_ask ? a > b : a < b; }

/* The best level, NULL where there is none. */
static inline const tw_level *tw_side_best(const tw_side *side)
{
    return side->n_levels == 0 ? NULL : &side->block->levels[side->end - 1];
}

/* Iterate from the best level on: start with *at = 0; NULL at the end. For the best N levels of a
 * side: `for (i = 0, at = 0; i < n && (level = tw_side_next(side, &at)) != NULL; i++)`. */
static inline const tw_level *tw_side_next(const tw_side *side, int64_t *at)
{
    while (*at < side->end - side->first) {
        const tw_level *level = &side->block->levels[side->end - ++*at];
        if (level->size != 0)
            return level;
    }
    return NULL;
}

static inline int64_t tw_price_key(double price)
{
    int64_t key;
    memcpy(&key, &price, sizeof key);
    return key;
}

/* By keys: order as prices do where one of the two is positive. */
static inline bool tw_is_worse_key(bool is_ask, int64_t a, int64_t b) { return is_ask ? a > b : a < b; }

static int64_t tw_side_find_negative(const tw_side *side, double price)
{
    int64_t low = side->first, high = side->end;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (tw_is_worse(side->is_ask, side->block->levels[middle].price, price))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The first slot whose price is not worse: the part of the side that has it, in large steps from the
 * end, then halves of it, without a branch that depends on prices. What bounds it is how long a step
 * waits for the last one, and integers are compared sooner than floating point. */
static inline int64_t tw_side_find(const tw_side *side, bool is_ask, double price)
{
    const tw_level *levels = side->block->levels;
    const int64_t key = tw_price_key(price);
    const int64_t n = side->end - side->first;
    int64_t near = 0, far = 64;
    if (key < 0)
        return tw_side_find_negative(side, price);
    while (far < n && !tw_is_worse_key(is_ask, tw_price_key(levels[side->end - far].price), key)) {
        near = far;
        far *= 16;
    }
    if (far > n)
        far = n;
    const tw_level *base = &levels[side->end - far];
    int64_t length = far - near;
    if (length == 0)
        return side->end;
    while (length > 1) {
        const int64_t half = length / 2;
        const tw_level *next = base + half;
        const bool is_worse = tw_is_worse_key(is_ask, tw_price_key(next[-1].price), key);
        base = __builtin_expect_with_probability(is_worse, 1, 0.5) ? next : base;
        length -= half;
    }
    return base - levels + tw_is_worse_key(is_ask, tw_price_key(base->price), key);
}

/* A price strictly between two, NAN where there is none. */
static inline double tw_between(double a, double b)
{
    const double price = nextafter(a, b);
    return price == b ? NAN : price;
}

/* Lay the levels out anew, for `n_more` that come. False: no memory. Levels of a side that loads may
 * come in any order, so they stay as they are. */
static bool tw_side_lay_out(tw_side *side, int64_t n_more)
{
    const int64_t n = side->is_loading ? side->end - side->first : side->n_levels;
    const bool spreads = !side->is_loading && n >= TW_LARGE_SIDE;
    const int64_t n_free = spreads ? n / TW_SPREAD : 0;
    const int64_t slack = n_more + (n + n_more) / 16;
    const int64_t needed = n + n_free + 2 * slack;
    const int64_t capacity = needed < TW_FIRST_CAPACITY ? TW_FIRST_CAPACITY : needed;
    tw_level_block *fresh = tw_block_make(capacity);
    if (fresh == NULL)
        return false;
    const int64_t first = side->is_loading ? 0 : (capacity - n - n_free) / 2;
    int64_t at = first, left = n;
    for (int64_t i = side->first; i < side->end; i++) {
        const tw_level level = side->block->levels[i];
        if (level.size == 0)
            continue;
        fresh->levels[at++] = level;
        if (!spreads || --left < TW_NEAR || left % TW_SPREAD != 0)
            continue;
        int64_t next = i + 1;
        while (side->block->levels[next].size == 0)
            next++;
        const double price = tw_between(level.price, side->block->levels[next].price);
        if (!isnan(price)) {
            fresh->levels[at].price = price;
            fresh->levels[at++].size = 0;
        }
    }
    tw_block_take(fresh, first, at);
    for (int64_t i = first; i < at; i++)
        if (fresh->levels[i].size == 0)
            tw_set_free(tw_free_bits(fresh), i, true);
    tw_block_release(side->block);
    side->block = fresh;
    side->first = first;
    side->end = at;
    side->n_moved = 0;
    return true;
}

/* No slot from the end on is free. */
static inline void tw_side_trim(tw_side *side)
{
    while (side->end > side->first && side->block->levels[side->end - 1].size == 0)
        side->end--;
}

/* Insert a level before slot `at`, its place. */
static inline tw_level_result tw_side_insert(tw_side *side, int64_t at, tw_level level)
{
    tw_level *levels = side->block->levels;
    const int64_t slot = tw_nearest_free(side->block, at);
    const bool goes_down = slot < at;
    const int64_t n_moved = goes_down ? at - 1 - slot : slot - at;
    if (n_moved > TW_CLOSE || slot < 0) {
        side->n_moved += n_moved;
        if (slot < 0 || side->n_moved > 4 * side->n_levels) {
            if (!tw_side_lay_out(side, 32))
                return TW_LEVEL_NO_MEMORY;
            return tw_side_insert(side, tw_side_find(side, side->is_ask, level.price), level);
        }
    }
    tw_level *place = goes_down ? &levels[at - 1] : &levels[at];
    const tw_level *from = goes_down ? &levels[slot + 1] : place;
    tw_level *to = goes_down ? &levels[slot] : place + 1;
    memmove(to, from, (size_t)n_moved * sizeof(tw_level));
    *place = level;
    tw_set_free(tw_free_bits(side->block), slot, false);
    side->first = slot < side->first ? slot : side->first;
    side->end = slot >= side->end ? slot + 1 : side->end;
    side->n_levels++;
    return TW_LEVEL_OK;
}

/* Set a level, or with size 0 delete it.
 *
 * Shape    one level of a side that does not load.
 * Units    price and size as float64; both finite.
 * Returns  TW_LEVEL_OK, TW_LEVEL_ABSENT (a delete of a level that is not there), TW_LEVEL_NO_MEMORY.
 * Threads  the side's owner only.
 * Memory   grows by an eighth, half of it at each end, where it is full; up to TW_MOST_LEVELS.
 * Source   docs/books.md.
 */
static inline tw_level_result tw_side_set(tw_side *side, double price, double size)
{
    price += 0.0; /* a zero has one sign */
    if (side->block == NULL) {
        if (size == 0)
            return TW_LEVEL_ABSENT;
        if (!tw_side_lay_out(side, 32))
            return TW_LEVEL_NO_MEMORY;
    }
    /* Twice, so that the direction of comparisons is known in the loops. */
    const int64_t at = side->is_ask ? tw_side_find(side, true, price) : tw_side_find(side, false, price);
    if (at < side->end && side->block->levels[at].price == price) {
        tw_level *level = &side->block->levels[at];
        const bool was_there = level->size != 0, is_there = size != 0;
        level->size = size;
        side->n_levels += is_there - was_there;
        tw_set_free(tw_free_bits(side->block), at, !is_there);
        if (!is_there && at == side->end - 1)
            tw_side_trim(side);
        return was_there || is_there ? TW_LEVEL_OK : TW_LEVEL_ABSENT;
    }
    if (size == 0)
        return TW_LEVEL_ABSENT;
    if (side->n_levels >= TW_MOST_LEVELS)
        return TW_LEVEL_NO_MEMORY;
    return tw_side_insert(side, at, (tw_level){price, size});
}

/* Forget all levels; the memory stays. */
static inline void tw_side_clear(tw_side *side)
{
    const int64_t middle = side->block == NULL ? 0 : side->block->capacity / 2;
    if (side->block != NULL)
        tw_block_take(side->block, middle, middle);
    side->first = side->end = middle;
    side->n_levels = 0;
    side->is_loading = false;
}

/* A snapshot: `tw_side_begin`, `tw_side_load` for each level in the order sent, `tw_side_finish`. */
static inline void tw_side_begin(tw_side *side)
{
    side->first = side->end = side->n_levels = 0;
    side->is_loading = true;
}

static inline tw_level_result tw_side_load(tw_side *side, double price, double size)
{
    if (size == 0)
        return TW_LEVEL_ABSENT;
    if (side->end >= TW_MOST_LEVELS)
        return TW_LEVEL_NO_MEMORY;
    if (side->block == NULL || side->end == side->block->capacity) {
        if (!tw_side_lay_out(side, side->end + 32))
            return TW_LEVEL_NO_MEMORY;
    }
    side->block->levels[side->end++] = (tw_level){price + 0.0, size};
    return TW_LEVEL_OK;
}

/* Levels in the order of the book, whichever it is, are taken as they lie; others, and a price that
 * comes twice (the last one counts), are set one by one. */
static tw_level_result tw_side_finish(tw_side *side)
{
    const bool is_ask = side->is_ask;
    const int64_t n = side->end;
    tw_level *levels = n == 0 ? NULL : side->block->levels;
    side->is_loading = false;
    int64_t falls = 0, rises = 0;
    for (int64_t i = 1; i < n; i++) {
        falls += tw_is_worse(is_ask, levels[i].price, levels[i - 1].price);
        rises += tw_is_worse(is_ask, levels[i - 1].price, levels[i].price);
    }
    if (n > 1 && falls < n - 1 && rises < n - 1) {
        tw_level_block *unsorted = side->block;
        side->block = NULL;
        side->first = side->end = side->n_levels = 0;
        tw_level_result result = TW_LEVEL_OK;
        for (int64_t i = 0; i < n && result != TW_LEVEL_NO_MEMORY; i++)
            result = tw_side_set(side, unsorted->levels[i].price, unsorted->levels[i].size);
        tw_block_release(unsorted);
        return result;
    }
    if (falls == n - 1)
        for (int64_t low = 0, high = n - 1; low < high; low++, high--) {
            const tw_level level = levels[low];
            levels[low] = levels[high];
            levels[high] = level;
        }
    side->n_levels = n;
    if (n >= TW_LARGE_SIDE)
        return tw_side_lay_out(side, 32) ? TW_LEVEL_OK : TW_LEVEL_NO_MEMORY;
    if (side->block != NULL)
        tw_block_take(side->block, 0, n);
    return TW_LEVEL_OK;
}

/* Drop the worst levels past `depth`; gives how many. */
static inline int64_t tw_side_truncate(tw_side *side, int64_t depth)
{
    const int64_t n_dropped = side->n_levels > depth ? side->n_levels - depth : 0;
    for (int64_t left = n_dropped; left > 0; side->first++) {
        left -= side->block->levels[side->first].size != 0;
        tw_set_free(tw_free_bits(side->block), side->first, true);
    }
    side->n_levels -= n_dropped;
    while (n_dropped > 0 && side->first < side->end && side->block->levels[side->first].size == 0)
        side->first++;
    return n_dropped;
}

/* Have the best `n` levels lie side by side, the best one last; gives where they begin and how many
 * there are. */
static inline const tw_level *tw_side_pack(tw_side *side, int64_t n, int64_t *n_there)
{
    *n_there = side->n_levels < n ? side->n_levels : n;
    if (*n_there == 0)
        return NULL;
    tw_level *levels = side->block->levels;
    int64_t low = side->end;
    for (int64_t left = *n_there; left > 0;)
        left -= levels[--low].size != 0;
    if (side->end - low > *n_there) {
        int64_t at = low;
        for (int64_t i = low; i < side->end; i++)
            if (levels[i].size != 0)
                levels[at++] = levels[i];
        for (int64_t i = low; i < side->end; i++)
            tw_set_free(tw_free_bits(side->block), i, i >= at);
        side->end = at;
    }
    return &levels[low];
}

#endif
