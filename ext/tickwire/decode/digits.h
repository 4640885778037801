/* Up to 16 digits of a number at once, with SSE4.1 as AVX2 encodes it; x86 only.
 *
 * The digits are moved to one end of a vector, without their dot; three multiply-adds then make pairs,
 * fours and eights of them. Those of an integer go to the right end, and where they stood is read from
 * a table of 32 bytes that is entered at their number. Those of a decimal go to the left end: then what
 * to divide by depends only on how many stood before its dot, and a zero in front of others shows in
 * the size of the whole.
 */
#ifndef TICKWIRE_DIGITS_H
#define TICKWIRE_DIGITS_H

#include "tickwire/base/cpu.h"

#if defined(TW_X86)
#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

#define TW_DIGITS static inline __attribute__((always_inline, target("avx2,bmi,bmi2")))

/* From byte n on: the place of each of n digits, right-aligned; 0x80, no digit, before them. */
static const uint8_t tw_places[32] = {
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    0,    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12,   13,   14,   15};
/* The least integer of n digits that has no zero in front of others; of none there is none. */
static const uint64_t tw_least[17] = {
    UINT64_MAX, 0, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000,
    10000000000, 100000000000, 1000000000000, 10000000000000, 100000000000000, 1000000000000000};
/* What a decimal is read with, by its bytes and those before its dot. */
typedef struct {
    uint8_t moves[16]; /* its digits to the left, without the dot, and zeros behind them */
    uint64_t least;    /* of 16 such digits: none are less without a zero in front of others */
    double by;         /* what they are divided by */
} tw_shape;

enum { TW_SHAPE_DIGITS = 15, TW_SHAPE_BYTES_LOG2 = 4 };

#define TW_MOVE(whole, n, at)                                                                      \
    ((at) >= (n) - ((whole) < (n)) ? 0x80 : (at) + ((at) >= (whole)))
#define TW_MOVES(whole, n, at)                                                                     \
    TW_MOVE(whole, n, at), TW_MOVE(whole, n, at + 1), TW_MOVE(whole, n, at + 2),                   \
        TW_MOVE(whole, n, at + 3)
#define TW_IS_SHAPE(whole, n)                                                                      \
    ((whole) >= 1 && (whole) <= TW_SHAPE_DIGITS && ((n) == (whole) || (n) >= (whole) + 2))
#define TW_SHAPE(whole, n, by)                                                                     \
    {{TW_MOVES(whole, n, 0), TW_MOVES(whole, n, 4), TW_MOVES(whole, n, 8),                         \
      TW_MOVES(whole, n, 12)},                                                                     \
     !TW_IS_SHAPE(whole, n) ? UINT64_MAX : (whole) > 1 ? 1000000000000000 : 0,                     \
     by}
#define TW_SHAPES(whole, n, by)                                                                    \
    TW_SHAPE(whole, n, by), TW_SHAPE(whole, n + 1, by), TW_SHAPE(whole, n + 2, by),                \
        TW_SHAPE(whole, n + 3, by)
#define TW_SHAPES_OF(whole, by)                                                                    \
    TW_SHAPES(whole, 0, by), TW_SHAPES(whole, 4, by), TW_SHAPES(whole, 8, by),                     \
        TW_SHAPES(whole, 12, by)
/* Sixteen for each number of bytes before the dot, by the bytes. 16 of them, and 17 with a dot behind
 * 16 digits, are the next sixteen's first and second, which are no number's either. */
