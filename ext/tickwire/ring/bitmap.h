/* Arrow's bitmaps (least significant bit first) from sentinels and from bytes.
 *
 * `tw_nulls_*` count, `tw_valid_*` write; both only where a column has nulls and values.
 * Bits past the last row of the last byte are zero.
 */
#ifndef TICKWIRE_BITMAP_H
#define TICKWIRE_BITMAP_H

#include <stdint.h>
#include <string.h>

#include "tickwire/ring/columns.h"

#define TW_BITMAP_OF(NAME, TYPE, IS_NULL)                                                          \
    static inline int64_t tw_nulls_##NAME(const TYPE *values, int64_t n)                           \
    {                                                                                              \
        int64_t n_nulls = 0;                                                                       \
        for (int64_t i = 0; i < n; i++)                                                            \
            n_nulls += IS_NULL(values[i]);                                                         \
        return n_nulls;                                                                            \
    }                                                                                              \
    static inline void tw_valid_##NAME(const TYPE *values, int64_t n, uint8_t *bitmap)             \
    {                                                                                              \
        for (int64_t i = 0; i < n; i += 8) {                                                       \
            unsigned bits = 0;                                                                     \
            for (int64_t j = 0; j < 8 && i + j < n; j++)                                           \
                bits |= (unsigned)!(IS_NULL(values[i + j])) << j;                                  \
            bitmap[i >> 3] = (uint8_t)bits;                                                        \
        }                                                                                          \
    }

TW_BITMAP_OF(i64, int64_t, TW_IS_MIN64)
TW_BITMAP_OF(i32, int32_t, TW_IS_MIN32)
TW_BITMAP_OF(f64, double, TW_IS_NAN)
TW_BITMAP_OF(code16, int16_t, TW_IS_NEGATIVE)
TW_BITMAP_OF(code32, int32_t, TW_IS_NEGATIVE)

/* Bits [at, at + n) of `bitmap` from bytes: bit 0 of (byte >> shift) ^ flip. The bitmap's bytes
 * from `at` on start as zero. */
static inline void tw_pack_bits(const uint8_t *bytes, int64_t n, int shift, int flip,
                                uint8_t *bitmap, int64_t at)
{
    int64_t i = 0;
    for (; i < n && ((at + i) & 7) != 0; i++)
        bitmap[(at + i) >> 3] |= (uint8_t)((((bytes[i] >> shift) & 1) ^ flip) << ((at + i) & 7));
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (; i + 8 <= n; i += 8) {
        uint64_t eight;
        memcpy(&eight, bytes + i, 8);
        eight = (eight >> shift) & 0x0101010101010101u;
        if (flip)
            eight ^= 0x0101010101010101u;
        /* Each byte's bit lands in the top byte, first byte lowest; no two terms meet. */
        bitmap[(at + i) >> 3] = (uint8_t)((eight * 0x0102040810204080u) >> 56);
    }
#endif
    for (; i < n; i++)
        bitmap[(at + i) >> 3] |= (uint8_t)((((bytes[i] >> shift) & 1) ^ flip) << ((at + i) & 7));
}

static inline int64_t tw_count_byte(const uint8_t *bytes, int64_t n, uint8_t value)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        count += bytes[i] == value;
    return count;
}

#endif
