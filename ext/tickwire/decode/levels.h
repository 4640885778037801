/* Levels of books: elements of an array that are two decimals, and perhaps an integer.
 *
 * What `tw_many` does, but where an element begins is not found by reading the one before it: its
 * bracket is looked for in 64 bytes at once, so that a processor reads several elements at a time. A
 * level that was read before is not read again (`level_cache.h`). In others, where values end is looked for
 * in the same way, and then everything is compared. What looks otherwise is left to `tw_many`; so are
 * the last levels of a message that has no slack behind it.
 */
#ifndef TICKWIRE_LEVELS_H
#define TICKWIRE_LEVELS_H

#include "tickwire/decode/level_cache.h"
#include "tickwire/decode/row_loop.h"
#include "tickwire/decode/step_avx2.h"

#if defined(TW_X86)
/* From an element's first value on, a load may end this much further: the second value ends within 64
 * bytes, and then come a literal, an integer, and a literal. */
#define TW_LEVEL_BYTES (64 + 32 + 16 + 32)

/* The 64 bytes from p on. */
typedef struct {
    __m256i low, high;
} tw_window;

TW_FAST tw_window tw_window_at(const uint8_t *p) {
    return (tw_window){_mm256_loadu_si256((const __m256i *)p),
                       _mm256_loadu_si256((const __m256i *)(p + 32))};
}

/* A bit for each byte of the window that is the other's. */
TW_FAST uint64_t tw_same_bytes(tw_window window, __m256i low, __m256i high) {
    uint32_t low_bits = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(window.low, low));
    uint32_t high_bits = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(window.high, high));
    return low_bits | (uint64_t)high_bits << 32;
}

TW_FAST uint32_t tw_unlike_joint(const uint8_t *p, const tw_joint *joint) {
    __m256i same = _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)p),
                                     _mm256_loadu_si256((const __m256i *)joint->text));
    return ~(uint32_t)_mm256_movemask_epi8(same) & joint->mask;
}

/* Where a level with these first 16 bytes is kept. */
TW_FAST tw_cached_level *tw_place_of_level(tw_cached_level *known, const uint8_t *p) {
    uint64_t first, second;
    memcpy(&first, p, 8);
    memcpy(&second, p + 8, 8);
    return known + (_mm_crc32_u64(_mm_crc32_u64(0, first), second) & (TW_KNOWN_LEVELS - 1));
}

/* Keep the level at p, whose last value ends at `stop`, as if another came behind it. */
TW_FAST void tw_keep_level(tw_cached_level *level, const tw_level_cache *level_cache, const uint8_t *p,
                           uint64_t stop, double value_0, double value_1, uint64_t integer,
                           const bool is_last) {
    const uint64_t n = stop + level_cache->next.n;
    if (n > TW_KNOWN_LEVEL_BYTES) return;
    tw_window window = tw_window_at(p);
    if (is_last) {
        uint8_t text[TW_KNOWN_LEVEL_BYTES + TW_JOINT_BYTES];
        memcpy(text, p, TW_KNOWN_LEVEL_BYTES);
        memcpy(text + stop, level_cache->next.text, TW_JOINT_BYTES);
        window = tw_window_at(text);
    }
    _mm256_store_si256((__m256i *)level->text, window.low);
    _mm256_store_si256((__m256i *)(level->text + 32), window.high);
    level->values[0] = value_0;
    level->values[1] = value_1;
    level->stamp_and_n = level_cache->stamp + n;
    level->integer = (int32_t)integer;
}

/* The bytes that an element's values begin and end with. */
typedef struct {
    __m256i open, end_of_0, end_of_1;
    bool ends_alike;
} tw_level_bytes;

TW_FAST tw_level_bytes tw_bytes_of_levels(const tw_step *steps) {
    return (tw_level_bytes){_mm256_set1_epi8((char)steps[0].literal[0]),
                            _mm256_set1_epi8((char)steps[1].literal[0]),
                            _mm256_set1_epi8((char)steps[2].literal[0]),
                            steps[1].literal[0] == steps[2].literal[0]};
}

/* Read the level whose first value is at p into `row`: how many bytes further the next one's is, or what
 * is behind the array's bracket, which *closed tells; 0 where the level looks otherwise. `n` is where
 * the next one's should be, `kept` where it is to be kept, or NULL. p is not behind `limit`. */
