/* Codes of short strings, found without a look into the dictionary that gave them.
 *
 * A string and its closing quote, at most 16 bytes, are two words; their hash is the place where the
 * pair is kept with its code. What came last to a place stays there. Codes never change, and a string
 * comes in only after the general rules have read it, so that whatever is found here is right.
 */
#ifndef TICKWIRE_KNOWN_H
#define TICKWIRE_KNOWN_H

#include <stdint.h>
#include <string.h>

#include "tickwire/cpu.h"

enum { TW_KNOWN_PLACES = 4096 };

typedef struct {
    uint64_t text[2]; /* 0 behind the quote; an empty place has no quote */
    int64_t code;
} tw_known;

static inline uint32_t tw_known_place(uint64_t low, uint64_t high) {
    uint64_t hash = (low ^ (high * 0xC2B2AE3D27D4EB4FULL)) * 0x9E3779B97F4A7C15ULL;
    return (uint32_t)(hash >> 52); /* 12 bits: TW_KNOWN_PLACES */
}

/* A bit in the highest place of the first byte that is a quote; above it anything. */
static inline uint64_t tw_quote_in(uint64_t word) {
    word ^= 0x2222222222222222ULL;
    return (word - 0x0101010101010101ULL) & ~word & 0x8080808080808080ULL;
}

/* The bytes of the string at p, which has 16 readable ones, if it is known; 0 if not. */
static inline uint32_t tw_known_at(const tw_known *known, const uint8_t *p, int64_t *code) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t low, high, quote;
    uint32_t n;
    memcpy(&low, p, 8);
    memcpy(&high, p + 8, 8);
    quote = tw_quote_in(low);
    if (quote != 0) {
        n = (uint32_t)__builtin_ctzll(quote) >> 3;
        low &= ~0ULL >> (56 - 8 * n);
        high = 0;
    } else {
        quote = tw_quote_in(high);
        if (quote == 0) return 0;
        n = (uint32_t)__builtin_ctzll(quote) >> 3;
        high &= ~0ULL >> (56 - 8 * n);
        n += 8;
    }
    known += tw_known_place(low, high);
    if (known->text[0] != low || known->text[1] != high) return 0;
    *code = known->code;
    return n;
#else
    (void)known, (void)p, (void)code;
    return 0;
#endif
}

#if defined(TW_X86)
/* Sixteen bytes from 15 - n on: of the first n + 1, all bits. */
static const uint8_t tw_first_bytes[32] __attribute__((aligned(32))) = {
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

/* The same with SSE, as AVX2 encodes it. */
static inline __attribute__((always_inline, target("avx2,bmi,bmi2"))) uint32_t tw_known_fast(
    const tw_known *known, const uint8_t *p, int64_t *code) {
    __m128i text = _mm_loadu_si128((const __m128i *)p);
    uint32_t quotes = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(text, _mm_set1_epi8('"')));
    uint32_t n = _tzcnt_u32(quotes);
    if (quotes == 0) return 0;
    text = _mm_and_si128(text, _mm_loadu_si128((const __m128i *)(tw_first_bytes + (15 - n))));
    uint64_t low = (uint64_t)_mm_cvtsi128_si64(text), high = (uint64_t)_mm_extract_epi64(text, 1);
    known += tw_known_place(low, high);
    __m128i differ = _mm_xor_si128(text, _mm_loadu_si128((const __m128i *)known->text));
    if (!_mm_testz_si128(differ, differ)) return 0;
    *code = known->code;
    return n;
}
#endif

/* Keep the string p..p + n, which has no quote in it, if it is short. */
static inline void tw_know(tw_known *known, const uint8_t *p, size_t n, int64_t code) {
    uint64_t text[2] = {0, 0};
    if (n == 0 || n >= sizeof text) return;
    memcpy(text, p, n);
    ((uint8_t *)text)[n] = '"';
    known += tw_known_place(text[0], text[1]);
    known->text[0] = text[0];
    known->text[1] = text[1];
    known->code = code;
}

#endif
