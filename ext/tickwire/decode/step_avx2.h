/* What the kernels do at a step with AVX2, and with SSE as AVX2 encodes it; the rules are in `step.h`. */
#ifndef TICKWIRE_STEP_AVX2_H
#define TICKWIRE_STEP_AVX2_H

#include "tickwire/decode/step.h"

#if defined(TW_X86)
#include "tickwire/decode/digits.h"

#define TW_TIMES_4(x) x, x, x, x
#define TW_TIMES_32(x)                                                                             \
    {TW_TIMES_4(TW_TIMES_4(x)), TW_TIMES_4(TW_TIMES_4(x))}
#define TW_FAST static inline __attribute__((always_inline, target("avx2,bmi,bmi2")))

/* Constants that stay in memory: the compiler would make them anew from an integer at every use. */
static struct {
    uint8_t two[32], slash[32], most[32];
} tw_bytes __attribute__((used, aligned(32))) = {TW_TIMES_32(2), TW_TIMES_32('\\'),
                                                 TW_TIMES_32(0x20)};

/* 0 where the step's literal stands at p, which has 32 readable bytes. */
TW_FAST uint32_t tw_unlike_literal(const uint8_t *p, const tw_step *step) {
    __m256i same = _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)p),
                                     _mm256_loadu_si256((const __m256i *)step->literal));
    return ~(uint32_t)_mm256_movemask_epi8(same) & step->mask;
}

TW_FAST uint32_t tw_unlike_fast(const uint8_t *p, const uint8_t *end, const tw_step *step,
                                const bool checked) {
    if (!checked) return __builtin_expect(p > end, 0) ? 1 : tw_unlike_literal(p, step);
    if (__builtin_expect(!TW_WITHIN(p, end, TW_LITERAL_MAX), 0)) {
        if (!TW_WITHIN(p, end, step->n)) return 1;
        if (!TW_READABLE(p, end, TW_LITERAL_MAX)) return memcmp(p, step->literal, step->n) != 0;
    }
    return tw_unlike_literal(p, step);
}

/* All bits of a byte at p where a string's text ends, or where it is not plain. */
TW_FAST __m256i tw_stops_at(const uint8_t *p) {
    const __m256i two = _mm256_load_si256((const __m256i *)tw_bytes.two),
                  slash = _mm256_load_si256((const __m256i *)tw_bytes.slash),
                  most = _mm256_load_si256((const __m256i *)tw_bytes.most);
    __m256i v = _mm256_loadu_si256((const __m256i *)p);
    /* A quote with this bit turned is 0x20, a control character less, everything else more. */
    __m256i turned = _mm256_xor_si256(v, two);
    return _mm256_or_si256(_mm256_cmpeq_epi8(_mm256_min_epu8(turned, most), turned),
                           _mm256_cmpeq_epi8(v, slash));
}

/* The closing quote of a string without escapes; NULL for others. */
TW_FAST const uint8_t *tw_string_fast(const uint8_t *p, const uint8_t *end, const bool checked) {
    while (__builtin_expect(checked ? TW_READABLE(p, end, 32) : p < end, 1)) {
        uint32_t bits = (uint32_t)_mm256_movemask_epi8(tw_stops_at(p));
        if (bits) {
            p += __builtin_ctz(bits);
            return (!checked || p < end) && *p == '"' ? p : NULL;
        }
        p += 32;
        if (checked && p >= end) return NULL;
    }
    return checked ? tw_plain_string_end(p, end) : NULL;
}

/* Whether a string without escapes has n bytes, n from TW_LONG_STRING to TW_LONGEST_STRING. */
TW_FAST bool tw_is_plain_text_fast(const uint8_t *p, const uint8_t *end, uint32_t n) {
    if (!TW_WITHIN(p, end, n + 1) || p[n] != '"') return false;
    __m256i stops = _mm256_or_si256(tw_stops_at(p), tw_stops_at(p + n - 32));
    for (uint32_t at = 32; at + 32 < n; at += 32)
        stops = _mm256_or_si256(stops, tw_stops_at(p + at));
    return _mm256_testz_si256(stops, stops);
}

/* A number of n bytes; false: the fallback must look at it. */
TW_FAST bool tw_f64_fast(const uint8_t *p, const uint8_t *end, double *out, uint64_t *n,
                         const bool checked) {
    return (!checked || TW_READABLE(p, end, 17)) && tw_decimal_at(p, out, n);
}

TW_FAST bool tw_integer_fast(const uint8_t *p, const uint8_t *end, int64_t *out, uint64_t *n,
                             const bool checked) {
    return (!checked || TW_READABLE(p, end, 16)) && tw_integer_at(p, (uint64_t *)out, n);
}

/* An integer of n bytes that is not requested. */
TW_FAST bool tw_skip_number_fast(const uint8_t *p, const uint8_t *end, uint64_t *n,
                                 const bool checked) {
    uint64_t value;
    return (!checked || TW_READABLE(p, end, 17)) && tw_integer_at(p, &value, n) &&
           !tw_goes_on(p[*n]);
}
#endif

#endif
