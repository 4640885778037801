/* Up to 15 digits of a number at once, with SSE4.1 as AVX2 encodes it; x86 only.
 *
 * The digits are moved to the right end of a vector without their dot; three multiply-adds then make
 * pairs, fours and eights of them. Where they move to depends on how many there are, so it is read
 * from two windows, tables of 32 bytes that are entered at that number.
 */
#ifndef TICKWIRE_DIGITS_H
#define TICKWIRE_DIGITS_H

#include "tickwire/cpu.h"

#if defined(TW_X86)
#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

#define TW_DIGITS static inline __attribute__((always_inline, target("avx2,bmi,bmi2")))

/* From byte n on: the place of each of n digits, right-aligned; 0x80, no digit, before them. */
static const uint8_t tw_places[32] = {
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    0,    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12,   13,   14,   15};
/* From byte f on: 1 for the last f digits, which stand one place further, behind the dot. */
static const uint8_t tw_behind_dot[32] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                          1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

/* Kept in memory: the compiler would make them anew from an integer at every use. */
static struct {
    uint8_t zero[16], nine[16];
} tw_digit_bytes __attribute__((used, aligned(16))) = {
    {'0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0'},
    {9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9}};

/* Sixteen digits, each a byte below 10, as a number. */
TW_DIGITS uint64_t tw_sixteen_digits(__m128i digits) {
    digits = _mm_maddubs_epi16(digits, _mm_set1_epi16(0x010A));
    digits = _mm_madd_epi16(digits, _mm_set1_epi32(0x00010064));
    digits = _mm_packus_epi32(digits, digits);
    digits = _mm_madd_epi16(digits, _mm_set1_epi32(0x00012710));
    uint64_t halves = (uint64_t)_mm_cvtsi128_si64(digits);
    return (halves & 0xFFFFFFFF) * 100000000 + (halves >> 32);
}

/* The 16 bytes at p less '0', and in *others a bit for each that is no digit, and the 16th. */
TW_DIGITS __m128i tw_digits_at(const uint8_t *p, uint32_t *others) {
    __m128i digits =
        _mm_sub_epi8(_mm_loadu_si128((const __m128i *)p),
                     _mm_load_si128((const __m128i *)tw_digit_bytes.zero));
    __m128i nine = _mm_load_si128((const __m128i *)tw_digit_bytes.nine);
    __m128i is_digit = _mm_cmpeq_epi8(_mm_min_epu8(digits, nine), digits);
    *others = (uint32_t)_mm_movemask_epi8(is_digit) ^ 0x1FFFF;
    return digits;
}

/* How many bytes the integer at p has, which has 16 readable ones; 0: it is longer, or none of the
 * plain form. What else stands behind it is for the caller to look at. */
TW_DIGITS int tw_integer_at(const uint8_t *p, uint64_t *value) {
    uint32_t others;
    __m128i digits = tw_digits_at(p, &others);
    int n = __builtin_ctz(others);
    if ((unsigned)(n - 1) >= 15 || (n > 1 && *p == '0') || p[n] == '.') return 0;
    __m128i place = _mm_loadu_si128((const __m128i *)(tw_places + n));
    *value = tw_sixteen_digits(_mm_shuffle_epi8(digits, place));
    return n;
}

/* The number of so many digits, some of them behind a dot. */
TW_DIGITS uint64_t tw_digits_around_dot(__m128i digits, int whole, int behind) {
    __m128i place =
        _mm_add_epi8(_mm_loadu_si128((const __m128i *)(tw_places + whole + behind)),
                     _mm_loadu_si128((const __m128i *)(tw_behind_dot + behind)));
    return tw_sixteen_digits(_mm_shuffle_epi8(digits, place));
}

/* The same of a decimal: its value is *mantissa / 10^*fraction. */
TW_DIGITS int tw_decimal_at(const uint8_t *p, uint64_t *mantissa, int *fraction) {
    uint32_t others;
    __m128i digits = tw_digits_at(p, &others);
    int whole = __builtin_ctz(others), n = whole, behind = 0;
    if ((unsigned)(whole - 1) >= 15 || (whole > 1 && *p == '0')) return 0;
    if (p[whole] == '.') {
        n = __builtin_ctz(others & (others - 1));
        behind = n - whole - 1;
        if (behind == 0 || n == 16) return 0;
    }
    if ((p[n] | 0x20) == 'e') return 0;
    *mantissa = tw_digits_around_dot(digits, whole, behind);
    *fraction = behind;
    return n;
}

/* Whether the n bytes at p, which has 16 readable ones, are such a decimal. To ask `tw_decimal_at` and
 * compare costs a tenth more instructions per level of a book: what ends the number is known here. */
TW_DIGITS bool tw_is_decimal(const uint8_t *p, uint64_t n, uint64_t *mantissa, int *fraction) {
    uint32_t others;
    __m128i digits = tw_digits_at(p, &others);
    uint32_t whole = (uint32_t)__builtin_ctz(others), behind = 0;
    if (whole - 1 >= 15 || (whole > 1 && *p == '0')) return false;
    if (whole != n) {
        others &= others - 1;
        behind = (uint32_t)__builtin_ctz(others) - whole - 1;
        if (p[whole] != '.' || behind == 0 || n == 16 || whole + 1 + behind != n) return false;
    }
    *mantissa = tw_digits_around_dot(digits, (int)whole, (int)behind);
    *fraction = (int)behind;
    return true;
}
#endif

#endif
