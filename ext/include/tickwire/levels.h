/* Levels of books: elements of an array that are two decimals, and perhaps an integer.
 *
 * What `tw_many` does, but where an element begins is not found by reading the one before it: its
 * bracket is looked for in 64 bytes at once, so that a processor reads several elements at a time.
 * Where values end is looked for in the same way, and then everything is compared. An element is at
 * most TW_LEVEL_BYTES long, and the last of a message are left to `tw_many`; so is an element that
 * looks otherwise, and the one whose end brings the array's.
 */
#ifndef TICKWIRE_LEVELS_H
#define TICKWIRE_LEVELS_H

#include "tickwire/step_avx2.h"

#if defined(TW_X86)
/* Four literals and three numbers, and what is loaded behind the last. */
#define TW_LEVEL_BYTES (4 * 32 + 3 * 16 + 32)

/* A bit for each of the 64 bytes at p that is this one. */
TW_FAST uint64_t tw_bytes_like(const uint8_t *p, __m256i byte) {
    __m256i low = _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)p), byte);
    __m256i high = _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)(p + 32)), byte);
    return (uint32_t)_mm256_movemask_epi8(low) |
           (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

/* What stands between the last value of an element and the first of the next. */
TW_FAST bool tw_join(tw_step *joint, const tw_step *last, const tw_step *first) {
    uint64_t n = last->n + 1 + first->n;
    if (n > TW_LITERAL_MAX) return false;
    memset(joint->literal, 0, sizeof joint->literal);
    memcpy(joint->literal, last->literal, last->n);
    joint->literal[last->n] = ',';
    memcpy(joint->literal + last->n + 1, first->literal, first->n);
    joint->n = n;
    joint->mask = (uint32_t)((1ULL << n) - 1);
    return true;
}

TW_FAST bool tw_level_f64(const uint8_t *p, uint64_t n, const tw_step *step, int64_t row) {
    return tw_is_decimal(p, n, (double *)step->column + (row & step->slots));
}

/* The integer at p, and its bytes; 0 where it is none. */
TW_FAST uint64_t tw_level_integer(const uint8_t *p, const tw_step *step, int64_t row) {
    uint64_t value, n;
    if (__builtin_expect(!tw_integer_at(p, &value, &n) || value > INT32_MAX, 0)) return 0;
    if (step->store == TW_STORE_4)
        ((int32_t *)step->column)[row & step->slots] = (int32_t)value;
    else
        ((int64_t *)step->column)[row & step->slots] = (int64_t)value;
    return n;
}

/* As many rows as it can: run->row and run->element move on, and the latter is given. */
TW_FAST const uint8_t *tw_levels(tw_run *run) {
    const tw_step *steps = run->steps;
    const bool has_integer = steps[2].kind == TW_STEP_INTEGER;
    const bool ends_alike = steps[1].literal[0] == steps[2].literal[0];
    const __m256i open = _mm256_set1_epi8((char)steps[0].literal[0]);
    const __m256i end_of_0 = _mm256_set1_epi8((char)steps[1].literal[0]);
    const __m256i end_of_1 = _mm256_set1_epi8((char)steps[2].literal[0]);
    const uint8_t *p = run->element; /* then at the first value of an element */
    int64_t row = run->row;
    tw_step joint;
    if (!TW_WITHIN(p, run->end, TW_LEVEL_BYTES) || tw_unlike_literal(p, steps) != 0 ||
        !tw_join(&joint, steps + (has_integer ? 3 : 2), steps))
        return p;
    p += steps[0].n;
    while (row < run->last && TW_WITHIN(p, run->end, TW_LEVEL_BYTES)) {
        uint64_t opens = tw_bytes_like(p, open), ends = tw_bytes_like(p, end_of_0);
        if (opens == 0 || ends == 0) break;
        uint64_t next = (uint64_t)__builtin_ctzll(opens);
        uint64_t n_0 = (uint64_t)__builtin_ctzll(ends);
        uint64_t at_1 = n_0 + steps[1].n;
        if (!ends_alike) ends = tw_bytes_like(p, end_of_1);
        if (at_1 >= 64 || ends >> at_1 == 0) break;
        uint64_t n_1 = (uint64_t)__builtin_ctzll(ends >> at_1);
        uint64_t stop = at_1 + n_1;
        if (tw_unlike_literal(p + n_0, steps + 1) != 0) break;
        if (has_integer) {
            if (tw_unlike_literal(p + stop, steps + 2) != 0) break;
            uint64_t at_2 = stop + steps[2].n;
            uint64_t n_2 = tw_level_integer(p + at_2, steps + 2, row);
            if (n_2 == 0) break;
            stop = at_2 + n_2;
        }
        if (tw_unlike_literal(p + stop, &joint) != 0 || stop + joint.n != next + steps[0].n ||
            !tw_level_f64(p, n_0, steps, row) || !tw_level_f64(p + at_1, n_1, steps + 1, row))
            break;
        p += next + steps[0].n;
        row++;
    }
    run->row = row;
    run->element = p - steps[0].n;
    return run->element;
}
#endif

#endif