static const tw_shape tw_shapes[18 << TW_SHAPE_BYTES_LOG2] __attribute__((aligned(32))) = {
    TW_SHAPES_OF(0, 1),     TW_SHAPES_OF(1, 1e15),  TW_SHAPES_OF(2, 1e14),  TW_SHAPES_OF(3, 1e13),
    TW_SHAPES_OF(4, 1e12),  TW_SHAPES_OF(5, 1e11),  TW_SHAPES_OF(6, 1e10),  TW_SHAPES_OF(7, 1e9),
    TW_SHAPES_OF(8, 1e8),   TW_SHAPES_OF(9, 1e7),   TW_SHAPES_OF(10, 1e6),  TW_SHAPES_OF(11, 1e5),
    TW_SHAPES_OF(12, 1e4),  TW_SHAPES_OF(13, 1e3),  TW_SHAPES_OF(14, 1e2),  TW_SHAPES_OF(15, 1e1),
    TW_SHAPES_OF(16, 1),    TW_SHAPES_OF(17, 1)};

/* Kept in memory: the compiler would make them anew from an integer, or load them, at every use. */
#define TW_4(...) __VA_ARGS__, __VA_ARGS__, __VA_ARGS__, __VA_ARGS__
static struct {
    uint8_t zero[32], nine[32], dot[32];
    int8_t tens[32];
    int16_t hundreds[16], ten_thousands[16];
    uint64_t hundred_millions[4];
} tw_digit_bytes __attribute__((used, aligned(32))) = {
    {TW_4(TW_4('0', '0'))},    {TW_4(TW_4(9, 9))},        {TW_4(TW_4('.', '.'))},
    {TW_4(TW_4(10, 1))},       {TW_4(100, 1, 100, 1)},    {TW_4(10000, 1, 10000, 1)},
    {TW_4(100000000)}};
#undef TW_4

#define TW_KEPT(name) _mm_load_si128((const __m128i *)tw_digit_bytes.name)
#define TW_KEPT_TWICE(name) _mm256_load_si256((const __m256i *)tw_digit_bytes.name)

/* 16 bytes in the lower half, and those at p in the upper one. */
TW_DIGITS __m256i tw_halves(__m128i low, const void *p) {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low),
                                   _mm_loadu_si128((const __m128i *)p), 1);
}

/* Sixteen digits, each a byte below 10, as a number. */
TW_DIGITS uint64_t tw_sixteen_digits(__m128i digits) {
    digits = _mm_maddubs_epi16(digits, TW_KEPT(tens));
    digits = _mm_madd_epi16(digits, TW_KEPT(hundreds));
    digits = _mm_packus_epi32(digits, digits);
    digits = _mm_madd_epi16(digits, TW_KEPT(ten_thousands));
    uint64_t halves = (uint64_t)_mm_cvtsi128_si64(digits);
    return (halves & 0xFFFFFFFF) * 100000000 + (halves >> 32);
}

/* The 16 bytes at p less '0', and in *others a bit for each that is no digit, and for 16 behind. */
TW_DIGITS __m128i tw_digits_at(const uint8_t *p, uint64_t *others) {
    __m128i digits = _mm_sub_epi8(_mm_loadu_si128((const __m128i *)p), TW_KEPT(zero));
    __m128i is_digit = _mm_cmpeq_epi8(_mm_min_epu8(digits, TW_KEPT(nine)), digits);
    *others = ~(uint32_t)_mm_movemask_epi8(is_digit);
    return digits;
}

/* Whether some of the 16 bytes at p, *n of them, are an integer of the plain form. What stands behind
 * them is for the caller to look at: it may go on. */
TW_DIGITS bool tw_integer_at(const uint8_t *p, uint64_t *value, uint64_t *n) {
    uint64_t others;
    __m128i digits = tw_digits_at(p, &others);
    *n = _tzcnt_u64(others);
    __m128i place = _mm_loadu_si128((const __m128i *)(tw_places + *n));
    *value = tw_sixteen_digits(_mm_shuffle_epi8(digits, place));
    return *value >= tw_least[*n];
}

/* The decimal of n bytes, n_whole of them before its dot, whose digits these are; false: it is none.
 * 16 digits of which the last is a zero are an even number below 2^54, so that they and the power of
 * ten are exact, and one division rounds once. */
