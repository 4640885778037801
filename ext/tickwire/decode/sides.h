/* The sides of a book in their order: rows of a message that stand as asks and bids change places. */
#ifndef TICKWIRE_SIDES_H
#define TICKWIRE_SIDES_H

#include <stdint.h>

#include "tickwire/ring/ring.h"

/* Where a table has what tells its rows apart, and the codes of the sides. */
typedef struct {
    int32_t side, symbol, time; /* columns */
    int32_t ask, bid;           /* codes; equal where no route of the program needs them */
} tw_sides;

/* A value of a column of 1 << log2_bytes bytes. */
static inline int64_t tw_value_at(const void *column, int log2_bytes, int64_t slot)
{
    if (log2_bytes == 3)
        return ((const int64_t *)column)[slot];
    if (log2_bytes == 2)
        return ((const int32_t *)column)[slot];
    return log2_bytes == 1 ? ((const int16_t *)column)[slot] : ((const int8_t *)column)[slot];
}

static inline void tw_set_value(void *column, int log2_bytes, int64_t slot, int64_t value)
{
    if (log2_bytes == 3)
        ((int64_t *)column)[slot] = value;
    else if (log2_bytes == 2)
        ((int32_t *)column)[slot] = (int32_t)value;
    else if (log2_bytes == 1)
        ((int16_t *)column)[slot] = (int16_t)value;
    else
        ((int8_t *)column)[slot] = (int8_t)value;
}

/* Rows [middle, end) come before rows [first, middle) of one column; `spare` takes the latter. */
static inline void tw_change_places(void *column, int log2_bytes, int64_t mask, int64_t first,
                                    int64_t middle, int64_t end, int64_t *spare)
{
    const int64_t n = middle - first;
    int64_t i;
    for (i = 0; i < n; i++)
        spare[i] = tw_value_at(column, log2_bytes, (first + i) & mask);
    for (i = middle; i < end; i++)
        tw_set_value(column, log2_bytes, (i - n) & mask,
                     tw_value_at(column, log2_bytes, i & mask));
    for (i = 0; i < n; i++)
        tw_set_value(column, log2_bytes, (end - n + i) & mask, spare[i]);
}

/* The end of the rows from `first` on that have a side, and symbol and time of row `like`. */
static inline int64_t tw_end_of_side(const tw_ring *ring, const tw_sides *sides, int64_t first,
                                     int64_t like, int32_t side)
{
    const int16_t *of = (const int16_t *)ring->columns[sides->side].values;
    const int32_t *symbols = (const int32_t *)ring->columns[sides->symbol].values;
    const int64_t *times = (const int64_t *)ring->columns[sides->time].values;
    const int64_t mask = ring->mask;
    while (first < ring->head && of[first & mask] == side &&
           symbols[first & mask] == symbols[like & mask] &&
           times[first & mask] == times[like & mask])
        first++;
    return first;
}

#endif
