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
#include <string.h>

#ifdef __x86_64__
#include <emmintrin.h>
#endif

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

static const uint64_t tw_integers_of_ten[TW_MOST_DECIMALS + 1] = {
    UINT64_C(1), UINT64_C(10), UINT64_C(100), UINT64_C(1000), UINT64_C(10000), UINT64_C(100000),
    UINT64_C(1000000), UINT64_C(10000000), UINT64_C(100000000), UINT64_C(1000000000),
    UINT64_C(10000000000), UINT64_C(100000000000), UINT64_C(1000000000000),
    UINT64_C(10000000000000), UINT64_C(100000000000000), UINT64_C(1000000000000000),
    UINT64_C(10000000000000000), UINT64_C(100000000000000000), UINT64_C(1000000000000000000)};

static const char tw_digit_pairs[] = "0001020304050607080910111213141516171819"
                                     "2021222324252627282930313233343536373839"
                                     "4041424344454647484950515253545556575859"
                                     "6061626364656667686970717273747576777879"
                                     "8081828384858687888990919293949596979899";

/* The nearest integer, of two the even one; below 10^18. Without SSE4.1 `rint` is a call. */
static inline uint64_t tw_nearest(double value)
{
#ifdef __x86_64__
    return (uint64_t)_mm_cvtsd_si64(_mm_set_sd(value));
#else
    return (uint64_t)rint(value);
#endif
}

/* How many digits a number below 10^18 has; 0 of 0. */
static inline int tw_count_digits(uint64_t value)
{
    if (value == 0)
        return 0;
    const int least = ((64 - __builtin_clzll(value)) * 1233) >> 12; /* log10(2) is 1233 / 4096 */
    return least + (value >= tw_integers_of_ten[least]);
}

/* Write the last `n` digits of a number, zeros before it. */
static inline void tw_put_digits(uint64_t value, int n, uint8_t *out)
{
    for (; n >= 4; n -= 4, value /= 10000) { /* four at a time: each division waits for the last */
        const uint32_t four = (uint32_t)(value % 10000);
        memcpy(&out[n - 4], &tw_digit_pairs[2 * (four / 100)], 2);
        memcpy(&out[n - 2], &tw_digit_pairs[2 * (four % 100)], 2);
    }
    if (n >= 2)
        memcpy(&out[n - 2], &tw_digit_pairs[2 * (value % 100)], 2);
    if (n == 3 || n == 1)
        out[0] = (uint8_t)('0' + (n == 3 ? value / 100 : value) % 10);
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
    const double scaled = fabs(value) * tw_powers_of_ten[decimals];
    if (!(scaled < 1e18))
        return 0;
    const uint64_t digits = tw_nearest(scaled);
    int n = tw_count_digits(digits);
    if (!plain) {
        tw_put_digits(digits, n, out);
        return (size_t)n;
    }
    uint8_t *next = out;
    if (value < 0)
        *next++ = '-';
    n = n > decimals ? n : decimals + 1;
    const uint64_t whole = digits / tw_integers_of_ten[decimals];
    tw_put_digits(whole, n - decimals, next);
    next += n - decimals;
    if (decimals > 0) {
        *next++ = '.';
        tw_put_digits(digits - whole * tw_integers_of_ten[decimals], decimals, next);
        next += decimals;
    }
    return (size_t)(next - out);
}

#endif
