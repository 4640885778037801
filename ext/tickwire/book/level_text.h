/* The text of a float64 with a given number of decimals, as a venue prints prices and sizes.
 *
 * A number that came as decimal text of at most 15 digits has them again: times a power of ten it is
 * an integer, but for a rounding far below one.
 */
#ifndef TICKWIRE_LEVEL_TEXT_H
#define TICKWIRE_LEVEL_TEXT_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TW_MOST_DECIMALS = 18,
    TW_NUMBER_BYTES = 48 /* room for one number */
};

static const double tw_powers_of_ten[TW_MOST_DECIMALS + 1] = {
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};

/* As few decimals as tell the number from others. */
static inline int tw_fewest_decimals(double value)
{
    for (int decimals = 0; decimals < TW_MOST_DECIMALS; decimals++)
        if (rint(value * tw_powers_of_ten[decimals]) / tw_powers_of_ten[decimals] == value)
            return decimals;
    return TW_MOST_DECIMALS;
}

/* Write a number; gives how many bytes, 0 where it has too many digits.
 *
 * Shape    out has TW_NUMBER_BYTES.
 * Units    decimals 0..TW_MOST_DECIMALS; `plain` with point and leading zero, else digits alone,
 *          without leading zeros.
 * Returns  bytes written.
 * Threads  any.
 * Memory   none.
 * Source   the venues' rules of checksums; docs/design.md, "Books".
 */
static inline size_t tw_number_text(double value, int decimals, bool plain, uint8_t *out)
{
    uint8_t digits[24];
    size_t n = 0, written = 0;
    const double scaled = rint(fabs(value) * tw_powers_of_ten[decimals]);
    if (!(scaled < 1e18))
        return 0;
    uint64_t left = (uint64_t)scaled;
    while (left != 0) {
        digits[n++] = (uint8_t)('0' + left % 10);
        left /= 10;
    }
    if (plain) {
        while (n <= (size_t)decimals)
            digits[n++] = '0';
        if (value < 0)
            out[written++] = '-';
    }
    for (size_t i = n; i > 0; i--) {
        if (plain && i == (size_t)decimals)
            out[written++] = '.';
        out[written++] = digits[i - 1];
    }
    return written;
}

#endif
