/* Up to 16 characters of a number at once, with SSE4.1 as AVX2 encodes it; x86 only.
 *
 * A number is moved to the right end of a vector without its dot; three multiply-adds then make
 * pairs, fours and eights of its digits.
 */
#ifndef TICKWIRE_DIGITS_H
#define TICKWIRE_DIGITS_H

#include "tickwire/cpu.h"

#if defined(TW_X86)
#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

#define TW_DIGITS static inline __attribute__((always_inline, target("avx2,bmi,bmi2")))

typedef struct {
    uint64_t mantissa;
    int whole;    /* digits before the dot */
    int fraction; /* digits behind it; -1: there is no dot */
} tw_number;

/* The number at p, which has 16 readable bytes. False: it is longer, or none of a plain form. */
TW_DIGITS bool tw_number_at(const uint8_t *p, tw_number *out) {
    const __m128i iota = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m128i text = _mm_loadu_si128((const __m128i *)p);
    __m128i digits = _mm_sub_epi8(text, _mm_set1_epi8('0'));
    __m128i is_digit = _mm_cmpeq_epi8(_mm_min_epu8(digits, _mm_set1_epi8(9)), digits);
    uint32_t others = (uint32_t)_mm_movemask_epi8(is_digit) ^ 0xFFFF;
    if (others == 0) return false;
    int whole = __builtin_ctz(others), n_digits = whole;
    if (whole == 0 || (whole > 1 && *p == '0')) return false;
    out->fraction = -1;
    if (p[whole] == '.') {
        others &= others - 1;
        if (others == 0) return false;
        out->fraction = __builtin_ctz(others) - whole - 1;
        if (out->fraction == 0) return false;
        n_digits += out->fraction;
    }
    uint8_t behind = p[n_digits + (out->fraction >= 0)];
    if ((behind | 0x20) == 'e' || behind == '.') return false;
    out->whole = whole;
    /* Places of the digits, right-aligned: those behind the dot stand one further. */
    __m128i place = _mm_sub_epi8(iota, _mm_set1_epi8((char)(16 - n_digits)));
    place = _mm_sub_epi8(place, _mm_cmpgt_epi8(place, _mm_set1_epi8((char)(whole - 1))));
    /* A negative place gives 0; so must one past the number, of which there is none. */
    digits = _mm_shuffle_epi8(digits, place);
    digits = _mm_maddubs_epi16(digits, _mm_set1_epi16(0x010A));
    digits = _mm_madd_epi16(digits, _mm_set1_epi32(0x00010064));
    digits = _mm_packus_epi32(digits, digits);
    digits = _mm_madd_epi16(digits, _mm_set1_epi32(0x00012710));
    uint64_t halves = (uint64_t)_mm_cvtsi128_si64(digits);
    out->mantissa = (halves & 0xFFFFFFFF) * 100000000 + (halves >> 32);
    return true;
}
#endif

#endif
