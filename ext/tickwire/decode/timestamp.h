/* Times of an exchange as ns since the epoch, in integers; digits past ns are cut. */
#ifndef TICKWIRE_TIMESTAMP_H
#define TICKWIRE_TIMESTAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tickwire/decode/decimal.h"

static const int64_t tw_ns_per_fraction_digit[10] = {
    1000000000, 100000000, 10000000, 1000000, 100000, 10000, 1000, 100, 10, 1};

/* Digits of a fraction, behind its dot, as parts of 10^9; returns behind them, NULL if none. */
static inline const uint8_t *tw_fraction(const uint8_t *p, const uint8_t *end, int64_t *billionths) {
    uint64_t value = 0;
    const uint8_t *stop = tw_digits(p, end, &value);
    const ptrdiff_t n = stop - p;
    if (n > 9) { /* what is past ns is cut */
        value = 0;
        tw_digits(p, p + 9, &value);
    }
    *billionths = (int64_t)value * tw_ns_per_fraction_digit[n < 9 ? n : 9];
    return n == 0 ? NULL : stop;
}

/* A count of units, such as 1617666433.571648 s; returns behind it, NULL if it is none. */
static inline const uint8_t *tw_parse_time(const uint8_t *p, const uint8_t *end, int64_t unit_ns,
                                           int64_t *ns) {
    bool negative = p < end && *p == '-';
    p += negative;
    const uint8_t *first = p;
    uint64_t count = 0;
    int64_t fraction = 0, total;
    p = tw_digits(p, end, &count);
    /* 19 digits fit in 64 bits. */
    if (p == first || (p - first > 1 && *first == '0') || p - first > 19 || count > INT64_MAX)
        return NULL;
    if (p < end && *p == '.') {
        p = tw_fraction(p + 1, end, &fraction);
        if (p == NULL) return NULL;
    }
    if (__builtin_mul_overflow((int64_t)count, unit_ns, &total)) return NULL;
    /* unit_ns <= 10^9 and fraction < 10^9. */
    if (__builtin_add_overflow(total, fraction * unit_ns / 1000000000, &total)) return NULL;
    *ns = negative ? -total : total;
    return p;
}