TW_FAST uint64_t tw_read_level(const tw_run *run, const uint8_t *p, int64_t row, uint64_t n,
                               const uint8_t *limit, const tw_level_bytes *bytes,
                               tw_cached_level *kept, bool *closed, const bool has_integer) {
    const tw_step *const steps = run->steps;
    const uint8_t *const end = run->end;
    const tw_window window = tw_window_at(p);
    uint64_t ends = tw_same_bytes(window, bytes->end_of_0, bytes->end_of_0);
    const uint64_t n_0 = _tzcnt_u64(ends);
    const uint64_t at_1 = n_0 + steps[1].n;
    if (at_1 >= 64) return 0;
    if (!bytes->ends_alike) ends = tw_same_bytes(window, bytes->end_of_1, bytes->end_of_1);
    const uint64_t n_1 = _tzcnt_u64(ends >> at_1);
    uint64_t stop = at_1 + n_1, integer = 0;
    if (stop >= 64) return 0;
    if (has_integer) {
        if (p + stop > end || tw_unlike_literal(p + stop, steps + 2) != 0) return 0;
        stop += steps[2].n;
        uint64_t n_2;
        if (!tw_integer_at(p + stop, &integer, &n_2) || integer > INT32_MAX) return 0;
        stop += n_2;
    }
    const tw_joint *joint = &run->level_cache->next;
    bool is_last = false;
    if (__builtin_expect(stop + joint->n != n || p + n > limit, 0)) {
        joint = &run->level_cache->closing;
        n = stop + joint->n;
        is_last = true;
        if (p + n > end) return 0;
    }
    double value_0, value_1;
    if (tw_unlike_literal(p + n_0, steps + 1) != 0 || tw_unlike_joint(p + stop, joint) != 0 ||
        !tw_is_decimal(p, n_0, &value_0) ||
        !tw_is_decimal(p + at_1, n_1, &value_1))
        return 0;
    ((double *)steps[0].column)[row & steps[0].slots] = value_0;
    ((double *)steps[1].column)[row & steps[1].slots] = value_1;
    if (has_integer) {
        if (steps[2].store == TW_STORE_4)
            ((int32_t *)steps[2].column)[row & steps[2].slots] = (int32_t)integer;
        else
            ((int64_t *)steps[2].column)[row & steps[2].slots] = (int64_t)integer;
    }
    if (kept != NULL)
        tw_keep_level(kept, run->level_cache, p, stop, value_0, value_1, integer, is_last);
    if (__builtin_expect(is_last, 0)) *closed = true;
    return n;
}

/* Levels each of which is read: `p` at the first value of the first, then behind the last. */
TW_FAST const uint8_t *tw_read_levels(tw_run *run, const uint8_t *p, const uint8_t *limit,
                                      bool *closed, const bool has_integer) {
    const tw_level_bytes bytes = tw_bytes_of_levels(run->steps);
    const uint64_t n_first = run->steps[0].n;
    int64_t row = run->row;
    const int64_t last = run->last;
    bool is_last = false;
    while (row < last) {
        const tw_window window = tw_window_at(p);
        uint64_t n = _tzcnt_u64(tw_same_bytes(window, bytes.open, bytes.open)) + n_first;
        n = tw_read_level(run, p, row, n, limit, &bytes, NULL, &is_last, has_integer);
        if (n == 0) break;
        p += n;
        row++;
        if (is_last) break;
    }
    *closed = is_last;
    run->row = row;
    return p;
}

/* A level that is not known, apart from the loop, which has more registers without it. */
static __attribute__((noinline, unused, target("avx2,bmi,bmi2"))) uint64_t tw_read_new_level(
    const tw_run *run, const uint8_t *p, int64_t row, uint64_t n, const uint8_t *limit,
    tw_cached_level *kept, bool *closed) {
    const tw_level_bytes bytes = tw_bytes_of_levels(run->steps);
    return run->level_cache->has_integer
               ? tw_read_level(run, p, row, n, limit, &bytes, kept, closed, true)
               : tw_read_level(run, p, row, n, limit, &bytes, kept, closed, false);
}

/* A known level into its row; its columns are all of one ring, and the integer's has 32 bits. */
TW_FAST void tw_store_symbol(const tw_step *steps, int64_t slot, const tw_cached_level *level,
                            const bool has_integer) {
    ((double *)steps[0].column)[slot] = level->values[0];
    ((double *)steps[1].column)[slot] = level->values[1];
    if (has_integer) ((int32_t *)steps[2].column)[slot] = level->integer;
}

