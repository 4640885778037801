/* Runs the steps of a template: the theory is in `decode/_template.pxd`.
 *
 * Rules of this file
 * - The loop is written once and compiled for each level of SIMD; `tw_steps_for` chooses.
 * - A load may reach past `end`, but never into another page than the last byte before it, so that it
 *   cannot fault; what it finds there decides nothing. The address sanitizer cannot know that, so
 *   under it every load is below `end`.
 * - Whatever is unusual is left to the rules of the general way (TW_STOP_RULE), or refused
 *   (TW_STOP_MISS), and then the value or the whole object is read again.
 */
#ifndef TICKWIRE_STEPS_H
#define TICKWIRE_STEPS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "tickwire/cpu.h"
#include "tickwire/digits.h"
#include "tickwire/json.h"
#include "tickwire/predict.h"
#include "tickwire/register.h"

enum {
    TW_STEP_SKIP_STRING = 0, /* behind its opening quote; the next literal begins with the closing */
    TW_STEP_SKIP = 1,        /* any value */
    TW_STEP_F64 = 2,
    TW_STEP_INTEGER = 3,
    TW_STEP_TIME = 4,
    TW_STEP_TEXT = 5,    /* a string for a text column */
    TW_STEP_DIGITS = 6,  /* a bare integer for a text column */
    TW_STEP_CODE = 7,    /* a string for a dictionary */
    TW_STEP_CHOICE = 8,  /* a string among choices */
    TW_STEP_NODE = 9,    /* everything else: the caller walks it */
    TW_STEP_END = 10,    /* the literal is the rest */
    TW_STEP_OBSERVE = 11, /* a string that routing looks at */
    TW_STEP_RULE = 12    /* a scalar for the general rules */
};

enum { TW_STOP_END, TW_STOP_NODE, TW_STOP_RULE, TW_STOP_CODE, TW_STOP_MISS };

enum { TW_MAX_WORDS = 4 };

/* A text that is expected, with its closing quote, and what it means. */
typedef struct {
    uint64_t text[2];
    uint32_t n;
    int64_t result;
} tw_word;

typedef struct {
    uint8_t literal[TW_LITERAL_MAX];
    uint32_t n;      /* bytes of it, at least 1 */
    uint32_t mask;   /* a bit per byte of it */
    int32_t kind;
    int32_t quoted;
    int32_t node;
    int32_t turn;    /* of a place that gives rows, -1 for others */
    int32_t reg;
    int32_t n_words;
    int32_t is_int32; /* an integer's column has 32 bits */
    uint8_t first;   /* the value's first byte, its quote for a quoted one */
    int64_t unit_ns; /* of a time */
    void *action;    /* what the general rules would do */
    void *column;    /* rows: where the value goes */
    tw_word words[TW_MAX_WORDS]; /* choices; the last string of a dictionary */
} tw_step;

/* Times of at most this many units of a millisecond or less fit in int64 as ns: the year 2262. */
#define TW_MOST_MILLISECONDS 9223372036000LL
#define TW_NS_PER_MS 1000000

#if defined(__SANITIZE_ADDRESS__)
#define TW_READABLE(p, end, n) ((end) - (p) >= (n))
#else
#define TW_READABLE(p, end, n)                                                                     \
    ((end) - (p) >= (n) || ((p) < (end) && ((uintptr_t)(p) & 4095) <= 4096 - (n)))
#endif

#if defined(TW_X86)
#define TW_FAST static inline __attribute__((always_inline, target("avx2,bmi,bmi2")))

TW_FAST bool tw_literal_fast(const uint8_t *p, const uint8_t *end, const tw_step *step) {
    if (__builtin_expect(!TW_READABLE(p, end, 32), 0))
        return tw_literal_at(p, end, step->literal, step->n);
    __m256i same = _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)p),
                                     _mm256_loadu_si256((const __m256i *)step->literal));
    return (~(uint32_t)_mm256_movemask_epi8(same) & step->mask) == 0 &&
           end - p >= (ptrdiff_t)step->n;
}

/* The closing quote of a string without escapes; NULL for others. */
TW_FAST const uint8_t *tw_string_fast(const uint8_t *p, const uint8_t *end) {
    const __m256i quote = _mm256_set1_epi8('"'), slash = _mm256_set1_epi8('\\'),
                  control = _mm256_set1_epi8(0x1F);
    while (__builtin_expect(TW_READABLE(p, end, 32), 1)) {
        __m256i v = _mm256_loadu_si256((const __m256i *)p);
        __m256i stop = _mm256_or_si256(_mm256_cmpeq_epi8(v, quote), _mm256_cmpeq_epi8(v, slash));
        stop = _mm256_or_si256(stop, _mm256_cmpeq_epi8(_mm256_min_epu8(v, control), v));
        uint32_t bits = (uint32_t)_mm256_movemask_epi8(stop);
        if (bits) {
            p += __builtin_ctz(bits);
            return p < end && *p == '"' ? p : NULL;
        }
        p += 32;
        if (p >= end) return NULL;
    }
    return tw_plain_string_end(p, end);
}

