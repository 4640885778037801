/* The levels of a book as a template has them: what joins them, and those that were read before.
 *
 * A venue that sends whole books sends most levels again, byte for byte, perhaps at another place. A
 * level's text goes from its first value to the first value of the next, so that a known level also
 * knows where the next one's values begin. It is kept with what it says, at a place that is found by a
 * hash of its first 16 bytes: these are mostly the price, so that what the price had before is
 * forgotten. What came last to a place stays there.
 *
 * The hash decides nothing: a level is known if all bytes of its text are the same and their number is.
 * What they mean depends on what stood in front of them, which is the template's first literal; so
 * what a template learned has a number of its own, the stamp, which is compared as well.
 *
 * Where levels hardly repeat, as in changes of a book, looking for them only costs. So it is tried for
 * a number of levels, and left alone for many more where less than a third was known: twice as many
 * after each trial in vain, and then with a longer trial, because the levels of many symbols may have
 * to come before the first one comes again.
 */
#ifndef TICKWIRE_LEVEL_CACHE_H
#define TICKWIRE_LEVEL_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tickwire/decode/step.h"

enum {
    TW_KNOWN_LEVELS = 4096,    /* places, a power of two */
    TW_KNOWN_LEVEL_BYTES = 64, /* of the longest text */
    TW_KNOWN_LEVEL_ALIGN = 32,
    TW_FIRST_TRIAL = 512, /* levels */
    TW_LONGEST_TRIAL = 2 * TW_KNOWN_LEVELS,
    TW_REST_PER_TRIAL = 64, /* levels that are not looked for, for each of a trial */
    TW_LONGEST_REST = 1 << 20,
    TW_JOINT_BYTES = 32
};

typedef struct {
    uint8_t text[TW_KNOWN_LEVEL_BYTES];
    double values[2];
    uint64_t stamp_and_n; /* the stamp and how many bytes of text count; 0: the place is empty */
    int32_t integer;
} tw_cached_level;

/* What stands behind the last value of a level. */
typedef struct {
    uint8_t text[TW_JOINT_BYTES];
    uint32_t mask; /* a bit per byte of it */
    uint32_t n;
} tw_joint;

typedef struct tw_level_cache {
    tw_joint next;          /* up to the first value of the next level */
    tw_joint closing;       /* up to and with the array's bracket */
    uint64_t between;       /* what stands between the two decimals: so many of these bytes */
    uint64_t between_mask;
    uint64_t n_between;
    uint8_t end_of_0, end_of_1; /* the byte behind each of the decimals */
    bool has_integer;       /* an integer behind them */
    bool stores_integer;    /* which has a column */
    int32_t integer;        /* its step */
    tw_joint middle;        /* up to it: where it says so, a digit that is not requested is in it */
    uint32_t digit_at;      /* 0: there is none */
    tw_cached_level *known;  /* TW_KNOWN_LEVELS places, shared by the level caches of a decoder; or NULL */
    uint64_t stamp;         /* its lowest byte is 0 */
    int64_t n_known;        /* levels that were known, ever */
    int32_t n_tried, n_hit; /* levels of this trial, and those of them that were known */
    int32_t trial;          /* levels of one */
    int32_t resting;        /* levels until the next trial */
    int32_t rest;           /* of the next trial that is in vain */
} tw_level_cache;

/* Places without a level, to be freed as *memory; NULL without memory, or where no kernel asks. */
static inline tw_cached_level *tw_make_cached_levels(void **memory) {
    *memory = NULL;
#if defined(TW_X86)
    if (tw_simd_level() < TW_SIMD_AVX2) return NULL;
    *memory = calloc(TW_KNOWN_LEVELS * sizeof(tw_cached_level) + TW_KNOWN_LEVEL_ALIGN, 1);
#endif
    if (*memory == NULL) return NULL;
    uintptr_t start = (uintptr_t)*memory + TW_KNOWN_LEVEL_ALIGN - 1;
    return (tw_cached_level *)(start & ~(uintptr_t)(TW_KNOWN_LEVEL_ALIGN - 1));
}

/* The bytes a..a + n_a, c, b..b + n_b; false where they are too many. */
static inline bool tw_make_joint(tw_joint *joint, const uint8_t *a, uint32_t n_a, uint8_t c,
                                 const uint8_t *b, uint32_t n_b) {
    if (n_a + 1 + n_b > TW_JOINT_BYTES) return false;
    memset(joint, 0, sizeof *joint);
    memcpy(joint->text, a, n_a);
    joint->text[n_a] = c;
    memcpy(joint->text + n_a + 1, b, n_b);
    joint->n = n_a + 1 + n_b;
    joint->mask = (uint32_t)((1ULL << joint->n) - 1);
    return true;
}