static inline const uint8_t *tw_fixed_digits(const uint8_t *p, const uint8_t *end, int n, int *out) {
    int value = 0;
    if (end - p < n) return NULL;
    for (int i = 0; i < n; i++, p++) {
        if ((uint8_t)(*p - '0') >= 10) return NULL;
        value = value * 10 + (*p - '0');
    }
    *out = value;
    return p;
}

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar. */
static inline int64_t tw_days(int year, int month, int day) {
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static inline int tw_month_days(int year, int month) {
    static const int8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* Eight bytes less those of a form, in which a 0 stands for a digit: what is left is below 10 there and
 * 0 elsewhere, or *unlike has a bit. */
static inline uint64_t tw_digits_of_form(const uint8_t *p, const char *form, uint64_t *unlike) {
    uint64_t text, expected, more = 0;
    memcpy(&text, p, 8);
    memcpy(&expected, form, 8);
    for (int i = 0; i < 8; i++) more |= (form[i] == '0' ? 0x76ULL : 0x7FULL) << (8 * i);
    text ^= expected;
    *unlike |= ((text + more) | text) & 0x8080808080808080ULL;
    return text;
}

/* Bytes i and i + 1 of such digits as a number. */
static inline int tw_two_digits(uint64_t digits, int i) {
    return (int)((digits * 10 + (digits >> 8)) >> (8 * i) & 0xFF);
}

/* The usual form, of n bytes: UTC, at most nine digits of a fraction. False for others. */
static inline bool tw_parse_usual_rfc3339(const uint8_t *p, size_t n, int64_t *ns) {
    uint64_t unlike = 0, fraction = 0;
    if (n < 20 || n > 30 || n == 21 || p[n - 1] != 'Z') return false;
    const uint64_t years = tw_digits_of_form(p, "0000-00-", &unlike);
    const uint64_t days = tw_digits_of_form(p + 8, "00T00:00", &unlike);
    const uint64_t times = tw_digits_of_form(p + 11, "00:00:00", &unlike);
    const int year = tw_two_digits(years, 0) * 100 + tw_two_digits(years, 2);
    const int month = tw_two_digits(years, 5), day = tw_two_digits(days, 0);
    const int hour = tw_two_digits(times, 0), minute = tw_two_digits(times, 3);
    const int second = tw_two_digits(times, 6);
    if (n > 20) {
        const int n_digits = (int)n - 21;
        uint64_t last; /* eight bytes, of which some stand before the fraction */
        memcpy(&last, p + n - 9, 8);
        last ^= 0x3030303030303030ULL;
        if (n_digits < 8) last = last >> (64 - 8 * n_digits) << (64 - 8 * n_digits);
        unlike |= ((last + 0x7676767676767676ULL) | last) & 0x8080808080808080ULL;
        fraction = tw_eight_digits(last);
        if (n_digits == 9) {
            unlike |= (uint64_t)((uint8_t)(p[20] - '0') > 9);
            fraction += (uint64_t)(p[20] - '0') * 100000000;
        }
        fraction *= (uint64_t)tw_ns_per_fraction_digit[n_digits];
        unlike |= (uint64_t)(p[19] != '.');
    }
    if (unlike != 0 || month < 1 || month > 12 || day < 1 || day > tw_month_days(year, month) ||
        hour > 23 || minute > 59 || second > 59)
        return false;
    const int64_t total = tw_days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    /* These years are too many for 64 bits of ns only at their ends. */
    return !__builtin_mul_overflow(total, 1000000000, ns) &&
           !__builtin_add_overflow(*ns, (int64_t)fraction, ns);
}
#endif

/* RFC 3339 section 5.6, the whole of p..end; a leap second counts as the one after it. */
static inline bool tw_parse_rfc3339(const uint8_t *p, const uint8_t *end, int64_t *ns) {
    int year, month, day, hour, minute, second, offset_hour = 0, offset_minute = 0;
    int64_t fraction = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (tw_parse_usual_rfc3339(p, (size_t)(end - p), ns)) return true;
#endif
    if (!(p = tw_fixed_digits(p, end, 4, &year)) || p >= end || *p++ != '-') return false;
    if (!(p = tw_fixed_digits(p, end, 2, &month)) || p >= end || *p++ != '-') return false;
    if (!(p = tw_fixed_digits(p, end, 2, &day)) || p >= end) return false;
    if (*p != 'T' && *p != 't' && *p != ' ') return false;
    if (!(p = tw_fixed_digits(p + 1, end, 2, &hour)) || p >= end || *p++ != ':') return false;
    if (!(p = tw_fixed_digits(p, end, 2, &minute)) || p >= end || *p++ != ':') return false;
    if (!(p = tw_fixed_digits(p, end, 2, &second))) return false;
    if (month < 1 || month > 12 || day < 1 || day > tw_month_days(year, month)) return false;
    if (hour > 23 || minute > 59 || second > 60) return false;
    if (p < end && *p == '.' && !(p = tw_fraction(p + 1, end, &fraction))) return false;
    if (p >= end) return false;
    int64_t sign = *p == '-' ? -1 : 1;
    if (*p == 'Z' || *p == 'z') {
        p++;
    } else if (*p == '+' || *p == '-') {
        if (!(p = tw_fixed_digits(p + 1, end, 2, &offset_hour)) || p >= end || *p++ != ':')
            return false;
        if (!(p = tw_fixed_digits(p, end, 2, &offset_minute))) return false;
        if (offset_hour > 23 || offset_minute > 59) return false;
    } else {
        return false;
    }
    if (p != end) return false;
    int64_t total = tw_days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second -
                    sign * (offset_hour * 3600 + offset_minute * 60);
    return !__builtin_mul_overflow(total, 1000000000, &total) &&
           !__builtin_add_overflow(total, fraction, ns);
}

#endif