TW_FAST const uint8_t *tw_f64_fast(const uint8_t *p, const uint8_t *end, double *out) {
    tw_number number;
    if (!TW_READABLE(p, end, 16) || !tw_number_at(p, &number)) return NULL;
    int fraction = number.fraction < 0 ? 0 : number.fraction;
    /* At most 15 digits: mantissa and power are exact, and one division rounds once. */
    *out = (double)(int64_t)number.mantissa / tw_pow10_f64[fraction];
    p += number.whole + number.fraction + 1;
    return p < end ? p : NULL;
}

TW_FAST const uint8_t *tw_integer_fast(const uint8_t *p, const uint8_t *end, int64_t *out) {
    tw_number number;
    if (!TW_READABLE(p, end, 16) || !tw_number_at(p, &number)) return tw_plain_u63(p, end, out);
    *out = (int64_t)number.mantissa;
    p += number.whole;
    return number.fraction < 0 && p < end ? p : NULL;
}
#endif

/* Whether a value that begins with c is of the form of one that began with `first`. */
TW_INLINE bool tw_same_form(uint8_t first, uint8_t c) {
    if (first == '"' || first == '{' || first == '[') return c == first;
    return tw_is_digit(c) || c == '-' || c == 't' || c == 'f' || c == 'n';
}

TW_INLINE bool tw_literal_slow(const uint8_t *p, const uint8_t *end, const tw_step *step) {
    return tw_literal_at(p, end, step->literal, step->n);
}

TW_INLINE bool tw_is_word_at(const uint8_t *p, const uint8_t *end, const tw_word *word) {
    uint64_t text[2];
    if (!TW_READABLE(p, end, TW_WORD_MAX)) return false;
    memcpy(text, p, TW_WORD_MAX);
    if (end - p < (ptrdiff_t)word->n) return false;
    if (word->n <= 8) return ((text[0] ^ word->text[0]) << (64 - 8 * word->n)) == 0;
    return text[0] == word->text[0] && ((text[1] ^ word->text[1]) << (128 - 8 * word->n)) == 0;
}

/* From steps[*at] on; *stop says why it came back, *at where, and the result is the text there. */
#define TW_DEFINE_RUN(NAME, ATTRIBUTES, LITERAL, STRING, F64, INTEGER)                             \
    ATTRIBUTES static const uint8_t *NAME(tw_step *steps, int *at, const uint8_t *p,               \
                                          const uint8_t *end, tw_register *registers,              \
                                          uint64_t *have, int *stop) {                             \
        uint64_t found = 0;                                                                        \
        tw_step *step = steps + *at;                                                               \
        const uint8_t *after;                                                                      \
        tw_register *reg;                                                                          \
        int reason = TW_STOP_MISS;                                                                 \
        for (;; step++) {                                                                          \
            if (!LITERAL(p, end, step)) break;                                                     \
            p += step->n;                                                                          \
            reg = registers + step->reg;                                                           \
            switch (step->kind) {                                                                  \
            case TW_STEP_SKIP_STRING:                                                              \
                after = STRING(p, end);                                                            \
                if (after == NULL) goto out;                                                       \
                p = after;                                                                         \
                continue;                                                                          \
            case TW_STEP_F64:                                                                      \
                after = F64(p, end, &reg->value.f);                                                \
                if (after == NULL) goto rule;                                                      \
                break;                                                                             \
            case TW_STEP_INTEGER:                                                                  \
                after = INTEGER(p, end, &reg->value.i);                                            \
                if (after == NULL || (step->is_int32 && reg->value.i > INT32_MAX)) goto rule;      \
                break;                                                                             \
            case TW_STEP_TIME:                                                                     \
                after = INTEGER(p, end, &reg->value.i);                                            \
                if (after == NULL || reg->value.i > TW_MOST_MILLISECONDS ||                        \
                    step->unit_ns > TW_NS_PER_MS)                                                  \
                    goto rule;                                                                     \
                reg->value.i *= step->unit_ns;                                                     \
                break;                                                                             \
            case TW_STEP_DIGITS:                                                                   \
                after = INTEGER(p, end, &reg->value.i);                                            \
                if (after == NULL) goto out;                                                       \
                reg->p = p;                                                                        \
                reg->n = (size_t)(after - p);                                                      \
                reg->escaped = 0;                                                                  \
                reg->is_number = 1;                                                                \
                break;                                                                             \
            case TW_STEP_TEXT:                                                                     \
                after = STRING(p, end);                                                            \
                if (after == NULL) goto out;                                                       \
                reg->p = p;                                                                        \
                reg->n = (size_t)(after - p);                                                      \
                reg->escaped = 0;                                                                  \
                reg->is_number = 0;                                                                \
                break;                                                                             \
            case TW_STEP_OBSERVE: /* with its quotes */                                            \
                after = STRING(p, end);                                                            \
                if (after == NULL) goto out;                                                       \
                reg->p = p - 1;                                                                    \
                reg->n = (size_t)(after - p + 2);                                                  \
                reg->escaped = 0;                                                                  \
                reg->is_number = 0;                                                                \
                break;                                                                             \
            case TW_STEP_CODE:                                                                     \
            case TW_STEP_CHOICE: {                                                                 \
                int i = 0;                                                                         \
                while (i < step->n_words && !tw_is_word_at(p, end, &step->words[i])) i++;          \
                if (i == step->n_words) {                                                          \
                    if (step->kind == TW_STEP_CHOICE) goto rule;                                   \
                    reason = TW_STOP_CODE;                                                         \
                    goto out;                                                                      \
                }                                                                                  \
                reg->value.i = step->words[i].result;                                              \
                after = p + step->words[i].n - 1;                                                  \
                break;                                                                             \
            }                                                                                      \
            case TW_STEP_SKIP: /* white space or a bracket may stand here as well */               \
                if (p >= end || !tw_same_form(step->first, *p)) goto out;                          \
                after = tw_skip_value(p, end);                                                     \
                if (after == NULL) goto out;                                                       \
                p = after;                                                                         \
                continue;                                                                          \
            case TW_STEP_NODE:                                                                     \
                if (p < end && tw_same_form(step->first, *p)) reason = TW_STOP_NODE;               \
                goto out;                                                                          \
            case TW_STEP_END:                                                                      \
                reason = TW_STOP_END;                                                              \
                goto out;                                                                          \
            default:                                                                               \
                goto rule;                                                                         \
            }                                                                                      \
            found |= 1ULL << step->reg;                                                            \
            p = after;                                                                             \
        }                                                                                          \
        goto out;                                                                                  \
    rule:                                                                                          \
        reason = TW_STOP_RULE;                                                                     \
    out:                                                                                           \
        *have |= found;                                                                            \
        *at = (int)(step - steps);                                                                 \
        *stop = reason;                                                                            \
        return p;                                                                                  \
    }

