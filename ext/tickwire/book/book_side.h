/* One side of an order book: its levels in a sorted array, the best one last.
 *
 * What changes most lies near the end, so a change there moves little. Slots are first..end - 1; those
 * of size 0 are free. They keep a price, so that the array stays sorted: a level that is deleted far
 * from the best one leaves a free slot behind, and one that is inserted there moves what lies between
 * its place and the nearest free slot. The last slot is never free. Large sides are laid out with a
 * free slot in every TW_SPREAD levels.
 *
 * The block counts its owners: what Python still looks at outlives a side that has grown out of it.
 */
#ifndef TICKWIRE_BOOK_SIDE_H
#define TICKWIRE_BOOK_SIDE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    TW_NEAR = 32,          /* slots from the end in which levels are moved, and none is left free */
    TW_SPREAD = 16,        /* levels to each slot that is left free in a large side */
    TW_LARGE_SIDE = 1024,  /* levels of one */
    TW_SCAN = 256,         /* slots in each direction in which a free one is looked for */
    TW_FIRST_CAPACITY = 96,
    TW_MOST_LEVELS = 1 << 20 /* of a side; no market has as many, but a sender may make them up */
};

typedef struct {
    double price;
    double size; /* 0: the slot is free */
} tw_level;

typedef struct {
    int64_t owners; /* the side, and each view of it; atomic */
    int64_t capacity;
    tw_level levels[];
} tw_level_block;

typedef struct {
    tw_level_block *block; /* NULL before the first level */
    int64_t first;         /* slots below are free, and have no price */
    int64_t end;           /* likewise from here on */
    int64_t n_levels;      /* slots that are not free */
    int64_t n_moved;       /* levels that were moved for want of a free slot, since it was laid out */
    bool is_ask;
    bool is_loading;       /* a snapshot comes: slots are in the order of arrival */
} tw_side;

/* TW_LEVEL_NO_MEMORY: or the side has as many levels as it may. */
typedef enum { TW_LEVEL_OK, TW_LEVEL_ABSENT, TW_LEVEL_NO_MEMORY } tw_level_result;

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

/* The first slot whose price is not worse: the part of the side that has it, in large steps from the
 * end, then quarters, then one by one, without branches that depend on prices. */
