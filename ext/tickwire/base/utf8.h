/* UTF-8 as Unicode's table 3-7 (and RFC 3629) defines it, checked in pieces.
 *
 * Market data is ASCII, so runs of ASCII are skipped 128, 64, 32 or 8 bytes at a time, and only
 * what is not ASCII is walked byte by byte. After a lead byte only the first continuation byte has
 * a range of its own (this rules out overlong forms, surrogates and what is past U+10FFFF); all
 * later ones are 80..BF. So the state between two pieces is three bytes, and the first byte that
 * no valid text could have there is the one that fails.
 */
#ifndef TICKWIRE_UTF8_H
#define TICKWIRE_UTF8_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tickwire/base/cpu.h"

typedef struct {
    uint8_t need; /* continuation bytes that must still come; 0 between characters */
    uint8_t low;  /* the next one is at least this */
    uint8_t high; /* and at most this */
} tw_utf8;

/* Each `tw_ascii_*` gives the length of a prefix of whole blocks that is ASCII; it may stop early. */

static inline size_t tw_ascii_portable(const uint8_t *p, size_t n)
{
    const uint64_t high_bits = UINT64_C(0x8080808080808080);
    size_t i = 0;
    uint64_t word;

    for (; i + 8 <= n; i += 8) {
        memcpy(&word, p + i, 8);
        if (word & high_bits)
            return i;
    }
    return i;
}

#if defined(TW_X86)
/* With n >= 16 the last load overlaps the one before, so no bytes are left over. */
static inline size_t tw_ascii_sse2(const uint8_t *p, size_t n)
{
    size_t i = 0;

    for (; i + 64 <= n; i += 64) {
        __m128i a = _mm_loadu_si128((const __m128i *)(p + i));
        __m128i b = _mm_loadu_si128((const __m128i *)(p + i + 16));
        __m128i c = _mm_loadu_si128((const __m128i *)(p + i + 32));
        __m128i d = _mm_loadu_si128((const __m128i *)(p + i + 48));
        if (_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d))))
            break;
    }
    for (; i + 16 <= n; i += 16) {
        if (_mm_movemask_epi8(_mm_loadu_si128((const __m128i *)(p + i))))
            return i;
    }
    if (i < n && n >= 16 && !_mm_movemask_epi8(_mm_loadu_si128((const __m128i *)(p + n - 16))))
        return n;
    return i;
}

__attribute__((target("avx2"))) static size_t tw_ascii_avx2(const uint8_t *p, size_t n)
{
    size_t i = 0;

    for (; i + 128 <= n; i += 128) {
        __m256i a = _mm256_loadu_si256((const __m256i *)(p + i));
        __m256i b = _mm256_loadu_si256((const __m256i *)(p + i + 32));
        __m256i c = _mm256_loadu_si256((const __m256i *)(p + i + 64));
        __m256i d = _mm256_loadu_si256((const __m256i *)(p + i + 96));
        __m256i any = _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d));
        if (_mm256_movemask_epi8(any))
            break;
    }
    for (; i + 32 <= n; i += 32) {
        if (_mm256_movemask_epi8(_mm256_loadu_si256((const __m256i *)(p + i))))
            return i;
    }
    if (i < n && n >= 32 && !_mm256_movemask_epi8(_mm256_loadu_si256((const __m256i *)(p + n - 32))))
        return n;
    return i;
}
#endif

#if defined(TW_NEON)
static inline size_t tw_ascii_neon(const uint8_t *p, size_t n)
{
    size_t i = 0;

    for (; i + 64 <= n; i += 64) {
        uint8x16_t ab = vorrq_u8(vld1q_u8(p + i), vld1q_u8(p + i + 16));
        uint8x16_t cd = vorrq_u8(vld1q_u8(p + i + 32), vld1q_u8(p + i + 48));
        if (vmaxvq_u8(vorrq_u8(ab, cd)) >= 0x80)
            break;
    }
    for (; i + 16 <= n; i += 16) {
        if (vmaxvq_u8(vld1q_u8(p + i)) >= 0x80)
            return i;
    }
    if (i < n && n >= 16 && vmaxvq_u8(vld1q_u8(p + n - 16)) < 0x80)
        return n;
    return i;
}
#endif

/* A prefix of p[0:n] that is ASCII, in whole blocks of at least 8 bytes. */
static inline size_t tw_ascii_prefix(const uint8_t *p, size_t n)
{
#if defined(TW_X86)
    int level = tw_simd_level();
    if (n >= 32 && level >= TW_SIMD_AVX2)
        return tw_ascii_avx2(p, n);
    if (n >= 16 && level >= TW_SIMD_SSE2)
        return tw_ascii_sse2(p, n);
#elif defined(TW_NEON)
    if (n >= 16 && tw_simd_level() >= TW_SIMD_NEON)
        return tw_ascii_neon(p, n);
#endif
    return tw_ascii_portable(p, n);
}

/* Continue with p[0:n]: 1 if it is good so far, 0 at the first byte that cannot be.
 * The text is whole only where `state->need` is 0 in the end.
 */
static inline int tw_utf8_check(tw_utf8 *state, const uint8_t *p, size_t n)
{
    uint8_t need = state->need, low = state->low, high = state->high;
    size_t i = need ? 0 : tw_ascii_prefix(p, n);
    size_t ascii_run = 0; /* after 16 bytes of ASCII in a row, blocks are worth a try again */

    while (i < n) {
        uint8_t byte = p[i++];
        if (need) {
            if (byte < low || byte > high)
                return 0;
            low = 0x80;
            high = 0xBF;
            need--;
            continue;
        }
        if (byte < 0x80) {
            if (++ascii_run == 16) {
                i += tw_ascii_prefix(p + i, n - i);
                ascii_run = 0;
            }
            continue;
        }
        ascii_run = 0;
        low = 0x80;
        high = 0xBF;
        if (byte < 0xC2) { /* a continuation byte alone, or C0 and C1: overlong */
            return 0;
        } else if (byte < 0xE0) {
            need = 1;
        } else if (byte < 0xF0) {
            need = 2;
            if (byte == 0xE0)
                low = 0xA0; /* below: overlong */
            else if (byte == 0xED)
                high = 0x9F; /* above: surrogates */
        } else if (byte < 0xF5) {
            need = 3;
            if (byte == 0xF0)
                low = 0x90; /* below: overlong */
            else if (byte == 0xF4)
                high = 0x8F; /* above: past U+10FFFF */
        } else {
            return 0;
        }
    }
    state->need = need;
    state->low = low;
    state->high = high;
    return 1;
}

/* Whether all of a text is UTF-8. */
static inline int tw_utf8_whole(const uint8_t *p, size_t n) {
    tw_utf8 state = {0};
    return tw_utf8_check(&state, p, n) && state.need == 0;
}

#endif