/* The same of levels that may be known; *n_read: those that were not. */
TW_FAST const uint8_t *tw_find_levels(tw_run *run, const uint8_t *p, const uint8_t *limit,
                                      bool *closed, int64_t *n_read, const bool has_integer) {
    const tw_step *const steps = run->steps;
    const __m256i open = _mm256_set1_epi8((char)steps[0].literal[0]);
    const uint64_t n_first = steps[0].n, stamp = run->level_cache->stamp;
    const int64_t last = run->last, slots = steps[0].slots;
    tw_cached_level *const known = run->level_cache->known;
    int64_t row = run->row;
    bool is_last = false;
    while (row < last) {
        const tw_window window = tw_window_at(p);
        uint64_t n = _tzcnt_u64(tw_same_bytes(window, open, open)) + n_first;
        tw_cached_level *const level = tw_place_of_level(known, p);
        const uint64_t unlike =
            ~tw_same_bytes(window, _mm256_load_si256((const __m256i *)level->text),
                           _mm256_load_si256((const __m256i *)(level->text + 32)));
        const uint64_t n_known = level->stamp_and_n - stamp; /* 256 or more: of another template */
        if (__builtin_expect((_bzhi_u64(unlike, (uint32_t)n) | (n_known ^ n)) == 0, 1)) {
            if (p + n > limit) break;
            tw_store_symbol(steps, row & slots, level, has_integer);
            p += n;
            row++;
            continue;
        }
        /* The array's last is known as well, though it was another that was joined to it. */
        const uint64_t n_same = _tzcnt_u64(unlike);
        if (n_same + 1 + n_first == n_known && p + n_same < run->end && p[n_same] == ']') {
            tw_store_symbol(steps, row & slots, level, has_integer);
            n = n_same + 1;
            is_last = true;
        } else {
            n = tw_read_new_level(run, p, row, n, limit, level, &is_last);
            if (n == 0) break;
            ++*n_read;
        }
        p += n;
        row++;
        if (is_last) break;
    }
    *closed = is_last;
    run->row = row;
    return p;
}

/* As many rows as it can, p at the first element: run->row and run->element move on, and the latter is
 * given; or what is behind the array's bracket, if that is reached, with TW_STOP_END. With slack behind
 * the message a level may begin anywhere before its end, and loads go 32 bytes further; so of whatever
 * is found there it is asked whether it ends before. */
static inline __attribute__((target("avx2,bmi,bmi2"))) const uint8_t *tw_levels(
    tw_run *run, const uint8_t *p) {
    tw_level_cache *const level_cache = run->level_cache;
    const uint64_t n_first = run->steps[0].n;
    const size_t n_needed = tw_has_slack(run->end) ? 0 : TW_LEVEL_BYTES;
    const int64_t first_row = run->row;
    int64_t n_read = 0;
    bool closed = false;
    run->stop = TW_STOP_MISS;
    if (!TW_WITHIN(p, run->end, n_needed + n_first) || tw_unlike_literal(p, run->steps) != 0)
        return p;
    const uint8_t *const limit = run->end - n_needed;
    p += n_first; /* from here on it is at an element's first value */
    if (tw_level_cache_looks(level_cache))
        p = level_cache->has_integer ? tw_find_levels(run, p, limit, &closed, &n_read, true)
                                : tw_find_levels(run, p, limit, &closed, &n_read, false);
    else
        p = level_cache->has_integer ? tw_read_levels(run, p, limit, &closed, true)
                                : tw_read_levels(run, p, limit, &closed, false);
    if (closed)
        run->stop = TW_STOP_END;
    else
        p -= n_first;
    run->element = p;
    tw_judge_level_cache(level_cache, run->row - first_row, run->row - first_row - n_read);
    return p;
}

/* The same of a script's list, as far as its ring has room. */
static __attribute__((noinline, target("avx2,bmi,bmi2"))) const uint8_t *tw_script_levels(
    tw_run *run, const tw_row_loop *place, const uint8_t *p, int64_t row) {
    const tw_step *const steps = run->steps;
    run->steps = place->first;
    run->level_cache = place->level_cache;
    run->row = row;
    do {
        p = tw_levels(run, p);
        place->ring->head = run->row;
    } while (run->stop != TW_STOP_END && run->row >= run->last &&
             run->row < (run->last = tw_last_row_with_room(place)));
    run->steps = steps;
    return p;
}
#endif

#endif