/* Whether `levels.h` can read elements of so many steps, with the one at their end: two decimals, then
 * perhaps a string of one digit that is not requested, then perhaps an integer or what is skipped. */
static inline bool tw_are_levels(const tw_step *steps, int n) {
    if (n < 3 || n > 5 || steps[0].kind != TW_STEP_F64 || steps[1].kind != TW_STEP_F64 ||
        steps[1].n > sizeof(uint64_t))
        return false;
    if (n == 3) return true;
    const int kind = steps[n - 2].kind;
    if (kind != TW_STEP_INTEGER && kind != TW_STEP_SKIP_STRING && kind != TW_STEP_SKIP_NUMBER)
        return false;
    return n == 4 || (steps[2].kind == TW_STEP_SKIP_STRING && steps[2].length == 1);
}

/* Elements of these steps have just been learned; false where what joins them is too long. `known` is
 * NULL where levels are to be read each time. */
static inline bool tw_learn_level_cache(tw_level_cache *level_cache, const tw_step *steps, int n,
                                        tw_cached_level *known, uint64_t stamp) {
    const tw_step *first = steps, *last = steps + n - 1, *digit = steps + 2;
    if (level_cache->trial == 0) {
        level_cache->trial = TW_FIRST_TRIAL;
        level_cache->rest = TW_REST_PER_TRIAL * TW_FIRST_TRIAL;
    }
    level_cache->known = known;
    level_cache->stamp = stamp;
    level_cache->n_between = steps[1].n;
    level_cache->between_mask = ~0ULL >> (64 - 8 * steps[1].n);
    memcpy(&level_cache->between, steps[1].literal, sizeof level_cache->between);
    level_cache->between &= level_cache->between_mask;
    level_cache->end_of_0 = steps[1].literal[0];
    level_cache->end_of_1 = steps[2].literal[0];
    level_cache->integer = n - 2;
    level_cache->has_integer = n > 3;
    level_cache->stores_integer = n > 3 && steps[n - 2].kind == TW_STEP_INTEGER;
    level_cache->digit_at = 0;
    if (n == 4) {
        if (!tw_make_joint(&level_cache->middle, digit->literal, (uint32_t)digit->n - 1,
                           digit->literal[digit->n - 1], digit->literal, 0))
            return false;
    } else if (n == 5) {
        if (!tw_make_joint(&level_cache->middle, digit->literal, (uint32_t)digit->n, '0',
                           digit[1].literal, (uint32_t)digit[1].n))
            return false;
        level_cache->digit_at = (uint32_t)digit->n;
        level_cache->middle.mask &= ~(1u << digit->n);
    }
    return tw_make_joint(&level_cache->next, last->literal, (uint32_t)last->n, ',', first->literal,
                         (uint32_t)first->n) &&
           tw_make_joint(&level_cache->closing, last->literal, (uint32_t)last->n, ']',
                         first->literal, 0);
}

/* Whether levels are looked for. */
static inline bool tw_level_cache_looks(const tw_level_cache *level_cache) {
    return level_cache->known != NULL && level_cache->resting == 0;
}

/* n levels have been read, of which so many were known. */
static inline void tw_judge_level_cache(tw_level_cache *level_cache, int64_t n, int64_t n_hit) {
    if (level_cache->known == NULL) return; /* each was read */
    if (level_cache->resting > 0) {
        level_cache->resting = n < level_cache->resting ? level_cache->resting - (int32_t)n : 0;
        return;
    }
    level_cache->n_known += n_hit;
    level_cache->n_tried += (int32_t)n;
    level_cache->n_hit += (int32_t)n_hit;
    if (level_cache->n_tried < level_cache->trial) return;
    if (level_cache->n_hit >= level_cache->n_tried / 3) {
        level_cache->rest = TW_REST_PER_TRIAL * level_cache->trial;
    } else {
        level_cache->resting = level_cache->rest;
        if (level_cache->trial < TW_LONGEST_TRIAL) level_cache->trial *= 2;
        if (level_cache->rest < TW_LONGEST_REST) level_cache->rest *= 2;
    }
    level_cache->n_tried = level_cache->n_hit = 0;
}

#endif
