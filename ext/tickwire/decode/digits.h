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
static struct {
    uint8_t zero[16], nine[16];
    int8_t tens[16];
    int16_t hundreds[8], ten_thousands[8];
} tw_digit_bytes __attribute__((used, aligned(16))) = {
    {'0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0'},
    {9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9},
    {10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1},
    {100, 1, 100, 1, 100, 1, 100, 1},
    {10000, 1, 10000, 1, 10000, 1, 10000, 1}};

#define TW_KEPT(name) _mm_load_si128((const __m128i *)tw_digit_bytes.name)

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

/* Whether the n bytes at p, which has 16 readable ones, are such a decimal; behind them is none of
 * its bytes. To ask `tw_decimal_at` and compare costs more: what ends the number is known here. */
TW_DIGITS bool tw_is_decimal(const uint8_t *p, uint64_t n, double *value) {
    uint64_t others;
    __m128i digits = tw_digits_at(p, &others);
    uint64_t n_whole = _tzcnt_u64(others);
    if (n > TW_SHAPE_DIGITS) return false;
    others = _bzhi_u64(others, (uint32_t)n);
    if (others != 0 && (_blsr_u64(others) != 0 || p[n_whole] != '.')) return false;
    return tw_shaped(digits, n_whole, n, value);
}
#endif

#endif