static inline int64_t tw_side_find(const tw_side *side, bool is_ask, double price)
{
    const tw_level *levels = side->block->levels;
    const int64_t n = side->end - side->first;
    int64_t near = 0, far = 64;
    while (far < n && !tw_is_worse(is_ask, levels[side->end - far].price, price)) {
        near = far;
        far *= 16;
    }
    if (far > n)
        far = n;
    const tw_level *base = &levels[side->end - far];
    int64_t length = far - near;
    while (length > 16) {
        const int64_t quarter = length / 4;
        base += quarter * (tw_is_worse(is_ask, base[quarter - 1].price, price) +
                           tw_is_worse(is_ask, base[2 * quarter - 1].price, price) +
                           tw_is_worse(is_ask, base[3 * quarter - 1].price, price));
        length -= 3 * quarter;
    }
    int64_t n_worse = 0;
    for (int64_t i = 0; i < length; i++)
        n_worse += tw_is_worse(is_ask, base[i].price, price);
    return base - levels + n_worse;
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
    const int64_t slack = n_more + (n + n_more) / 8;
    const int64_t needed = n + n_free + 2 * slack;
    const int64_t capacity = needed < TW_FIRST_CAPACITY ? TW_FIRST_CAPACITY : needed;
    tw_level_block *fresh =
        (tw_level_block *)malloc(sizeof(tw_level_block) + (size_t)capacity * sizeof(tw_level));
    if (fresh == NULL)
        return false;
    fresh->owners = 1;
    fresh->capacity = capacity;
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
static tw_level_result tw_side_insert(tw_side *side, int64_t at, tw_level level)
{
    tw_level *levels = side->block->levels;
    const int64_t above = side->end - at;
    const bool has_tail = side->end < side->block->capacity;
    side->n_levels++;
    if (above <= TW_NEAR && has_tail) {
        memmove(&levels[at + 1], &levels[at], (size_t)above * sizeof(tw_level));
        levels[at] = level;
        side->end++;
        return TW_LEVEL_OK;
    }
    int64_t down = at - 1, up = at;
    const int64_t lowest = at - TW_SCAN > side->first ? at - TW_SCAN : side->first;
    const int64_t highest = at + TW_SCAN < side->end ? at + TW_SCAN : side->end;
    while (down >= lowest && up < highest && levels[down].size != 0 && levels[up].size != 0) {
        down--;
        up++;
    }
    if (down >= lowest && levels[down].size == 0) {
        memmove(&levels[down], &levels[down + 1], (size_t)(at - 1 - down) * sizeof(tw_level));
        levels[at - 1] = level;
        return TW_LEVEL_OK;
    }
    if (up < highest && levels[up].size == 0) {
        memmove(&levels[at + 1], &levels[at], (size_t)(up - at) * sizeof(tw_level));
        levels[at] = level;
        return TW_LEVEL_OK;
    }
    const int64_t below = at - side->first;
    const bool goes_down = below <= above ? side->first > 0 : !has_tail && side->first > 0;
    side->n_moved += goes_down ? below : above;
    const bool is_worn = side->n_levels > TW_LARGE_SIDE && side->n_moved > 4 * side->n_levels;
    if (is_worn || (!goes_down && !has_tail)) {
        side->n_levels--;
        if (!tw_side_lay_out(side, 32))
            return TW_LEVEL_NO_MEMORY;
        return tw_side_insert(side, tw_side_find(side, side->is_ask, level.price), level);
    }
    if (goes_down) {
        side->first--;
        memmove(&levels[at - 1 - below], &levels[at - below], (size_t)below * sizeof(tw_level));
        levels[at - 1] = level;
    } else {
        memmove(&levels[at + 1], &levels[at], (size_t)above * sizeof(tw_level));
        levels[at] = level;
        side->end++;
    }
    return TW_LEVEL_OK;
}

static inline void tw_side_remove(tw_side *side, int64_t at)
{
    tw_level *levels = side->block->levels;
    const int64_t above = side->end - at - 1;
    side->n_levels--;
    if (above < TW_NEAR) {
        memmove(&levels[at], &levels[at + 1], (size_t)above * sizeof(tw_level));
        side->end--;
        tw_side_trim(side);
    } else if (at == side->first) {
        side->first++;
    } else {
        levels[at].size = 0;
    }
}

/* Set a level, or with size 0 delete it.
 *
 * Shape    one level of a side that does not load.
 * Units    price and size as float64; both finite.
 * Returns  TW_LEVEL_OK, TW_LEVEL_ABSENT (a delete of a level that is not there), TW_LEVEL_NO_MEMORY.
 * Threads  the side's owner only.
 * Memory   grows by an eighth where it is full, up to TW_MOST_LEVELS.
 * Source   docs/books.md.
 */
static inline tw_level_result tw_side_set(tw_side *side, double price, double size)
{
    if (side->block == NULL) {
        if (size == 0)
            return TW_LEVEL_ABSENT;
        if (!tw_side_lay_out(side, 32))
            return TW_LEVEL_NO_MEMORY;
    }
    /* Twice, so that the direction of comparisons is known in the loops. */
    const int64_t at = side->is_ask ? tw_side_find(side, true, price) : tw_side_find(side, false, price);
    if (at < side->end && side->block->levels[at].price == price) {
        const bool was_free = side->block->levels[at].size == 0;
        if (size != 0) {
            side->block->levels[at].size = size;
            side->n_levels += was_free;
            return TW_LEVEL_OK;
        }
        if (was_free)
            return TW_LEVEL_ABSENT;
        tw_side_remove(side, at);
        return TW_LEVEL_OK;
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
    side->block->levels[side->end++] = (tw_level){price, size};
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
    if (n >= TW_LARGE_SIDE && !tw_side_lay_out(side, 32))
        return TW_LEVEL_NO_MEMORY;
    return TW_LEVEL_OK;
}

/* Drop the worst levels past `depth`; gives how many. */
static inline int64_t tw_side_truncate(tw_side *side, int64_t depth)
{
    const int64_t n_dropped = side->n_levels > depth ? side->n_levels - depth : 0;
    for (int64_t left = n_dropped; left > 0; side->first++)
        left -= side->block->levels[side->first].size != 0;
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
        side->end = at;
    }
    return &levels[low];
}

#endif
