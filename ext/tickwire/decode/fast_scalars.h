/* Values where prediction expects them: cheap checks that give up rather than decide.
 *
 * Rules of this file
 * - A function that returns NULL or false has found something unusual; the caller then reads the
 *   place again by the fallback. It never accepts what the fallback would refuse.
 * - Every read is below `end`.
 */
#ifndef TICKWIRE_FAST_SCALARS_H
#define TICKWIRE_FAST_SCALARS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "tickwire/decode/decimal.h"
#include "tickwire/decode/json.h"

#define TW_LITERAL_MAX 32

#define TW_INLINE static inline __attribute__((always_inline))

/* Whether p..p + n holds the literal, which has TW_LITERAL_MAX readable bytes; 0 < n <= that. */
TW_INLINE bool tw_literal_at(const uint8_t *p, const uint8_t *end, const uint8_t *literal,
                             uint32_t n) {
#if defined(__SSE2__)
    if (__builtin_expect(end - p >= TW_LITERAL_MAX, 1)) {
        uint32_t wanted = n >= 16 ? 0xFFFFu : (1u << n) - 1;
        __m128i text = _mm_loadu_si128((const __m128i *)p);
        __m128i same = _mm_cmpeq_epi8(text, _mm_loadu_si128((const __m128i *)literal));
        if (((uint32_t)_mm_movemask_epi8(same) & wanted) != wanted) return false;
        return n <= 16 || memcmp(p + 16, literal + 16, n - 16) == 0;
    }
#endif
    return end - p >= (ptrdiff_t)n && memcmp(p, literal, n) == 0;
}

/* Some of the bytes that a message begins with: what tells it from others is seldom among the first. */
typedef struct {
    uint64_t words[2], mask;
    uint16_t at[2];
    int32_t n_bytes; /* of the shortest message of which both can be looked at */
} tw_beginning;

/* The beginning of what begins with these n bytes, 0 < n <= TW_LITERAL_MAX. */
static inline tw_beginning tw_beginning_of(const uint8_t *literal, uint32_t n) {
    tw_beginning made = {{0, 0}, 0, {0, 0}, n < 8 ? 8 : (int32_t)n};
    uint32_t n_word = n < 8 ? n : 8;
    memset(&made.mask, 0xFF, n_word);
    made.at[0] = (uint16_t)(n >= 16 ? 8 : n - n_word);
    made.at[1] = (uint16_t)(n - n_word);
    for (int i = 0; i < 2; i++) memcpy(&made.words[i], literal + made.at[i], n_word);
    return made;
}

/* Whether p..end may be a message of this beginning. */
TW_INLINE bool tw_may_begin(const tw_beginning *beginning, const uint8_t *p, const uint8_t *end) {
    uint64_t first, second;
    if (end - p < beginning->n_bytes) return false;
    memcpy(&first, p + beginning->at[0], 8);
    memcpy(&second, p + beginning->at[1], 8);
    return (((first ^ beginning->words[0]) | (second ^ beginning->words[1])) & beginning->mask) == 0;
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* Up to 8 digits at p, which has 8 readable bytes: how many, and their value. */
TW_INLINE int tw_short_digits(const uint8_t *p, uint64_t *value) {
    uint64_t t;
    memcpy(&t, p, 8);
    t ^= 0x3030303030303030ULL;
    uint64_t stop = ((t + 0x7676767676767676ULL) | t) & 0x8080808080808080ULL;
    int n = stop ? __builtin_ctzll(stop) >> 3 : 8;
    *value = n ? tw_eight_digits(t << (64 - 8 * n)) : 0;
    return n;
}
#endif

/* A plain decimal such as 97432.5: behind it, or NULL. */
TW_INLINE const uint8_t *tw_plain_f64(const uint8_t *p, const uint8_t *end, double *out) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t whole, fraction;
    if (end - p < 24) return NULL;
    int n = tw_short_digits(p, &whole);
    if (n == 0 || n == 8 || (n > 1 && *p == '0')) return NULL;
    p += n;
    if (*p != '.') {
        if ((*p | 0x20) == 'e') return NULL;
        *out = (double)(int64_t)whole;
        return p;
    }
    int m = tw_short_digits(p + 1, &fraction);
    if (m == 0) return NULL;
    if (m == 8 && tw_is_digit(p[9])) return NULL;
    p += 1 + m;
    if ((*p | 0x20) == 'e') return NULL;
    /* At most 15 digits, so that mantissa and power are exact and one division rounds once. */
    *out = (double)(int64_t)(whole * tw_pow10_u64[m] + fraction) / tw_pow10_f64[m];
    return p;
#else
    (void)p, (void)end, (void)out;
    return NULL;
#endif
}

/* A plain integer without sign, below 2^63: behind it, or NULL. A clock's ns as an id have 19 digits. */
TW_INLINE const uint8_t *tw_plain_u63(const uint8_t *p, const uint8_t *end, int64_t *out) {
    uint64_t value = 0;
    const uint8_t *stop = tw_digits(p, end, &value);
    if (stop == p || stop - p > 19 || (stop - p > 1 && *p == '0') || stop >= end) return NULL;
    if (value > INT64_MAX) return NULL;
    if (*stop == '.' || (*stop | 0x20) == 'e') return NULL;
    *out = (int64_t)value;
    return stop;
}

/* The bytes of one that may be too long for what reads others at once; 0 for none. */
static __attribute__((noinline, unused)) uint64_t
tw_long_integer(const uint8_t *p, const uint8_t *end, int64_t *out) {
    const uint8_t *stop = tw_plain_u63(p, end, out);
    return stop != NULL ? (uint64_t)(stop - p) : 0;
}

/* The closing quote of a string without escapes; p behind the opening one. NULL for others. */
TW_INLINE const uint8_t *tw_plain_string_end(const uint8_t *p, const uint8_t *end) {
    p = tw_string_stop(p, end);
    return p < end && *p == '"' ? p : NULL;
}

#endif
