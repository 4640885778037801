/* JSON text, RFC 8259: strings, white space, and values that are not requested.
 *
 * Rules of this file
 * - Every read is below `end`; a function that returns NULL has found broken JSON.
 * - Strings are always checked: no control character, no unknown escape. Brackets of skipped values
 *   are checked for their kind and nesting; scalars inside them are not.
 */
#ifndef TICKWIRE_JSON_H
#define TICKWIRE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#define TW_JSON_DEPTH 512 /* nesting that is followed, a bound and not a limit of the format */

static inline const uint8_t *tw_skip_space(const uint8_t *p, const uint8_t *end) {
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) p++;
    return p;
}

/* First byte at or after p that a string cannot hold as it is: quote, backslash, control. */
static inline const uint8_t *tw_string_stop_portable(const uint8_t *p, const uint8_t *end) {
    while (p < end && *p != '"' && *p != '\\' && *p >= 0x20) p++;
    return p;
}

static inline const uint8_t *tw_string_stop(const uint8_t *p, const uint8_t *end) {
#if defined(__SSE2__)
    while (end - p >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)p);
        __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
        __m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
        __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1F)), v);
        int stop = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, slash), control));
        if (stop) return p + __builtin_ctz((unsigned)stop);
        p += 16;
    }
#elif defined(__ARM_NEON)
    while (end - p >= 16) {
        uint8x16_t v = vld1q_u8(p);
        uint8x16_t stop = vorrq_u8(vorrq_u8(vceqq_u8(v, vdupq_n_u8('"')),
                                            vceqq_u8(v, vdupq_n_u8('\\'))),
                                   vcltq_u8(v, vdupq_n_u8(0x20)));
        uint64_t packed =
            vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(stop), 4)), 0);
        if (packed) return p + (__builtin_ctzll(packed) >> 2);
        p += 16;
    }
#endif
    return tw_string_stop_portable(p, end);
}

static inline bool tw_is_hex(uint8_t c) {
    return (uint8_t)(c - '0') < 10 || (uint8_t)((c | 0x20) - 'a') < 6;
}

/* p at a backslash: behind the escape, or NULL. */
static inline const uint8_t *tw_skip_escape(const uint8_t *p, const uint8_t *end) {
    if (end - p < 2) return NULL;
    switch (p[1]) {
    case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
        return p + 2;
    case 'u':
        if (end - p < 6) return NULL;
        return tw_is_hex(p[2]) && tw_is_hex(p[3]) && tw_is_hex(p[4]) && tw_is_hex(p[5]) ? p + 6
                                                                                        : NULL;
    default:
        return NULL;
    }
}

/* p behind the opening quote: the closing quote, or NULL; *escaped is set if an escape is inside. */
static inline const uint8_t *tw_string_end(const uint8_t *p, const uint8_t *end, int *escaped) {
    *escaped = 0;
    for (;;) {
        p = tw_string_stop(p, end);
        if (p >= end) return NULL;
        if (*p == '"') return p;
        if (*p != '\\') return NULL;
        *escaped = 1;
        p = tw_skip_escape(p, end);
        if (p == NULL) return NULL;
    }
}

/* First quote or bracket at or after p. */
static inline const uint8_t *tw_structure_portable(const uint8_t *p, const uint8_t *end) {
    while (p < end && *p != '"' && *p != '[' && *p != ']' && *p != '{' && *p != '}') p++;
    return p;
}

static inline const uint8_t *tw_structure(const uint8_t *p, const uint8_t *end) {
#if defined(__SSE2__)
    while (end - p >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)p);
        /* [ and ] differ from { and } in bit 5 only. */
        __m128i folded = _mm_or_si128(v, _mm_set1_epi8(0x20));
        __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(folded, _mm_set1_epi8('{')),
                                   _mm_cmpeq_epi8(folded, _mm_set1_epi8('}')));
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, _mm_set1_epi8('"')));
        int stop = _mm_movemask_epi8(hit);
        if (stop) return p + __builtin_ctz((unsigned)stop);
        p += 16;
    }
#endif
    return tw_structure_portable(p, end);
}

/* p at [ or {: behind its closing bracket, or NULL. */
static inline const uint8_t *tw_skip_container(const uint8_t *p, const uint8_t *end) {
    uint64_t is_object[TW_JSON_DEPTH / 64];
    int depth = 0;
    int escaped;
    for (;;) {
        p = tw_structure(p, end);
        if (p >= end) return NULL;
        uint8_t c = *p++;
        if (c == '"') {
            p = tw_string_end(p, end, &escaped);
            if (p == NULL) return NULL;
            p++;
        } else if (c == '[' || c == '{') {
            if (depth == TW_JSON_DEPTH) return NULL;
            uint64_t bit = 1ULL << (depth & 63);
            if (c == '{')
                is_object[depth >> 6] |= bit;
            else
                is_object[depth >> 6] &= ~bit;
            depth++;
        } else {
            depth--;
            bool object = (is_object[depth >> 6] >> (depth & 63)) & 1;
            if (object != (c == '}')) return NULL;
            if (depth == 0) return p;
        }
    }
}

/* p at a number or a literal: the first byte that ends it. */
static inline const uint8_t *tw_scalar_end(const uint8_t *p, const uint8_t *end) {
    while (p < end && *p != ',' && *p != ']' && *p != '}' && *p > ' ' && *p != '"' &&
           *p != ':' && *p != '[' && *p != '{')
        p++;
    return p;
}

/* p at any value: behind it, or NULL. */
static inline const uint8_t *tw_skip_value(const uint8_t *p, const uint8_t *end) {
    int escaped;
    if (p >= end) return NULL;
    if (*p == '"') {
        p = tw_string_end(p + 1, end, &escaped);
        return p == NULL ? NULL : p + 1;
    }
    if (*p == '{' || *p == '[') return tw_skip_container(p, end);
    const uint8_t *stop = tw_scalar_end(p, end);
    return stop == p ? NULL : stop;
}

static inline bool tw_is_word(const uint8_t *p, const uint8_t *end, const char *word, size_t n) {
    return (size_t)(end - p) >= n && memcmp(p, word, n) == 0;
}

#endif
