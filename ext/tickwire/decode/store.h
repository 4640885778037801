/* How a row's values are written into the columns of a ring. */
#ifndef TICKWIRE_STORE_H
#define TICKWIRE_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "tickwire/decode/register.h"

/* How a column has a value. What has no column goes into 8 bytes that are never read. */
enum { TW_STORE_8, TW_STORE_1, TW_STORE_2, TW_STORE_4, TW_STORE_TEXT, TW_STORE_NO_TEXT };

enum { TW_SHORT_TEXT = 16 }; /* bytes that are copied at once; no arena is smaller */

/* A ring's text column, as `Ring.put_text` has it. */
typedef struct {
    int64_t *ends;
    uint8_t *arena;
    int64_t arena_mask;
    const int64_t *limit; /* text may reach up to here, counted like `ends` */
    int64_t most;         /* bytes of one text */
    uint8_t *valid;       /* NULL where the column has no nulls */
} tw_text_column;

/* Copy a text to where it begins; false where the ring's own rules must decide. */
static __attribute__((noinline)) bool tw_copy_text(const tw_text_column *column, int64_t start,
                                                   const uint8_t *p, size_t n) {
    int64_t at = start & column->arena_mask;
    if ((int64_t)n > column->most || start + (int64_t)n > *column->limit ||
        at + (int64_t)n > column->arena_mask + 1)
        return false;
    memcpy(column->arena + at, p, n);
    return true;
}

/* Put a text into a row of its column; false where the ring's own rules must decide. What 16 bytes
 * put behind a short one does not matter, if there is room for all of them; `has_16`: they are readable. */
static inline __attribute__((always_inline)) bool tw_put_text(const tw_text_column *column,
                                                              int64_t row, int64_t slots,
                                                              const uint8_t *p, size_t n,
                                                              bool has_16) {
    int64_t start = column->ends[(row - 1) & slots];
    int64_t at = start & column->arena_mask;
    if (n <= TW_SHORT_TEXT && has_16 && at <= column->arena_mask + 1 - TW_SHORT_TEXT &&
        start <= *column->limit - TW_SHORT_TEXT)
        memcpy(column->arena + at, p, TW_SHORT_TEXT);
    else if (!tw_copy_text(column, start, p, n))
        return false;
    column->ends[row & slots] = start + (int64_t)n;
    if (column->valid != NULL) column->valid[row & slots] = 1;
    return true;
}

/* Null for a row of a text column. */
static inline void tw_put_no_text(const tw_text_column *column, int64_t row, int64_t slots) {
    column->ends[row & slots] = column->ends[(row - 1) & slots];
    if (column->valid != NULL) column->valid[row & slots] = 0;
}

/* Put a number or code into a row of a column that is no text. */
static inline __attribute__((always_inline)) void tw_put(void *column, int32_t store, int64_t slot,
                                                         int64_t value) {
    if (__builtin_expect(store == TW_STORE_8, 1))
        ((int64_t *)column)[slot] = value;
    else if (store == TW_STORE_4)
        ((int32_t *)column)[slot] = (int32_t)value;
    else if (store == TW_STORE_2)
        ((int16_t *)column)[slot] = (int16_t)value;
    else
        ((int8_t *)column)[slot] = (int8_t)value;
}

#endif
