/* Decimal text to the nearest float64, and to int64.
 *
 * Rules of this file
 * - The grammar is RFC 8259 section 6 and nothing else: no plus sign, no leading zero, no bare dot.
 * - Every read is below `end`. Eight digits are read at once where eight bytes are left.
 * - Rounding is to the nearest, ties to even. Three ways, each exact: a product or quotient of two
 *   exact doubles (Clinger 1990); 128-bit multiplication (Lemire, "Number parsing at a gigabyte per
 *   second", 2021); else TW_SLOW, and the caller asks Python.
 */
#ifndef TICKWIRE_DECIMAL_H
#define TICKWIRE_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define TW_POW5_MIN (-342)
#define TW_POW5_MAX 308
#define TW_DIGITS_MAX 4096

/* 5^q normalised to 128 bits, high word first; filled once at import. */
static uint64_t tw_pow5[TW_POW5_MAX - TW_POW5_MIN + 1][2];

typedef struct {
    uint64_t mantissa; /* the first 19 significant digits */
    int32_t exp10;     /* value = mantissa * 10^exp10 */
    bool negative;
    bool truncated;    /* digits beyond the 19th were cut and not all of them zero; or oversized */
    bool is_integer;   /* neither fraction nor exponent */
    bool oversized;    /* more digits than anyone sends: left to Python */
} tw_decimal;

static const uint64_t tw_pow10_u64[20] = {
    1ULL, 10ULL, 100ULL, 1000ULL, 10000ULL, 100000ULL, 1000000ULL, 10000000ULL, 100000000ULL,
    1000000000ULL, 10000000000ULL, 100000000000ULL, 1000000000000ULL, 10000000000000ULL,
    100000000000000ULL, 1000000000000000ULL, 10000000000000000ULL, 100000000000000000ULL,
    1000000000000000000ULL, 10000000000000000000ULL};

