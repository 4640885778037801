/* Texts of a ring: the bytes of a column lie one behind the other in its arena.
 *
 * Positions grow for ever and are masked into a power of two, as those of rows. A row's text begins
 * where that of the row before it ends, so a row that is taken back needs nothing. Every text column
 * of every row is given a text or a null; where it is put again, the last counts.
 */
#ifndef TICKWIRE_RING_TEXT_H
#define TICKWIRE_RING_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "tickwire/ring/ring.h"
#include "tickwire/ring/watermarks.h"

enum { TW_SHORT_TEXT = 16 }; /* bytes that are copied at once; no arena is smaller */

enum tw_text_result {
    TW_TEXT_TOO_LONG = -1, /* never fits: the message has text for more than half the arena */
    TW_TEXT_FULL = 0,      /* no room now */
    TW_TEXT_OK = 1
};

/* Copy a text to where it begins; false where the memory is full now. */
static __attribute__((noinline)) bool tw_copy_text(const tw_column *column, int64_t start,
                                                   const uint8_t *p, size_t n)
{
    const size_t at = (size_t)(start & column->arena_mask);
    const size_t n_to_end = (size_t)column->arena_mask + 1 - at;
    if (n > (size_t)column->max_text || start + (int64_t)n > column->text_limit)
        return false;
    if (n <= n_to_end) {
        memcpy(column->arena + at, p, n);
        return true;
    }
    memcpy(column->arena + at, p, n_to_end);
    memcpy(column->arena, p + n_to_end, n - n_to_end);
    return true;
}

/* Put a text into a row of its column; false where the memory is full now, and nothing is put. A
 * short one is copied as 16 bytes where they all have room; `has_16`: they are readable. */
static inline __attribute__((always_inline)) bool tw_try_put_text(const tw_column *column,
                                                                  int64_t row, int64_t mask,
                                                                  const uint8_t *p, size_t n,
                                                                  bool has_16)
{
    int64_t *const ends = tw_ends(column);
    const int64_t start = ends[(row - 1) & mask];
    const int64_t at = start & column->arena_mask;
    if (n <= TW_SHORT_TEXT && has_16 && at <= column->arena_mask + 1 - TW_SHORT_TEXT &&
        start <= column->text_limit - TW_SHORT_TEXT)
        memcpy(column->arena + at, p, TW_SHORT_TEXT);
    else if (!tw_copy_text(column, start, p, n))
        return false;
    ends[row & mask] = start + (int64_t)n;
    if (column->valid != NULL)
        column->valid[row & mask] = 1;
    return true;
}

/* Null for a row of a text column, empty where it has no nulls: needs no bytes, has always room. */
static inline void tw_put_null_text(const tw_column *column, int64_t row, int64_t mask)
{
    tw_ends(column)[row & mask] = tw_ends(column)[(row - 1) & mask];
    if (column->valid != NULL)
        column->valid[row & mask] = 0;
}

/* Whether the column's text may reach up to `end`, as soon as that is claimed: it is now. */
TW_RARELY bool tw_claim_more_text(tw_ring *ring, int32_t i, int64_t end)
{
    const tw_column *column = &ring->columns[i];
    if (end <= column->text_limit || end > tw_text_bound(ring, column))
        return false;
    tw_claim_text(ring, i, end);
    return true;
}

/* Put the text of row `head` in column `i`, and make room for it where the policy allows it.
 *
 * Shape    value: n bytes; UTF-8 in a TEXT column.
 * Units    bytes.
 * Returns  TW_TEXT_OK; TW_TEXT_FULL: no room until consumers release rows, or until rows staged before
 *          this message are published; TW_TEXT_TOO_LONG: the message's text is more than half the
 *          arena and never fits.
 * Threads  writer only.
 * Memory   value is copied; no allocation, no GIL.
 * Source   Arrow's variable-size binary layout.
 */
TW_RARELY enum tw_text_result tw_put_text(tw_ring *ring, int32_t i, const uint8_t *value, size_t n)
{
    const tw_column *column = &ring->columns[i];
    if (n > (size_t)column->max_text)
        return TW_TEXT_TOO_LONG;
    while (!tw_try_put_text(column, ring->head, ring->mask, value, n, false)) {
        const int64_t *ends = tw_ends(column);
        const int64_t end = ends[(ring->head - 1) & ring->mask] + (int64_t)n;
        if (tw_claim_more_text(ring, i, end))
            continue;
        if (end - ends[(ring->message_start - 1) & ring->mask] > column->max_text)
            return TW_TEXT_TOO_LONG;
        if (!tw_advance(ring))
            return TW_TEXT_FULL;
    }
    return TW_TEXT_OK;
}

#endif