TW_DIGITS bool tw_shaped(__m128i digits, uint64_t n_whole, uint64_t n, double *value) {
    const tw_shape *shape = tw_shapes + ((n_whole << TW_SHAPE_BYTES_LOG2) + n);
    __m128i moves = _mm_load_si128((const __m128i *)shape->moves);
    uint64_t all = tw_sixteen_digits(_mm_shuffle_epi8(digits, moves));
    *value = (double)(int64_t)all / shape->by;
    return all >= shape->least;
}

/* Whether there is such a decimal at p, which has 17 readable bytes, and how many it has. */
TW_DIGITS bool tw_decimal_at(const uint8_t *p, double *value, uint64_t *n) {
    uint64_t others;
    __m128i digits = tw_digits_at(p, &others);
    uint64_t n_whole = _tzcnt_u64(others);
    *n = n_whole;
    if (p[n_whole] == '.') *n = _tzcnt_u64(_blsr_u64(others));
    return tw_shaped(digits, n_whole, *n, value);
}

/* Whether the n_0 bytes at p and the n_1 bytes at q, which have 16 readable ones each, are such decimals;
 * behind them is none of their bytes. Both are read at once, each in its half of a vector. */
TW_DIGITS bool tw_are_decimals(const uint8_t *p, uint64_t n_0, const uint8_t *q, uint64_t n_1,
                               double *value_0, double *value_1) {
    if (n_0 > TW_SHAPE_DIGITS || n_1 > TW_SHAPE_DIGITS) return false;
    const __m256i text = tw_halves(_mm_loadu_si128((const __m128i *)p), q);
    __m256i digits = _mm256_sub_epi8(text, TW_KEPT_TWICE(zero));
    const __m256i is_digit =
        _mm256_cmpeq_epi8(_mm256_min_epu8(digits, TW_KEPT_TWICE(nine)), digits);
    const __m256i is_dot = _mm256_cmpeq_epi8(text, TW_KEPT_TWICE(dot));
    const uint32_t others = ~(uint32_t)_mm256_movemask_epi8(is_digit);
    const uint32_t others_0 = _bzhi_u32(others, (uint32_t)n_0);
    const uint32_t others_1 = _bzhi_u32(others >> 16, (uint32_t)n_1);
    /* A dot in each, or none. */
    if (((others_0 | others_1 << 16) & ~(uint32_t)_mm256_movemask_epi8(is_dot)) != 0 ||
        (_blsr_u32(others_0) | _blsr_u32(others_1)) != 0)
        return false;
    const uint64_t n_whole_0 = _tzcnt_u32(others), n_whole_1 = _tzcnt_u32(others >> 16);
    const tw_shape *shape_0 = tw_shapes + ((n_whole_0 << TW_SHAPE_BYTES_LOG2) + n_0);
    const tw_shape *shape_1 = tw_shapes + ((n_whole_1 << TW_SHAPE_BYTES_LOG2) + n_1);
    digits = _mm256_shuffle_epi8(
        digits, tw_halves(_mm_load_si128((const __m128i *)shape_0->moves), shape_1->moves));
    digits = _mm256_maddubs_epi16(digits, TW_KEPT_TWICE(tens));
    digits = _mm256_madd_epi16(digits, TW_KEPT_TWICE(hundreds));
    digits = _mm256_packus_epi32(digits, digits);
    digits = _mm256_madd_epi16(digits, TW_KEPT_TWICE(ten_thousands));
    const __m256i all = _mm256_add_epi64(_mm256_mul_epu32(digits, TW_KEPT_TWICE(hundred_millions)),
                                         _mm256_srli_epi64(digits, 32));
    const uint64_t all_0 = (uint64_t)_mm_cvtsi128_si64(_mm256_castsi256_si128(all));
    const uint64_t all_1 = (uint64_t)_mm_cvtsi128_si64(_mm256_extracti128_si256(all, 1));
    *value_0 = (double)(int64_t)all_0 / shape_0->by;
    *value_1 = (double)(int64_t)all_1 / shape_1->by;
    return all_0 >= shape_0->least && all_1 >= shape_1->least;
}
#endif

#endif
