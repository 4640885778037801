/* Whether bytes are UTF-8 (RFC 3629): no overlong forms, no surrogates, at most U+10FFFF.
 *
 * Plain and byte by byte: for the few short strings that are new. Payloads have a faster check.
 */
#ifndef TICKWIRE_UTF8_SCALAR_H
#define TICKWIRE_UTF8_SCALAR_H

#include <stddef.h>
#include <stdint.h>

static inline int tw_is_utf8(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint8_t lead = bytes[i++];
        size_t n_more;
        uint8_t low = 0x80, high = 0xbf; /* of the second byte */
        if (lead < 0x80)
            continue;
        else if (lead >= 0xc2 && lead <= 0xdf)
            n_more = 1;
        else if (lead >= 0xe0 && lead <= 0xef) {
            n_more = 2;
            if (lead == 0xe0)
                low = 0xa0;
            else if (lead == 0xed)
                high = 0x9f;
        } else if (lead >= 0xf0 && lead <= 0xf4) {
            n_more = 3;
            if (lead == 0xf0)
                low = 0x90;
            else if (lead == 0xf4)
                high = 0x8f;
        } else
            return 0;
        if (n - i < n_more || bytes[i] < low || bytes[i] > high)
            return 0;
        for (size_t end = i + n_more, j = i + 1; j < end; j++)
            if ((bytes[j] & 0xc0) != 0x80)
                return 0;
        i += n_more;
    }
    return 1;
}

#endif
