/* Levels of books: elements of an array that are two decimals, and perhaps an integer.
 *
 * What `tw_many` does, without looking up what a step is and without a look at the end before each
 * load: an element is at most TW_LEVEL_BYTES long, and the last of a message are left to `tw_many`.
 * So is an element that looks otherwise, and the one whose end brings the array's.
 */
#ifndef TICKWIRE_LEVELS_H
#define TICKWIRE_LEVELS_H

#include "tickwire/step.h"

#if defined(TW_X86)
/* Four literals and three numbers, and what is loaded behind the last. */
#define TW_LEVEL_BYTES (4 * 32 + 3 * 16 + 32)

TW_FAST const uint8_t *tw_level_f64(const uint8_t *p, const tw_step *step, int64_t row) {
    uint64_t mantissa = 0;
    int fraction = 0;
    if (__builtin_expect(tw_unlike_literal(p, step) != 0, 0)) return NULL;
    p += step->n;
    int n = tw_decimal_at(p, &mantissa, &fraction);
    if (__builtin_expect(n == 0, 0)) return NULL;
    ((double *)step->column)[row & step->slots] =
        (double)(int64_t)mantissa / tw_pow10_f64[fraction];
    return p + n;
}

TW_FAST const uint8_t *tw_level_integer(const uint8_t *p, const tw_step *step, int64_t row) {
    uint64_t value = 0;
    if (__builtin_expect(tw_unlike_literal(p, step) != 0, 0)) return NULL;
    p += step->n;
    int n = tw_integer_at(p, &value);
    if (__builtin_expect(n == 0 || value > INT32_MAX, 0)) return NULL;
    if (step->store == TW_STORE_4)
        ((int32_t *)step->column)[row & step->slots] = (int32_t)value;
    else
        ((int64_t *)step->column)[row & step->slots] = (int64_t)value;
    return p + n;
}

/* As many rows as it can: run->row and run->element move on, and the latter is given. */
TW_FAST const uint8_t *tw_levels(tw_run *run) {
    const tw_step *steps = run->steps;
    const bool has_integer = steps[2].kind == TW_STEP_INTEGER;
    const tw_step *last_step = steps + (has_integer ? 3 : 2);
    const uint8_t *element = run->element, *p;
    int64_t row = run->row;
    while (row < run->last && TW_WITHIN(element, run->end, TW_LEVEL_BYTES)) {
        p = tw_level_f64(element, steps, row);
        if (p == NULL) break;
        p = tw_level_f64(p, steps + 1, row);
        if (p == NULL) break;
        if (has_integer) {
            p = tw_level_integer(p, steps + 2, row);
            if (p == NULL) break;
        }
        if (tw_unlike_literal(p, last_step) != 0) break;
        p += last_step->n;
        if (*p != ',') break;
        element = p + 1;
        row++;
    }
    run->row = row;
    run->element = element;
    return element;
}
#endif

#endif
