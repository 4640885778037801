/* What stands for a trade's id: an integer for itself, any other text as a hash with the highest bit. */
#ifndef TICKWIRE_TRADE_KEY_H
#define TICKWIRE_TRADE_KEY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tickwire/decode/decimal.h"

enum { TW_MOST_ID_DIGITS = 19 }; /* of an integer that fits in 64 bits, whatever its digits are */

static inline uint64_t tw_trade_key(const uint8_t *p, size_t n) {
    uint64_t key = 0, word = 0;
    if (n > 0 && n <= TW_MOST_ID_DIGITS && (n == 1 || *p != '0') &&
        tw_digits(p, p + n, &key) == p + n)
        return key;
    key = 0xC2B2AE3D27D4EB4FULL ^ n;
    for (size_t i = 0; i < n; i += 8) {
        const size_t left = n - i;
        if (left < 8) word = 0;
        memcpy(&word, p + i, left < 8 ? left : 8);
        key = (key ^ word) * 0xD6E8FEB86659FD93ULL;
        key ^= key >> 32;
    }
    return key | 1ULL << 63;
}

#endif
