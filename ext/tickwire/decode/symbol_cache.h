/* Codes of short strings, found without a look into the dictionary that gave them.
 *
 * A string and its closing quote, at most 16 bytes, are two words. Their hash is a place, which tells
 * the string's number: its code plus 1. The two words stand at that number, so that one load foretells
 * the code, and another one verifies it. A thousand symbols are 20 KiB. Codes never change, each is that
 * of one string, and a string comes in only after the fallback has read it, so that whatever is
 * found here is right.
 */
#ifndef TICKWIRE_SYMBOL_CACHE_H
#define TICKWIRE_SYMBOL_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tickwire/base/cpu.h"

/* Powers of two. The most are as many as a place can tell. */
enum { TW_FIRST_SYMBOLS = 128, TW_MAX_SYMBOLS = 65536, TW_SLOTS_PER_SYMBOL = 2 };

typedef struct {
    uint64_t words[2]; /* 0 behind the quote; number 0 and those of other strings have no quote */
} tw_cached_symbol;

typedef struct {
    uint16_t *places;     /* by hash: the number that came last; 0: none */
    tw_cached_symbol *texts; /* by number */
    uint16_t *next;       /* by number: another one of its place; 0: none */
    uint32_t shift;       /* of a hash: what is left is the place */
    uint32_t capacity;    /* of texts and next */
} tw_symbol_cache;

static inline uint64_t tw_symbol_hash(uint64_t low, uint64_t high) {
    return (low ^ (high * 0xC2B2AE3D27D4EB4FULL)) * 0x9E3779B97F4A7C15ULL;
}

/* A bit in the highest place of the first byte that is a quote; above it anything. */
static inline uint64_t tw_quote_in(uint64_t word) {
    word ^= 0x2222222222222222ULL;
    return (word - 0x0101010101010101ULL) & ~word & 0x8080808080808080ULL;
}

/* The bytes of the string at p, which has 16 readable ones, if it is known; 0 if not. */
static inline uint32_t tw_symbol_at(const tw_symbol_cache *known, const uint8_t *p, int64_t *code) {
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
    uint32_t number = known->places[tw_symbol_hash(low, high) >> known->shift];
    while (known->texts[number].words[0] != low || known->texts[number].words[1] != high) {
        number = known->next[number];
        if (number == 0) return 0;
    }
    *code = (int64_t)number - 1;
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
static inline __attribute__((always_inline, target("avx2,bmi,bmi2"))) uint32_t tw_symbol_at_fast(
    const tw_symbol_cache *known, const uint8_t *p, int64_t *code) {
    __m128i text = _mm_loadu_si128((const __m128i *)p);
    uint32_t quotes = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(text, _mm_set1_epi8('"')));
    uint32_t n = _tzcnt_u32(quotes);
    if (quotes == 0) return 0;
    text = _mm_and_si128(text, _mm_loadu_si128((const __m128i *)(tw_first_bytes + (15 - n))));
    uint64_t low = (uint64_t)_mm_cvtsi128_si64(text), high = (uint64_t)_mm_extract_epi64(text, 1);
    uint32_t number = known->places[tw_symbol_hash(low, high) >> known->shift];
    for (;;) {
        const __m128i *found = (const __m128i *)known->texts[number].words;
        __m128i differ = _mm_xor_si128(text, _mm_load_si128(found));
        if (__builtin_expect(_mm_testz_si128(differ, differ), 1)) break;
        number = known->next[number];
        if (number == 0) return 0;
    }
    *code = (int64_t)number - 1;
    return n;
}
#endif

/* Let the place of a number's text tell it first. */
static inline void tw_put_symbol(tw_symbol_cache *known, uint32_t number) {
    const uint64_t *words = known->texts[number].words;
    uint16_t *place = known->places + (tw_symbol_hash(words[0], words[1]) >> known->shift);
    known->next[number] = *place;
    *place = (uint16_t)number;
}

static inline void tw_free_symbol_cache(tw_symbol_cache *known) {
    if (known == NULL) return;
    free(known->places);
    free(known->texts);
    free(known->next);
    free(known);
}

/* A table for so many numbers, or NULL. */
static inline tw_symbol_cache *tw_make_symbol_cache(uint32_t capacity) {
    uint32_t n_places = TW_SLOTS_PER_SYMBOL * capacity;
    tw_symbol_cache *known = calloc(1, sizeof *known);
    if (known == NULL) return NULL;
    known->places = calloc(n_places, sizeof *known->places);
    known->texts = calloc(capacity, sizeof *known->texts);
    known->next = calloc(capacity, sizeof *known->next);
    known->shift = 64 - (uint32_t)__builtin_ctz(n_places);
    known->capacity = capacity;
    if (known->places == NULL || known->texts == NULL || known->next == NULL) {
        tw_free_symbol_cache(known);
        return NULL;
    }
    return known;
}

/* A table without strings, or NULL. */
static inline tw_symbol_cache *tw_new_symbol_cache(void) { return tw_make_symbol_cache(TW_FIRST_SYMBOLS); }

/* Room for a number; false where there is no memory. The table stays where it is. */
static inline bool tw_grow_symbol_cache(tw_symbol_cache *known, uint32_t number) {
    uint32_t capacity = known->capacity;
    while (capacity <= number) capacity *= 2;
    tw_symbol_cache *grown = tw_make_symbol_cache(capacity);
    if (grown == NULL) return false;
    memcpy(grown->texts, known->texts, known->capacity * sizeof *known->texts);
    tw_symbol_cache old = *known;
    *known = *grown;
    *grown = old;
    for (uint32_t i = 1; i < grown->capacity; i++) {
        if (known->texts[i].words[0] != 0) tw_put_symbol(known, i);
    }
    tw_free_symbol_cache(grown);
    return true;
}

/* Keep the string p..p + n, which has no quote in it, if it is short and its code small. */
static inline void tw_learn_symbol(tw_symbol_cache *known, const uint8_t *p, size_t n, int32_t code) {
    uint64_t words[2] = {0, 0};
    uint32_t number = (uint32_t)code + 1;
    if (n == 0 || n >= sizeof words || number >= TW_MAX_SYMBOLS) return;
    if (number >= known->capacity && !tw_grow_symbol_cache(known, number)) return;
    /* Where 16 bytes may not be loaded, it may have been known already. */
    if (known->texts[number].words[0] != 0) return;
    memcpy(words, p, n);
    ((uint8_t *)words)[n] = '"';
    memcpy(known->texts[number].words, words, sizeof words);
    tw_put_symbol(known, number);
}

#endif
