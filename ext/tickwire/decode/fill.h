/* One value for many rows of a column, written in the widest words that the machine has. */
#ifndef TICKWIRE_FILL_H
#define TICKWIRE_FILL_H

#include <stdint.h>
#include <string.h>

#include "tickwire/ring/columns.h"
#include "tickwire/decode/step.h"

/* What rows have in common in one column. */
typedef struct {
    uint8_t *column;
    const tw_ring *ring;
    const tw_bits *value;  /* of a register, if it has one; NULL for none */
    tw_bits constant;      /* without it */
    uint64_t bit;          /* of the register; 0 for none */
    int32_t target;
    int32_t log2_bytes;    /* of a value */
    int32_t required;      /* the register must have a value */
    int32_t is_channel;
} tw_fill;

typedef uint64_t tw_fill_words __attribute__((vector_size(32), aligned(1), may_alias));
typedef uint64_t tw_fill_half __attribute__((vector_size(16), aligned(1), may_alias));

/* The value of 1 << log2_bytes bytes, over and over. */
TW_BODY uint64_t tw_fill_pattern(uint64_t value, int log2_bytes)
{
    static const uint64_t masks[] = {0xFF, 0xFFFF, 0xFFFFFFFF, UINT64_MAX};
    static const uint64_t ones[] = {0x0101010101010101, 0x0001000100010001, 0x0000000100000001, 1};
    return (value & masks[log2_bytes]) * ones[log2_bytes];
}

/* p[0:n] is the pattern. What is left over is written together with some of what is written already:
 * n is a multiple of the value's bytes, so that the pattern fits there as well. */
TW_BODY void tw_fill_bytes(uint8_t *p, int64_t n, uint64_t pattern)
{
    if (n >= 32) {
        const tw_fill_words words = {pattern, pattern, pattern, pattern};
        uint8_t *const stop = p + n - 32;
        for (; stop - p >= 128; p += 128) {
            *(tw_fill_words *)p = words;
            *(tw_fill_words *)(p + 32) = words;
            *(tw_fill_words *)(p + 64) = words;
            *(tw_fill_words *)(p + 96) = words;
        }
        for (; p < stop; p += 32)
            *(tw_fill_words *)p = words;
        *(tw_fill_words *)stop = words;
    } else if (n >= 16) {
        const tw_fill_half half = {pattern, pattern};
        *(tw_fill_half *)p = half;
        *(tw_fill_half *)(p + n - 16) = half;
    } else if (n >= 8) {
        memcpy(p, &pattern, 8);
        memcpy(p + n - 8, &pattern, 8);
    } else if (n >= 4) {
        uint32_t part = (uint32_t)pattern;
        memcpy(p, &part, 4);
        memcpy(p + n - 4, &part, 4);
    } else if (n >= 2) {
        uint16_t part = (uint16_t)pattern;
        memcpy(p, &part, 2);
        memcpy(p + n - 2, &part, 2);
    } else if (n == 1) {
        *p = (uint8_t)pattern;
    }
}

/* The rows first..last - 1 of a column, last > first, which may go around its end once. */
TW_BODY void tw_fill_rows(uint8_t *column, int64_t slots, int64_t first, int64_t last,
                          uint64_t value, int log2_bytes)
{
    const uint64_t pattern = tw_fill_pattern(value, log2_bytes);
    const int64_t n = last - first, slot = first & slots;
    const int64_t n_to_end = slots + 1 - slot;
    if (__builtin_expect(n <= n_to_end, 1)) {
        tw_fill_bytes(column + (slot << log2_bytes), n << log2_bytes, pattern);
        return;
    }
    tw_fill_bytes(column + (slot << log2_bytes), n_to_end << log2_bytes, pattern);
    tw_fill_bytes(column, (n - n_to_end) << log2_bytes, pattern);
}

/* n columns, from the row of firsts[target] to the head of each, or where `firsts` is NULL from the
 * message's first row; `have`: registers that have a value. 0 where a required one has none. */
TW_BODY int tw_fill_columns_body(const tw_fill *fill, int32_t n, const int64_t *firsts,
                                 uint64_t have, const tw_labels *labels)
{
    for (; n > 0; n--, fill++) {
        const tw_ring *ring = fill->ring;
        const int64_t first = firsts != NULL ? firsts[fill->target] : ring->message_start;
        const int64_t last = ring->head;
        if (first >= last)
            continue;
        int64_t value = fill->constant.i;
        if (have & fill->bit)
            value = fill->value->i;
        else if (__builtin_expect(fill->required, 0))
            return 0;
        if (fill->is_channel && labels != NULL)
            value = tw_labelled(labels, value);
        tw_fill_rows(fill->column, ring->mask, first, last, (uint64_t)value, fill->log2_bytes);
    }
    return 1;
}
TW_LEVELLED(int, tw_fill_columns,
            (const tw_fill *fill, int32_t n, const int64_t *firsts, uint64_t have,
             const tw_labels *labels),
            (fill, n, firsts, have, labels))

/* The same of one column and value. */
TW_BODY int tw_fill_column_body(void *column, int64_t slots, int64_t first, int64_t last,
                                int64_t value, int log2_bytes)
{
    if (first < last)
        tw_fill_rows((uint8_t *)column, slots, first, last, (uint64_t)value, log2_bytes);
    return 1;
}
TW_LEVELLED(int, tw_fill_column,
            (void *column, int64_t slots, int64_t first, int64_t last, int64_t value,
             int log2_bytes),
            (column, slots, first, last, value, log2_bytes))

#endif