static const double tw_pow10_f64[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                        1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                        1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static inline bool tw_is_digit(uint8_t c) { return (uint8_t)(c - '0') < 10; }

/* Eight ASCII digits minus '0', the first in the lowest byte, as a number below 10^8. */
static inline uint64_t tw_eight_digits(uint64_t t) {
    t = (t * 10 + (t >> 8)) & 0x00FF00FF00FF00FFULL;
    t = (t * 100 + (t >> 16)) & 0x0000FFFF0000FFFFULL;
    return (t * 10000 + (t >> 32)) & 0xFFFFFFFFULL;
}

/* Reads digits into *value (modulo 2^64 past 19 of them); returns behind the last. */
static inline __attribute__((always_inline)) const uint8_t *tw_digits(
    const uint8_t *p, const uint8_t *end, uint64_t *value) {
    uint64_t v = *value;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    while (end - p >= 8) {
        uint64_t t;
        memcpy(&t, p, 8);
        t ^= 0x3030303030303030ULL;
        /* The top bit of a byte is set from the first byte on that is no digit. */
        uint64_t stop = ((t + 0x7676767676767676ULL) | t) & 0x8080808080808080ULL;
        if (stop) {
            int n = __builtin_ctzll(stop) >> 3;
            if (n) v = v * tw_pow10_u64[n] + tw_eight_digits(t << (64 - 8 * n));
            *value = v;
            return p + n;
        }
        v = v * 100000000ULL + tw_eight_digits(t);
        p += 8;
    }
#endif
    while (p < end && tw_is_digit(*p)) v = v * 10 + (uint64_t)(*p++ - '0');
    *value = v;
    return p;
}

/* More than 19 digits: keep the first 19 significant ones. */
static void tw_long_mantissa(const uint8_t *p, const uint8_t *end, tw_decimal *out) {
    uint64_t v = 0;
    int kept = 0;
    int32_t exp10 = 0;
    bool fraction = false;
    for (; p < end && (tw_is_digit(*p) || *p == '.'); p++) {
        if (*p == '.') {
            fraction = true;
            continue;
        }
        if (kept < 19) {
            v = v * 10 + (uint64_t)(*p - '0');
            if (v) kept++;
            if (fraction) exp10--;
        } else {
            if (*p != '0') out->truncated = true;
            if (!fraction) exp10++;
        }
    }
    out->mantissa = v;
    out->exp10 = exp10;
}

/* A number at p: returns behind it, or NULL where the grammar is broken. */
static inline const uint8_t *tw_parse_decimal(const uint8_t *p, const uint8_t *end,
                                              tw_decimal *out) {
    out->negative = p < end && *p == '-';
    p += out->negative;
    const uint8_t *first = p;
    uint64_t v = 0;
    p = tw_digits(p, end, &v);
    int64_t n_whole = p - first;
    if (n_whole == 0 || (n_whole > 1 && *first == '0')) return NULL;
    int64_t n_fraction = 0;
    out->is_integer = true;
    if (p < end && *p == '.') {
        const uint8_t *dot = p;
        p = tw_digits(p + 1, end, &v);
        n_fraction = p - dot - 1;
        if (n_fraction == 0) return NULL;
        out->is_integer = false;
    }
    out->mantissa = v;
    out->exp10 = (int32_t)-n_fraction;
    out->truncated = false;
    out->oversized = n_whole + n_fraction > TW_DIGITS_MAX;
    if (n_whole + n_fraction > 19) tw_long_mantissa(first, p, out);
    /* Beside so many digits the bound on the exponent below could make a wrong number. */
    if (out->oversized) out->truncated = true;
    if (p < end && (*p | 0x20) == 'e') {
        out->is_integer = false;
        p++;
        bool down = false;
        if (p < end && (*p == '+' || *p == '-')) down = *p++ == '-';
        const uint8_t *digits = p;
        int32_t e = 0;
        for (; p < end && tw_is_digit(*p); p++)
            if (e < 100000) e = e * 10 + (*p - '0');
        if (p == digits) return NULL;
        out->exp10 += down ? -e : e;
    }
    return p;
}

/* Lemire's algorithm; q is within the table and w is not 0. */
static double tw_lemire(uint64_t w, int32_t q, bool negative) {
    int lz = __builtin_clzll(w);
    w <<= lz;
    const uint64_t *pow5 = tw_pow5[q - TW_POW5_MIN];
    unsigned __int128 first = (unsigned __int128)w * pow5[0];
    uint64_t hi = (uint64_t)(first >> 64), lo = (uint64_t)first;
    if ((hi & 0x1FF) == 0x1FF) {
        uint64_t more = (uint64_t)(((unsigned __int128)w * pow5[1]) >> 64);
        lo += more;
        hi += lo < more;
    }
    int top = (int)(hi >> 63);
    int shift = top + 64 - 52 - 3;
    uint64_t m = hi >> shift;
    int32_t exponent = ((217706 * q) >> 16) + 63 + top - lz + 1023;
    if (exponent <= 0) { /* subnormal or zero */
        if (1 - exponent >= 64) {
            m = 0;
        } else {
            m >>= 1 - exponent;
            m += m & 1;
            m >>= 1;
        }
        exponent = m < (1ULL << 52) ? 0 : 1;
    } else {
        /* Exactly between two doubles: only where 5^q fits in 64 bits. */
        if (lo <= 1 && q >= -4 && q <= 23 && (m & 3) == 1 && (m << shift) == hi) m &= ~1ULL;
        m += m & 1;
        m >>= 1;
        if (m >= (2ULL << 52)) {
            m = 1ULL << 52;
            exponent++;
        }
        if (exponent >= 0x7FF) {
            m = 0;
            exponent = 0x7FF;
        }
    }
    uint64_t bits = (m & ~(1ULL << 52)) | ((uint64_t)exponent << 52) | ((uint64_t)negative << 63);
    double value;
    memcpy(&value, &bits, 8);
    return value;
}

/* False: only exact arithmetic of the whole text can decide (ask Python). */
static inline bool tw_decimal_to_f64(const tw_decimal *d, double *out) {
    if (__builtin_expect(!d->truncated && d->mantissa <= (1ULL << 53) && d->exp10 <= 0 &&
                         d->exp10 >= -22, 1)) {
        double value = (double)(int64_t)d->mantissa / tw_pow10_f64[-d->exp10];
        *out = d->negative ? -value : value;
        return true;
    }
    if (d->oversized) return false;
    /* 19 digits times 10^-343 are less than half of the smallest subnormal. */
    if (d->mantissa == 0 || d->exp10 < TW_POW5_MIN) {
        *out = d->negative ? -0.0 : 0.0;
        return true;
    }
    if (d->exp10 > TW_POW5_MAX) {
        *out = d->negative ? -__builtin_inf() : __builtin_inf();
        return true;
    }
    *out = tw_lemire(d->mantissa, d->exp10, d->negative);
    return !d->truncated || *out == tw_lemire(d->mantissa + 1, d->exp10, d->negative);
}

/* False: not an integer, or outside int64 (its minimum is kept for null). */
static inline bool tw_decimal_to_i64(const tw_decimal *d, int64_t *out) {
    if (!d->is_integer || d->truncated || d->exp10 != 0 || d->mantissa > (uint64_t)INT64_MAX)
        return false;
    *out = d->negative ? -(int64_t)d->mantissa : (int64_t)d->mantissa;
    return true;
}

#endif