/* One row of numbers: behind its text, or NULL where it looks otherwise. */
#define TW_DEFINE_ROW(NAME, ATTRIBUTES, LITERAL, STRING, F64, INTEGER)                             \
    ATTRIBUTES static const uint8_t *NAME(const tw_step *step, const uint8_t *p,                   \
                                          const uint8_t *end, int64_t slot) {                      \
        int64_t integer = 0;                                                                       \
        for (;; step++) {                                                                          \
            if (!LITERAL(p, end, step)) return NULL;                                               \
            p += step->n;                                                                          \
            if (step->kind == TW_STEP_F64) {                                                       \
                p = F64(p, end, (double *)step->column + slot);                                    \
            } else if (step->kind == TW_STEP_INTEGER) {                                            \
                p = INTEGER(p, end, &integer);                                                     \
                if (step->is_int32) {                                                              \
                    if (integer > INT32_MAX) return NULL;                                          \
                    ((int32_t *)step->column)[slot] = (int32_t)integer;                            \
                } else {                                                                           \
                    ((int64_t *)step->column)[slot] = integer;                                     \
                }                                                                                  \
            } else if (step->kind == TW_STEP_END) {                                                \
                return p;                                                                          \
            } else if (step->kind == TW_STEP_SKIP_STRING) {                                        \
                p = STRING(p, end);                                                                \
            } else {                                                                               \
                bool same = p < end && tw_same_form(step->first, *p);                              \
                p = same ? tw_skip_value(p, end) : NULL;                                           \
            }                                                                                      \
            if (p == NULL) return NULL;                                                            \
        }                                                                                          \
    }

TW_DEFINE_RUN(tw_run_portable, , tw_literal_slow, tw_plain_string_end, tw_plain_f64, tw_plain_u63)
TW_DEFINE_ROW(tw_row_portable, , tw_literal_slow, tw_plain_string_end, tw_plain_f64, tw_plain_u63)
#if defined(TW_X86)
#define TW_AVX2 __attribute__((target("avx2,bmi,bmi2")))
TW_DEFINE_RUN(tw_run_avx2, TW_AVX2, tw_literal_fast, tw_string_fast, tw_f64_fast, tw_integer_fast)
TW_DEFINE_ROW(tw_row_avx2, TW_AVX2, tw_literal_fast, tw_string_fast, tw_f64_fast, tw_integer_fast)
#endif

typedef const uint8_t *(*tw_run_fn)(tw_step *, int *, const uint8_t *, const uint8_t *,
                                    tw_register *, uint64_t *, int *);
typedef const uint8_t *(*tw_row_fn)(const tw_step *, const uint8_t *, const uint8_t *, int64_t);

/* The kernels for the level of SIMD that is in force. */
static inline void tw_steps_for(tw_run_fn *run, tw_row_fn *row) {
#if defined(TW_X86)
    if (tw_simd_level() >= TW_SIMD_AVX2) {
        *run = tw_run_avx2;
        *row = tw_row_avx2;
        return;
    }
#endif
    *run = tw_run_portable;
    *row = tw_row_portable;
}

#endif
