/* Levels of books: elements of an array that are two decimals, and perhaps an integer.
 *
 * What `tw_many` does, but where an element and its values end is looked for in many bytes at once,
 * before any of them is read, so that a processor reads several elements at a time; then everything is
 * compared. A level that was read before is not read again (`level_cache.h`). What looks otherwise is
 * left to `tw_many`; so are the last levels of a message that has no slack behind it.
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

/* What the levels of a list have in common, at hand. */
typedef struct {
    __m256i end_of_0, end_of_1;
    double *columns[2];
    int64_t slots[2];
    const tw_level_cache *cache;
    bool ends_alike;
} tw_level_form;

TW_FAST tw_level_form tw_form_of_levels(const tw_run *run) {
    const tw_level_cache *cache = run->level_cache;
    const tw_step *steps = run->steps;
    return (tw_level_form){_mm256_set1_epi8((char)cache->end_of_0),
                           _mm256_set1_epi8((char)cache->end_of_1),
                           {(double *)steps[0].column, (double *)steps[1].column},
                           {steps[0].slots, steps[1].slots},
                           cache,
                           cache->end_of_0 == cache->end_of_1};
}

/* Where a level's decimals end, from its first value on: at *n_0, and what is given; 64 or more: not in
 * as many bytes. Most levels are in half of a window. */
TW_FAST uint64_t tw_end_of_decimals(const uint8_t *p, const tw_level_form *form, uint64_t *n_0) {
    const __m256i low = _mm256_loadu_si256((const __m256i *)p);
    uint64_t ends = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, form->end_of_0));
    uint64_t at_1 = _tzcnt_u64(ends) + form->cache->n_between;
    *n_0 = at_1 - form->cache->n_between;
    if (__builtin_expect(at_1 < 32, 1)) {
        if (!form->ends_alike)
            ends = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, form->end_of_1));
        ends >>= at_1;
        if (__builtin_expect(ends != 0, 1)) return at_1 + _tzcnt_u64(ends);
    }
    const tw_window window = tw_window_at(p);
    ends = tw_same_bytes(window, form->end_of_0, form->end_of_0);
    *n_0 = _tzcnt_u64(ends);
    at_1 = *n_0 + form->cache->n_between;
    if (at_1 >= 64) return 64;
    if (!form->ends_alike) ends = tw_same_bytes(window, form->end_of_1, form->end_of_1);
    return at_1 + _tzcnt_u64(ends >> at_1);
}

/* Read the level whose first value is at p into `row`: how many bytes further the next one's is, or what
 * is behind the array's bracket, which *closed tells; 0 where the level looks otherwise. `n` is where
 * the next one's should be, `kept` where it is to be kept, or NULL. p is not behind `limit`. */
TW_FAST uint64_t tw_read_level(const tw_run *run, const tw_level_form *form, const uint8_t *p,
                               int64_t row, uint64_t n, const uint8_t *limit,
                               tw_cached_level *kept, bool *closed, const bool has_integer) {
    const tw_level_cache *const cache = form->cache;
    const uint8_t *const end = run->end;
    uint64_t n_0, stop = tw_end_of_decimals(p, form, &n_0), integer = 0;
    const uint64_t at_1 = n_0 + cache->n_between, n_1 = stop - at_1;
    if (stop >= 64) return 0;
    if (has_integer) {
        const uint8_t digit = p[stop + cache->digit_at] - '0';
        if (p + stop > end || tw_unlike_joint(p + stop, &cache->middle) != 0 ||
            (cache->digit_at != 0 && digit > 9))
            return 0;
        stop += cache->middle.n;
        uint64_t n_2;
        if (!tw_integer_at(p + stop, &integer, &n_2) || integer > INT32_MAX) return 0;
        stop += n_2;
    }
    bool is_last = false;
    if (__builtin_expect(stop + cache->next.n != n || p + n > limit ||
                             tw_unlike_joint(p + stop, &cache->next) != 0,
                         0)) {
        n = stop + cache->closing.n;
        is_last = true;
        if (p + n > end || tw_unlike_joint(p + stop, &cache->closing) != 0) return 0;
    }
    uint64_t between;
    double value_0, value_1;
    memcpy(&between, p + n_0, sizeof between);
    if (((between ^ cache->between) & cache->between_mask) != 0 ||
        !tw_are_decimals(p, n_0, p + at_1, n_1, &value_0, &value_1))
        return 0;
    form->columns[0][row & form->slots[0]] = value_0;
    form->columns[1][row & form->slots[1]] = value_1;
    if (has_integer && cache->stores_integer) {
        const tw_step *const step = run->steps + cache->integer;
        tw_put(step->column, step->store, row & step->slots, (int64_t)integer);
    }
    if (kept != NULL) tw_keep_level(kept, cache, p, stop, value_0, value_1, integer, is_last);
    if (__builtin_expect(is_last, 0)) *closed = true;
    return n;
}

/* Levels each of which is read: `p` at the first value of the first, then behind the last. */
TW_FAST const uint8_t *tw_read_levels(tw_run *run, const uint8_t *p, const uint8_t *limit,
                                      bool *closed, const bool has_integer) {
    const tw_level_form form = tw_form_of_levels(run);
    const __m256i open = _mm256_set1_epi8((char)run->steps[0].literal[0]);
    const uint64_t n_first = run->steps[0].n;
    int64_t row = run->row;
    const int64_t last = run->last;
    bool is_last = false;
    while (row < last) {
        uint64_t n = _tzcnt_u64(tw_same_bytes(tw_window_at(p), open, open)) + n_first;
        n = tw_read_level(run, &form, p, row, n, limit, NULL, &is_last, has_integer);
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
    const tw_level_form form = tw_form_of_levels(run);
    return run->level_cache->has_integer
               ? tw_read_level(run, &form, p, row, n, limit, kept, closed, true)
               : tw_read_level(run, &form, p, row, n, limit, kept, closed, false);
}

/* A known level into its row; its columns are all of one ring, and the integer's has 32 bits. */
TW_FAST void tw_store_level(const tw_step *steps, int64_t slot, const tw_cached_level *level,
                            int32_t *integers, const bool stores_integer) {
    ((double *)steps[0].column)[slot] = level->values[0];
    ((double *)steps[1].column)[slot] = level->values[1];
    if (stores_integer) integers[slot] = level->integer;
}

/* The same of levels that may be known; *n_read: those that were not. */
TW_FAST const uint8_t *tw_find_levels(tw_run *run, const uint8_t *p, const uint8_t *limit,
                                      bool *closed, int64_t *n_read, const bool stores_integer) {
    const tw_step *const steps = run->steps;
    int32_t *const integers =
        stores_integer ? (int32_t *)steps[run->level_cache->integer].column : NULL;
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
            tw_store_level(steps, row & slots, level, integers, stores_integer);
            p += n;
            row++;
            continue;
        }
        /* The array's last is known as well, though it was another that was joined to it. */
        const uint64_t n_same = _tzcnt_u64(unlike);
        if (n_same + 1 + n_first == n_known && p + n_same < run->end && p[n_same] == ']') {
            tw_store_level(steps, row & slots, level, integers, stores_integer);
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
        p = level_cache->stores_integer ? tw_find_levels(run, p, limit, &closed, &n_read, true)
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
