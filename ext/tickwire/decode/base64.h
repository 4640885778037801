/* Base64 (RFC 4648, section 4) into bytes.
 *
 * The padding may be missing, and so may the end: what is left of a last group and makes no whole
 * byte is dropped. */
#ifndef TICKWIRE_BASE64_H
#define TICKWIRE_BASE64_H

#include <stddef.h>
#include <stdint.h>

enum { TW_NO_SIX_BITS = 64 };

static const uint8_t tw_six_bits[256] = {
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 62, 64, 64, 64, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 64, 64, 64, 64, 64, 64, 64, 0,  1,  2,  3,  4,  5,  6,
    7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 64, 64, 64, 64, 64,
    64, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48,
    49, 50, 51, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
};

/* How many bytes p[0..n) has, written to `out`, which takes n / 4 * 3 + 3; -1 where it is no
 * base64. */
static inline ptrdiff_t tw_base64(const uint8_t *p, size_t n, uint8_t *out) {
    uint8_t *start = out;
    for (int i = 0; i < 2 && n && p[n - 1] == '='; i++) n--;
    const uint8_t *end = p + n / 4 * 4;
    uint32_t seen = 0;
    for (; p < end; p += 4, out += 3) {
        uint32_t a = tw_six_bits[p[0]], b = tw_six_bits[p[1]], c = tw_six_bits[p[2]],
                 d = tw_six_bits[p[3]], group = a << 18 | b << 12 | c << 6 | d;
        seen |= a | b | c | d;
        out[0] = (uint8_t)(group >> 16);
        out[1] = (uint8_t)(group >> 8);
        out[2] = (uint8_t)group;
    }
    uint32_t group = 0;
    size_t left = n % 4;
    for (size_t i = 0; i < left; i++) {
        seen |= tw_six_bits[p[i]];
        group |= (uint32_t)tw_six_bits[p[i]] << (18 - 6 * i);
    }
    if (left > 1) *out++ = (uint8_t)(group >> 16);
    if (left > 2) *out++ = (uint8_t)(group >> 8);
    return seen & TW_NO_SIX_BITS ? -1 : out - start;
}

#endif
