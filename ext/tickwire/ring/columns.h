/* Loops over columns, compiled for SSE2 (or whatever is the architecture's own) and for AVX2.
 *
 * They are written so that compilers make vectors of them; nothing here is written for one
 * instruction set. A nullable column is nearly always without a null or without a value, so it is
 * first asked which of these it is: that needs no count and no bitmap.
 */
#ifndef TICKWIRE_COLUMNS_H
#define TICKWIRE_COLUMNS_H

#include <stdint.h>

#include "tickwire/base/cpu.h"

enum {
    TW_HAS_NULLS = 1,
    TW_HAS_VALUES = 2,
    TW_BLOCK_ROWS = 32 /* of `tw_run_length` */
};

#if defined(TW_X86)
/* RESULT NAME(PARAMETERS) as NAME##_body says it, at the machine's level. */
#define TW_LEVELLED(RESULT, NAME, PARAMETERS, ARGUMENTS)                                           \
    __attribute__((target("avx2"))) static RESULT NAME##_avx2 PARAMETERS                           \
    {                                                                                              \
        return NAME##_body ARGUMENTS;                                                              \
    }                                                                                              \
    static inline RESULT NAME PARAMETERS                                                           \
    {                                                                                              \
        return tw_simd_level() >= TW_SIMD_AVX2 ? NAME##_avx2 ARGUMENTS : NAME##_body ARGUMENTS;    \
    }
#else
#define TW_LEVELLED(RESULT, NAME, PARAMETERS, ARGUMENTS)                                           \
    static inline RESULT NAME PARAMETERS { return NAME##_body ARGUMENTS; }
#endif
#define TW_BODY static inline __attribute__((always_inline))

/* Whether values[0:n] has nulls, and whether it has values: of TW_HAS_NULLS and TW_HAS_VALUES. */
#define TW_LOOK_OF(NAME, TYPE, MASK_TYPE, IS_NULL)                                                 \
    TW_BODY int tw_look_##NAME##_body(const TYPE *values, int64_t n)                               \
    {                                                                                              \
        MASK_TYPE any = 0, all = -1;                                                               \
        for (int64_t i = 0; i < n; i++) {                                                          \
            MASK_TYPE mask = (MASK_TYPE)(IS_NULL(values[i]) ? -1 : 0);                             \
            any |= mask;                                                                           \
            all &= mask;                                                                           \
        }                                                                                          \
        return (any ? TW_HAS_NULLS : 0) | (all ? 0 : TW_HAS_VALUES);                               \
    }                                                                                              \
    TW_LEVELLED(int, tw_look_##NAME, (const TYPE *values, int64_t n), (values, n))

#define TW_IS_MIN64(v) ((v) == INT64_MIN)
#define TW_IS_MIN32(v) ((v) == INT32_MIN)
#define TW_IS_NAN(v) ((v) != (v))
#define TW_IS_NEGATIVE(v) ((v) < 0)

TW_LOOK_OF(i64, int64_t, int64_t, TW_IS_MIN64)
TW_LOOK_OF(i32, int32_t, int32_t, TW_IS_MIN32)
TW_LOOK_OF(f64, double, int64_t, TW_IS_NAN)
TW_LOOK_OF(code16, int16_t, int16_t, TW_IS_NEGATIVE)
TW_LOOK_OF(code32, int32_t, int32_t, TW_IS_NEGATIVE)

/* How many values at the front of values[0:n] equal the first; n >= 1. */
TW_BODY int64_t tw_run_length_body(const int64_t *values, int64_t n)
{
    const int64_t first = values[0];
    int64_t i = 0;
    for (; i + TW_BLOCK_ROWS <= n; i += TW_BLOCK_ROWS) {
        int64_t differ = 0;
        for (int j = 0; j < TW_BLOCK_ROWS; j++)
            differ |= values[i + j] ^ first;
        if (differ)
            break;
    }
    while (i < n && values[i] == first)
        i++;
    return i;
}
TW_LEVELLED(int64_t, tw_run_length, (const int64_t *values, int64_t n), (values, n))

/* values[i] = first + i; gives n. */
TW_BODY int64_t tw_count_up_body(int64_t *values, int64_t n, int64_t first)
{
    for (int64_t i = 0; i < n; i++)
        values[i] = first + i;
    return n;
}
TW_LEVELLED(int64_t, tw_count_up, (int64_t *values, int64_t n, int64_t first), (values, n, first))

/* offsets[i] = ends[i] - start, which fits; gives n. */
TW_BODY int64_t tw_offsets_body(const int64_t *restrict ends, int64_t n, int64_t start,
                                int32_t *restrict offsets)
{
    for (int64_t i = 0; i < n; i++)
        offsets[i] = (int32_t)((uint64_t)ends[i] - (uint64_t)start);
    return n;
}
TW_LEVELLED(int64_t, tw_offsets,
            (const int64_t *ends, int64_t n, int64_t start, int32_t *offsets),
            (ends, n, start, offsets))

#endif
